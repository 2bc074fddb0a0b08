/** Convolutions, dense and depthwise, and their gradients. */
import type { Shape } from "../../model/types.js";
import type { Step } from "../fuse.js";
import { NO_HALO, paddedLayout, type Halo, type View } from "../layout.js";
import { pad4 } from "../plan.js";
import { gradientPhases, phaseReach, type Phase } from "../../kernels/phases.js";
import { haloOf, windowReach } from "../windows.js";
import { clear, flatten, readPixels, scratch, vector, writePixels, type LowerContext, type Pixels } from "./context.js";
import { copyStrided, type Strided } from "../../kernels/strided.js";
import { sharedCalls } from "./shared.js";

interface ConvAttrs {
  strides: [number, number];
  dilations: [number, number];
  pads: [number, number, number, number];
  groups?: number;
}

type Shape4 = readonly [number, number, number, number];

/** Border of zeros that windows of a forward convolution (or its weight gradient) need around x. */
export function windowHalo(x: Shape, out: Shape, kernel: readonly number[], a: ConvAttrs): Halo {
  return haloOf(
    windowReach(x[1]!, out[1]!, kernel[0]!, a.strides[0], a.dilations[0], a.pads[0]),
    windowReach(x[2]!, out[2]!, kernel[1]!, a.strides[1], a.dilations[1], a.pads[1]),
  );
}

function phasesOf(extent: readonly number[], kernel: readonly number[], a: ConvAttrs): [Phase[], Phase[]] {
  return [
    gradientPhases(extent[0]!, kernel[0]!, a.strides[0], a.dilations[0], a.pads[0]),
    gradientPhases(extent[1]!, kernel[1]!, a.strides[1], a.dilations[1], a.pads[1]),
  ];
}

/** Border of zeros that the input gradient needs around dy. */
export function gradientHalo(dy: Shape, extent: readonly number[], kernel: readonly number[], a: ConvAttrs): Halo {
  const [rows, columns] = phasesOf(extent, kernel, a);
  return haloOf(phaseReach(dy[1]!, rows), phaseReach(dy[2]!, columns));
}

/** How windows walk over an image. */
interface Windows {
  /** First pixel of the first window. */
  readonly address: number;
  readonly rowStep: number;
  readonly columnStep: number;
  readonly taps: readonly [number, number];
  readonly tapRow: number;
  readonly tapColumn: number;
}

function windowsOf(x: Pixels, kernel: readonly number[], a: ConvAttrs): Windows {
  return {
    address: x.address - a.pads[0] * x.row - a.pads[1] * x.pixel,
    rowStep: a.strides[0] * x.row,
    columnStep: a.strides[1] * x.pixel,
    taps: [kernel[0]!, kernel[1]!],
    tapRow: a.dilations[0] * x.row,
    tapColumn: a.dilations[1] * x.pixel,
  };
}

/** Runs of contiguous floats in one tap row: all taps in one when they touch, else one for each tap. */
function runs(x: Pixels, { taps, tapColumn }: Windows): { segments: number; span: number } {
  return tapColumn === x.pixel ? { segments: 1, span: taps[1] * x.channels } : { segments: taps[1], span: x.channels };
}

/** Weights as a strided [ky, kx, c, o] array; strides in bytes, possibly negative. */
interface Weights {
  readonly address: number;
  readonly strides: readonly [number, number, number, number];
  readonly kernel: readonly [number, number];
  readonly ci: number;
  readonly co: number;
}

function weightsOf(view: View): Weights {
  const [kh, kw, ci, co] = view.shape as Shape4;
  return { address: view.address, strides: view.strides as unknown as Shape4, kernel: [kh, kw], ci, co };
}

/** Packs `w` for `conv_wide`; once, when `sources` are fixed. */
function pack(ctx: LowerContext, key: string, sources: readonly string[], w: Weights, bias: number): number {
  const [kh, kw] = w.kernel;
  const bytes = 4 * pad4(w.co) * (kh * kw * pad4(w.ci) + 1);
  return ctx.packed(key, bytes, sources, (address, call) =>
    call("pack_panels", w.address, ...w.strides, bias, kh, kw, w.ci, pad4(w.ci), w.co, address),
  );
}

