import type { CallContext, Operand } from "../define-calls.js";
import { defineCalls } from "../define-calls.js";
import { copyWords, toPanels } from "../panels.js";
import { gradientPhases, phaseReach, type Phase } from "../phases.js";
import type { Strided } from "../strided.js";
import { packPanels, panelsBytes } from "../weights.js";

interface Attrs {
  strides: [number, number];
  dilations: [number, number];
  pads: [number, number, number, number];
  groups: number;
}

/** The taps of one phase in one direction of both axes. */
interface Pair {
  readonly i: Phase;
  readonly j: Phase;
}

/** Pixels to read: distances in bytes. */
interface Image {
  readonly address: number;
  readonly image: number;
  readonly row: number;
  readonly pixel: number;
}

const pad4 = (n: number): number => Math.ceil(n / 4) * 4;

/** x as it is, or a copy with zeros around it and `channels` for each pixel. */
function bordered(c: CallContext, x: Operand, pairs: readonly Pair[], channels: number): Image {
  const [n, h, w, ci] = x.shape as [number, number, number, number];
  const rows = phaseReach(
    h,
    pairs.map(({ i }) => i),
  );
  const columns = phaseReach(
    w,
    pairs.map(({ j }) => j),
  );
  const whole = [...rows, ...columns].every((d) => d === 0) && channels === ci;
  const [image, row, pixel] = x.strides as [number, number, number];
  if (whole) return { address: x.address, image, row, pixel };
  const wide = 4 * channels;
  const line = (columns[0] + w + columns[1]) * wide;
  const plane = (rows[0] + h + rows[1]) * line;
  const base = c.temp(n * plane);
  const address = base + rows[0] * line + columns[0] * wide;
  c.call("copy", "fill_value", base, (n * plane) / 4, 0);
  copyWords(c.call, x, { address, strides: [plane, line, wide, 4] }, x.shape);
  return { address, image: plane, row: line, pixel: wide };
}

/**
 * Panels of one phase and one group: from fixed values a table, else packed at each run.
 * @param first of the group's input channels
 * @param count of them
 * @param depthwise the weights [kh, kw, c, 1] as those of `depthwise`, one output for each channel
 */
function panels(c: CallContext, { i, j }: Pair, group: number, groups: number, depthwise: boolean): number {
  const [w, bias] = [c.inputs[1]!, c.inputs[2]];
  const [, kw, ci, perOut] = w.shape as [number, number, number, number];
  const [outputs, perIn] = depthwise ? [ci, 1] : [perOut, ci / groups];
  const first = depthwise ? 0 : group * perIn;
  const taps = Array.from({ length: i.taps * j.taps }, (_, t) => {
    const ky = i.tap + Math.floor(t / j.taps) * i.tapStep;
    return ky * kw + j.tap + (t % j.taps) * j.tapStep;
  });
  const k = taps.length * perIn;
  const values = c.constant(1) as Float32Array | null;
  const biasValues = bias ? (c.constant(2) as Float32Array | null) : null;
  const range = [group * outputs, (group + 1) * outputs] as const;
  let address: number;
  if (values) {
    // In memory [kh, kw, c, 1] is [kh, kw, 1, c].
    const rows = taps.flatMap((tap) =>
      Array.from({ length: perIn }, (_, q) => (depthwise ? tap : tap * ci + first + q)),
    );
    const packed = packPanels(values, outputs, biasValues && biasValues.subarray(...range), rows);
    address = c.table(packed);
    if (!bias || biasValues) return address;
    const own = c.temp(panelsBytes(outputs, k));
    copyWords(c.call, { address, strides: [4] }, { address: own, strides: [4] }, [packed.length]);
    address = own;
  } else {
    address = c.temp(panelsBytes(outputs, k));
    c.call("copy", "fill_value", address, panelsBytes(outputs, k) / 4, 0);
    const [, , sc, so] = w.strides as [number, number, number, number];
    taps.forEach((tap, t) => {
      const from = w.address + Math.floor(tap / kw) * w.strides[0]! + (tap % kw) * w.strides[1]! + first * sc;
      const to = address + 16 * (1 + t * perIn);
      toPanels(c.call, { address: from, strides: depthwise ? [0, sc] : [sc, so] }, to, [perIn, outputs], k);
    });
  }
  if (bias) {
    const from = biasValues ? c.table(biasValues) + 4 * range[0] : bias.address + range[0] * bias.strides[0]!;
    toPanels(c.call, { address: from, strides: [0, biasValues ? 4 : bias.strides[0]!] }, address, [1, outputs], k);
  }
  return address;
}

