/** Depthwise convolution and its gradients. With a multiplier, each input channel is first repeated that many times. */
import { sizeOf, type Shape } from "../../model/types.js";
import type { Step } from "../fuse.js";
import { paddedLayout, type Halo, type View } from "../layout.js";
import { pad4 } from "../plan.js";
import { gradientPhases } from "../../kernels/phases.js";
import { clear, readPixels, scratch, vector, writePixels, type LowerContext, type Pixels } from "./context.js";
import { gradientHalo, windowHalo } from "./conv.js";
import { blocks, copyStrided } from "../../kernels/strided.js";

interface DepthwiseAttrs {
  strides: [number, number];
  dilations: [number, number];
  pads: [number, number, number, number];
}

/** Weights [kh, kw, c, m] seen as [kh, kw, c*m]: the output channel is c*m + j. */
interface DepthwiseWeights {
  readonly address: number;
  readonly strides: readonly [number, number, number];
  readonly kernel: readonly [number, number];
  readonly channels: number;
  readonly multiplier: number;
}

function weightsOf(ctx: LowerContext, tensor: string): DepthwiseWeights {
  let view = ctx.view(tensor);
  const [kh, kw, c, m] = view.shape as unknown as [number, number, number, number];
  if (!view.plain) {
    // Padded weights have gaps between the multiplied channels.
    const address = ctx.temp(4 * pad4(sizeOf(view.shape)));
    const strides = [4 * kw * c * m, 4 * c * m, 4 * m, 4];
    copyStrided(ctx.call, view, { address, strides }, view.shape);
    view = { ...view, address, strides };
  }
  return {
    address: view.address,
    strides: [view.strides[0]!, view.strides[1]!, 4],
    kernel: [kh, kw],
    channels: c * m,
    multiplier: m,
  };
}

/** x with each channel repeated `multiplier` times, and the border the windows need. */
function repeatChannels(ctx: LowerContext, x: View, multiplier: number, halo: Halo): Pixels {
  if (multiplier === 1) return readPixels(ctx, x, halo);
  const [n, h, w, c] = x.shape as readonly [number, number, number, number];
  const wide = scratch(ctx, paddedLayout([n, h, w, c * multiplier], halo));
  clear(ctx, wide);
  const [image, row, pixel] = wide.strides as [number, number, number];
  const from = { address: x.address, strides: [...x.strides, 0] };
  copyStrided(ctx.call, from, { address: wide.address, strides: [image, row, pixel, 4 * multiplier, 4] }, [
    n,
    h,
    w,
    c,
    multiplier,
  ]);
  return readPixels(ctx, wide);
}

export function depthwise(step: Step, ctx: LowerContext): void {
  const a = step.attrs as unknown as DepthwiseAttrs;
  const [x, w] = [ctx.view(step.inputs[0]!), weightsOf(ctx, step.inputs[1]!)];
  const bias = step.inputs[2] === undefined ? 0 : vector(ctx, step.inputs[2]);
  const out = ctx.view(step.outputs[0]!);
  const image = repeatChannels(ctx, x, w.multiplier, windowHalo(x.shape, out.shape, w.kernel, a));
  const { pixels: y, done } = writePixels(ctx, out);
  const packed = pack(ctx, step.name, step.inputs.slice(1), ctx.view(step.inputs[1]!).plain, w, bias);
  const start = image.address - a.pads[0] * image.row - a.pads[1] * image.pixel;
  ctx.call(
    "depthwise_images",
    start,
    image.image,
    a.strides[0] * image.row,
    a.strides[1] * image.pixel,
    a.dilations[0] * image.row,
    a.dilations[1] * image.pixel,
    packed,
    y.address,
    y.image,
    y.row,
    y.pixel,
    y.n,
    y.h,
    y.w,
    ...w.kernel,
    y.channels,
    step.act,
  );
  done();
}

function pack(
  ctx: LowerContext,
  key: string,
  sources: readonly string[],
  fixed: boolean,
  w: DepthwiseWeights,
  bias: number,
): number {
  const [kh, kw] = w.kernel;
  const bytes = 4 * pad4(w.channels) * (kh * kw + 1);
  const args = [w.address, ...w.strides, bias, kh, kw, w.channels] as const;
  if (fixed) return ctx.packed(key, bytes, sources, (address, call) => call("pack_depthwise", ...args, address));
  const address = ctx.temp(bytes);
  ctx.call("pack_depthwise", ...args, address);
  return address;
}