/** One call of the forward kernel; `r` is added first where given. */
function convolve(
  ctx: LowerContext,
  x: Pixels,
  windows: Windows,
  packed: number,
  y: Pixels,
  r: Pixels | null,
  act: number,
): void {
  const { segments, span } = runs(x, windows);
  let [n, h, w] = [y.n, y.h, y.w];
  let [xImage, xRow, yImage, yRow, rImage, rRow] = [
    x.image,
    windows.rowStep,
    y.image,
    y.row,
    r?.image ?? 0,
    r?.row ?? 0,
  ];
  const pointwise =
    windows.taps[0] === 1 && windows.taps[1] === 1 && windows.columnStep === x.pixel && windows.rowStep === x.row;
  const operands = r ? [x, y, r] : [x, y];
  if (
    pointwise &&
    operands.every((p) => p.row === p.w * p.pixel && p.image === p.h * p.row && p.w === w && p.h === h)
  ) {
    [n, h, w] = [1, 1, n * h * w];
    xImage = xRow = yImage = yRow = rImage = rRow = 0;
  }
  ctx.call(
    "conv_wide",
    windows.address,
    xImage,
    xRow,
    windows.columnStep,
    windows.tapRow,
    windows.tapColumn,
    packed,
    r?.address ?? 0,
    rImage,
    rRow,
    r?.pixel ?? 0,
    y.address,
    yImage,
    yRow,
    y.pixel,
    n,
    h,
    w,
    windows.taps[0],
    segments,
    span,
    y.channels,
    act,
  );
}

export function conv2d(step: Step, ctx: LowerContext): void {
  const a = step.attrs as unknown as ConvAttrs;
  const [x, w] = [ctx.view(step.inputs[0]!), weightsOf(ctx.view(step.inputs[1]!))];
  const bias = step.inputs[2] === undefined ? 0 : vector(ctx, step.inputs[2]);
  const out = ctx.view(step.outputs[0]!);
  const halo = windowHalo(x.shape, out.shape, w.kernel, a);
  const sources = step.inputs.slice(1);
  const groups = a.groups ?? 1;
  if (groups === 1) {
    const image = readPixels(ctx, x, halo);
    const r = step.addend === undefined ? null : readPixels(ctx, ctx.view(step.addend));
    const { pixels, done } = writePixels(ctx, out);
    convolve(ctx, image, windowsOf(image, w.kernel, a), pack(ctx, step.name, sources, w, bias), pixels, r, step.act);
    done();
    return;
  }
  const co = w.co / groups;
  if (out.shape[3]! % 4 !== 0) clear(ctx, out);
  for (let g = 0; g < groups; g++) {
    const image = readPixels(ctx, takeChannels(ctx, x, g * w.ci, w.ci, halo));
    const part = { ...w, address: w.address + g * co * w.strides[3], co };
    const y = scratch(ctx, paddedLayout([...out.shape.slice(0, 3), co]));
    const r = step.addend === undefined ? null : takeChannels(ctx, ctx.view(step.addend), g * co, co, NO_HALO);
    const packed = pack(ctx, `${step.name}/${g}`, sources, part, bias && bias + 4 * g * co);
    const windows = windowsOf(image, w.kernel, a);
    convolve(ctx, image, windows, packed, readPixels(ctx, y), r && readPixels(ctx, r), step.act);
    copyStrided(ctx.call, y, channelsFrom(out, g * co), y.shape);
  }
}

/** Some channels of an image, in scratch memory of their own. */
function takeChannels(ctx: LowerContext, x: View, first: number, count: number, halo: Halo): View {
  const part = scratch(ctx, paddedLayout([...x.shape.slice(0, 3), count], halo));
  clear(ctx, part);
  copyStrided(ctx.call, channelsFrom(x, first), part, part.shape);
  return part;
}

function channelsFrom(view: View, first: number): Strided {
  return { address: view.address + 4 * first, strides: view.strides };
}