/** Outputs that no tap reaches: the bias, or nothing. */
function fill(c: CallContext, y: Strided, shape: readonly number[]): void {
  const [, , bias] = c.inputs;
  const values = bias ? (c.constant(2) as Float32Array | null) : null;
  const from = bias && !values ? bias.address : c.table(values ?? Float32Array.of(0));
  const stride = !bias ? 0 : values ? 4 : bias.strides[0]!;
  copyWords(c.call, { address: from, strides: [0, 0, 0, stride] }, y, shape);
}

/** One phase of the outputs as one convolution of stride 1; groups one after the other, or all channels at once. */
function phase(c: CallContext, x: Image, pair: Pair, groups: number, depthwise: boolean): void {
  const { i, j } = pair;
  const [y] = c.outputs as [Operand];
  const { strides } = c.attrs as unknown as Attrs;
  const [n, , , co] = y.shape as [number, number, number, number];
  const to = {
    address: y.address + i.first * y.strides[1]! + j.first * y.strides[2]!,
    strides: [y.strides[0]!, strides[0] * y.strides[1]!, strides[1] * y.strides[2]!, 4],
  };
  if (i.taps === 0 || j.taps === 0) {
    fill(c, to, [n, i.count, j.count, co]);
    return;
  }
  const parts = depthwise ? 1 : groups;
  const per = co / parts;
  const ci = c.inputs[0]!.shape[3]! / parts;
  for (let g = 0; g < parts; g++) {
    const w = panels(c, pair, g, groups, depthwise);
    const wide = pad4(per);
    const target = { ...to, address: to.address + 4 * per * g };
    // Whole panels are written: where they are wider than the outputs, through scratch memory.
    const out: Strided =
      wide === per
        ? target
        : {
            address: c.temp(4 * n * i.count * j.count * wide),
            strides: [4 * i.count * j.count * wide, 4 * j.count * wide, 4 * wide, 4],
          };
    const [image, row, pixel] = out.strides as [number, number, number];
    const from = x.address + i.offset * x.row + j.offset * x.pixel + 4 * ci * g;
    const [yStep, xStep] = [i.step * x.row, j.step * x.pixel];
    for (let s = 0; s < n; s++) {
      const [a, b] = [from + s * x.image, out.address + s * image];
      if (depthwise) {
        const walk = [x.row, x.pixel, row, pixel, i.taps, j.taps, yStep, xStep];
        c.call("depthwise", "depthwise", a, w, b, i.count, j.count, wide / 4, ...walk, 0);
      } else {
        const joined = xStep === 4 * ci;
        const run = joined ? [4 * ci * j.taps, 1, 0] : [4 * ci, j.taps, xStep];
        const walk = [x.row, x.pixel, row, pixel, 0, 0, ...run, i.taps, yStep];
        c.call("conv", "conv", a, w, b, 0, i.count, j.count, wide / 4, ...walk, 0);
      }
    }
    if (out !== target) copyWords(c.call, out, target, [n, i.count, j.count, per]);
  }
}

export const convTranspose2d = defineCalls({
  ops: ["conv_transpose2d"],
  tabled: [1, 2],
  calls(c) {
    const [x, w] = c.inputs as [Operand, Operand];
    const { strides, dilations, pads, groups } = c.attrs as unknown as Attrs;
    const [, oh, ow] = c.outputs[0]!.shape as [number, number, number];
    const rows = gradientPhases(oh, w.shape[0]!, strides[0], dilations[0], pads[0]);
    const columns = gradientPhases(ow, w.shape[1]!, strides[1], dilations[1], pads[1]);
    const pairs = rows.flatMap((i) => columns.map((j) => ({ i, j })));
    const depthwise = groups > 1 && groups === w.shape[2] && w.shape[3] === 1;
    const image = bordered(c, x, pairs, depthwise ? pad4(x.shape[3]!) : x.shape[3]!);
    for (const pair of pairs) phase(c, image, pair, groups, depthwise);
  },
});