export function depthwiseGradInput(step: Step, ctx: LowerContext): void {
  const a = step.attrs as unknown as DepthwiseAttrs & { extent: [number, number] };
  const [dy, w] = [ctx.view(step.inputs[0]!), weightsOf(ctx, step.inputs[1]!)];
  const plain = ctx.view(step.inputs[1]!).plain;
  const out = ctx.view(step.outputs[0]!);
  const image = readPixels(ctx, dy, gradientHalo(dy.shape, a.extent, w.kernel, a));
  const [n, h, wd, c] = out.shape as readonly [number, number, number, number];
  const wide = w.multiplier === 1 ? out : scratch(ctx, paddedLayout([n, h, wd, w.channels]));
  const { pixels: dx, done } = writePixels(ctx, wide);
  const rows = gradientPhases(a.extent[0], w.kernel[0], a.strides[0], a.dilations[0], a.pads[0]);
  const columns = gradientPhases(a.extent[1], w.kernel[1], a.strides[1], a.dilations[1], a.pads[1]);
  if (rows.some((i) => i.taps === 0) || columns.some((j) => j.taps === 0)) {
    ctx.call("clear_images", dx.address, dx.image, dx.row, dx.n, dx.h, dx.w * dx.channels);
  }
  for (const i of rows) {
    for (const j of columns) {
      if (i.taps === 0 || j.taps === 0) continue;
      const turned: DepthwiseWeights = {
        ...w,
        address: w.address + i.tap * w.strides[0] + j.tap * w.strides[1],
        strides: [i.tapStep * w.strides[0], j.tapStep * w.strides[1], w.strides[2]],
        kernel: [i.taps, j.taps],
      };
      const packed = pack(ctx, `${step.name}/phase${i.first},${j.first}`, [step.inputs[1]!], plain, turned, 0);
      ctx.call(
        "depthwise_images",
        image.address + i.offset * image.row + j.offset * image.pixel,
        image.image,
        image.row,
        image.pixel,
        i.step * image.row,
        j.step * image.pixel,
        packed,
        dx.address + i.first * dx.row + j.first * dx.pixel,
        dx.image,
        dx.row * a.strides[0],
        dx.pixel * a.strides[1],
        dx.n,
        i.count,
        j.count,
        i.taps,
        j.taps,
        dx.channels,
        0,
      );
    }
  }
  done();
  if (w.multiplier === 1) return;
  // dx[c] is the sum of its repeats.
  clear(ctx, out);
  const [image2, row, pixel] = wide.strides as [number, number, number];
  const from = { address: wide.address, strides: [image2, row, pixel, 4 * w.multiplier, 4] };
  fold(ctx, from, { address: out.address, strides: [...out.strides, 0] }, [n, h, wd, c, w.multiplier]);
}

function fold(
  ctx: LowerContext,
  from: { address: number; strides: readonly number[] },
  to: { address: number; strides: readonly number[] },
  shape: Shape,
): void {
  for (const { extents, addresses, strides } of blocks(shape, [from, to])) {
    ctx.call("fold_strided", 0, addresses[0]!, addresses[1]!, ...extents, ...strides[0]!, ...strides[1]!);
  }
}

export function depthwiseGradWeight(step: Step, ctx: LowerContext): void {
  const a = step.attrs as unknown as DepthwiseAttrs & { kernel: [number, number] };
  const [x, dy] = [ctx.view(step.inputs[0]!), ctx.view(step.inputs[1]!)];
  const out = ctx.view(step.outputs[0]!);
  const [kh, kw, c, m] = out.shape as readonly [number, number, number, number];
  const image = repeatChannels(ctx, x, m, windowHalo(x.shape, dy.shape, a.kernel, a));
  const g = readPixels(ctx, dy);
  const padded = paddedLayout([kh, kw, 1, c * m]);
  const to = ctx.temp(padded.bytes);
  ctx.call(
    "depthwise_grad_weight",
    image.address - a.pads[0] * image.row - a.pads[1] * image.pixel,
    image.image,
    a.strides[0] * image.row,
    a.strides[1] * image.pixel,
    a.dilations[0] * image.row,
    a.dilations[1] * image.pixel,
    g.address,
    g.image,
    g.row,
    g.pixel,
    g.n,
    g.h,
    g.w,
    kh,
    kw,
    g.channels,
    to,
  );
  const [row, tap] = padded.strides as [number, number];
  copyStrided(ctx.call, { address: to, strides: [row, tap, 4 * m, 4] }, out, out.shape);
}