export function conv2dGradInput(step: Step, ctx: LowerContext): void {
  const a = step.attrs as unknown as ConvAttrs & { extent: [number, number] };
  const [dy, w] = [ctx.view(step.inputs[0]!), weightsOf(ctx.view(step.inputs[1]!))];
  const out = ctx.view(step.outputs[0]!);
  const groups = a.groups ?? 1;
  const halo = gradientHalo(dy.shape, a.extent, w.kernel, a);
  if (groups === 1) {
    const image = readPixels(ctx, dy, halo);
    const r = step.addend === undefined ? null : readPixels(ctx, ctx.view(step.addend));
    const { pixels, done } = writePixels(ctx, out);
    gradInputPhases(ctx, step.name, [step.inputs[1]!], image, w, a, pixels, r);
    done();
    return;
  }
  const co = w.co / groups;
  if (out.shape[3]! % 4 !== 0) clear(ctx, out);
  for (let g = 0; g < groups; g++) {
    const image = readPixels(ctx, takeChannels(ctx, dy, g * co, co, halo));
    const part = { ...w, address: w.address + g * co * w.strides[3], co };
    const dx = scratch(ctx, paddedLayout([...out.shape.slice(0, 3), w.ci]));
    gradInputPhases(ctx, `${step.name}/${g}`, [step.inputs[1]!], image, part, a, readPixels(ctx, dx), null);
    copyStrided(ctx.call, dx, channelsFrom(out, g * w.ci), dx.shape);
  }
}

function gradInputPhases(
  ctx: LowerContext,
  key: string,
  sources: readonly string[],
  dy: Pixels,
  w: Weights,
  a: ConvAttrs & { extent: [number, number] },
  dx: Pixels,
  r: Pixels | null,
): void {
  const [rows, columns] = phasesOf(a.extent, w.kernel, a);
  for (const i of rows) {
    for (const j of columns) {
      const target = everyOther(dx, i, j, a.strides);
      const addend = r && everyOther(r, i, j, a.strides);
      if (i.taps === 0 || j.taps === 0) {
        fillPhase(ctx, target, addend);
        continue;
      }
      // Taps reversed, input and output channels swapped.
      const [sy, sx, sc, so] = w.strides;
      const turned: Weights = {
        address: w.address + i.tap * sy + j.tap * sx,
        strides: [i.tapStep * sy, j.tapStep * sx, so, sc],
        kernel: [i.taps, j.taps],
        ci: w.co,
        co: w.ci,
      };
      const windows: Windows = {
        address: dy.address + i.offset * dy.row + j.offset * dy.pixel,
        rowStep: dy.row,
        columnStep: dy.pixel,
        taps: turned.kernel,
        tapRow: i.step * dy.row,
        tapColumn: j.step * dy.pixel,
      };
      const packed = pack(ctx, `${key}/phase${i.first},${j.first}`, sources, turned, 0);
      convolve(ctx, dy, windows, packed, target, addend, 0);
    }
  }
}

/** The pixels of one phase of an image. */
function everyOther(p: Pixels, i: Phase, j: Phase, strides: readonly [number, number]): Pixels {
  return {
    ...p,
    address: p.address + i.first * p.row + j.first * p.pixel,
    h: i.count,
    w: j.count,
    row: p.row * strides[0],
    pixel: p.pixel * strides[1],
  };
}

/** Inputs that no tap reaches have gradient zero, or what is added to it. */
function fillPhase(ctx: LowerContext, to: Pixels, addend: Pixels | null): void {
  const shape = [to.n, to.h, to.w, to.channels];
  const strided = (p: Pixels): Strided => ({ address: p.address, strides: [p.image, p.row, p.pixel, 4] });
  const zeros = { address: ctx.packed("zero", 16, [], () => {}), strides: [0, 0, 0, 0] };
  copyStrided(ctx.call, addend ? strided(addend) : zeros, strided(to), shape);
}

export function conv2dGradWeight(step: Step, ctx: LowerContext): void {
  const a = step.attrs as unknown as ConvAttrs & { kernel: [number, number] };
  const [x, dy] = [ctx.view(step.inputs[0]!), ctx.view(step.inputs[1]!)];
  const out = ctx.view(step.outputs[0]!);
  const halo = windowHalo(x.shape, dy.shape, a.kernel, a);
  const groups = a.groups ?? 1;
  const [, , ci, co] = out.shape as Shape4;
  if (groups === 1) {
    const image = readPixels(ctx, x, halo);
    gradWeight(ctx, image, windowsOf(image, a.kernel, a), readPixels(ctx, dy), out, out.shape);
    return;
  }
  const perOut = co / groups;
  for (let g = 0; g < groups; g++) {
    const image = readPixels(ctx, takeChannels(ctx, x, g * ci, ci, halo));
    const part = readPixels(ctx, takeChannels(ctx, dy, g * perOut, perOut, NO_HALO));
    const to = channelsFrom(out, g * perOut);
    gradWeight(ctx, image, windowsOf(image, a.kernel, a), part, { ...out, ...to }, [...a.kernel, ci, perOut]);
  }
}

/** dw of `shape` [kh, kw, ci, co], wherever `out` lies: directly, or through scratch memory with padded channels. */
function gradWeight(ctx: LowerContext, x: Pixels, windows: Windows, dy: Pixels, out: View, shape: Shape): void {
  const { segments, span } = runs(x, windows);
  const [kh, kw, ci, co] = shape as Shape4;
  const padded = paddedLayout([kh, kw, x.channels, dy.channels]);
  const direct = ci === x.channels && co === dy.channels && padded.strides.every((s, i) => s === out.strides[i]);
  const to = direct ? out.address : ctx.temp(padded.bytes);
  let [n, h, w] = [dy.n, dy.h, dy.w];
  const pointwise = kh === 1 && kw === 1 && windows.columnStep === x.pixel && windows.rowStep === x.row;
  if (pointwise && [x, dy].every((p) => p.row === p.w * p.pixel && p.image === p.h * p.row && p.w === w && p.h === h)) {
    [n, h, w] = [1, 1, n * h * w];
  }
  ctx.call(
    "conv_grad_weight",
    windows.address,
    x.image,
    windows.rowStep,
    windows.columnStep,
    windows.tapRow,
    windows.tapColumn,
    dy.address,
    dy.image,
    dy.row,
    dy.pixel,
    n,
    h,
    w,
    kh,
    segments,
    span,
    dy.channels,
    to,
  );
  if (!direct) copyStrided(ctx.call, { address: to, strides: padded.strides }, out, shape);
}

/** y[..., n] = x[..., k] * w[k, n]: a pointwise convolution over all leading axes. */
export function dense(step: Step, ctx: LowerContext): void {
  const w = ctx.view(step.inputs[1]!);
  const bias = step.inputs[2] === undefined ? 0 : vector(ctx, step.inputs[2]);
  rowsTimes(
    ctx,
    step,
    ctx.view(step.inputs[0]!),
    { address: w.address, strides: w.strides },
    w.shape,
    bias,
    step.inputs.slice(1),
  );
}

function rowsTimes(
  ctx: LowerContext,
  step: Step,
  x: View,
  w: Strided,
  shape: Shape,
  bias: number,
  sources: readonly string[],
): void {
  const [k, n] = shape as readonly [number, number];
  const weights: Weights = {
    address: w.address,
    strides: [0, 0, w.strides[0]!, w.strides[1]!],
    kernel: [1, 1],
    ci: k,
    co: n,
  };
  const image = readPixels(ctx, x);
  const r = step.addend === undefined ? null : readPixels(ctx, ctx.view(step.addend));
  const { pixels, done } = writePixels(ctx, ctx.view(step.outputs[0]!));
  const unit: ConvAttrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
  convolve(
    ctx,
    image,
    windowsOf(image, [1, 1], unit),
    pack(ctx, step.name, sources, weights, bias),
    pixels,
    r,
    step.act,
  );
  done();
}

export function matmul(step: Step, ctx: LowerContext): void {
  const { transposeA, transposeB } = step.attrs as { transposeA: boolean; transposeB: boolean };
  const [a, b, out] = [ctx.view(step.inputs[0]!), ctx.view(step.inputs[1]!), ctx.view(step.outputs[0]!)];
  if (out.shape.length > 2) {
    sharedCalls(step, ctx);
    return;
  }
  if (!transposeA) {
    const [p, q] = transposeB ? [1, 0] : [0, 1];
    const columns = { address: b.address, strides: [b.strides[p]!, b.strides[q]!] };
    rowsTimes(ctx, step, a, columns, [b.shape[p]!, b.shape[q]!], 0, [step.inputs[1]!]);
    return;
  }
  if (!transposeB) {
    // Sum over rows of both operands: the weight gradient of a pointwise convolution.
    const [x, dy] = flatten(readPixels(ctx, a), readPixels(ctx, b));
    const target: View = { ...out, strides: [0, 0, out.strides[0]!, out.strides[1]!] };
    const unit: ConvAttrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
    if (!out.plain && out.shape[1]! % 4 !== 0) clear(ctx, out);
    gradWeight(ctx, x, windowsOf(x, [1, 1], unit), dy, target, [1, 1, out.shape[0]!, out.shape[1]!]);
    return;
  }
  sharedCalls(step, ctx);
}
