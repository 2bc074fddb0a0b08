/** Reductions over axes, and their gradients. */
import type { Shape } from "../../model/types.js";
import { paddedLayout, plainLayout } from "../layout.js";
import { clear, clearPadding, flatten, readPixels, scratch, type Lowering } from "./context.js";
import { blocks, copyStrided, reducedStrides } from "../../kernels/strided.js";

const IMAGE_KIND: Readonly<Record<string, number>> = { reduce_sum: 0, reduce_mean: 1, reduce_max: 2 };

export const reduce: Lowering = (step, ctx) => {
  const [x, y] = [ctx.view(step.inputs[0]!), ctx.view(step.outputs[0]!)];
  const axes = step.attrs.axes as number[];
  const rank = x.shape.length;
  if (rank === 4 && axes.length === 2 && axes[0] === 1 && axes[1] === 2 && !x.plain && !y.plain) {
    // Global pooling, vector over channels.
    const p = readPixels(ctx, x);
    ctx.call(
      "reduce_images",
      IMAGE_KIND[step.op]!,
      p.address,
      p.image,
      p.row,
      y.address,
      y.strides[0]!,
      p.n,
      p.h,
      p.w,
      p.channels,
    );
    return;
  }
  if (step.op === "reduce_sum" && rank > 1 && axes.length === rank - 1 && !axes.includes(rank - 1) && !x.plain) {
    // Sums of channels over everything else: the gradient of a bias.
    const [p] = flatten(readPixels(ctx, x));
    ctx.call("channel_sums", p.address, p.image, p.row, p.n, p.h, p.w, p.channels, y.address, ctx.temp(8 * p.channels));
    return;
  }
  const most = step.op === "reduce_max";
  // f32: -Infinity would be left in the padding, where only finite values may be; the maximum starts from it all the same.
  clear(ctx, y);
  const into = { address: y.address, strides: reducedStrides(y, rank, axes) };
  if (most) {
    const start = scratch(ctx, plainLayout([1]));
    ctx.call("fill_value", start.address, 1, -Infinity);
    copyStrided(ctx.call, { address: start.address, strides: y.shape.map(() => 0) }, y, y.shape);
  }
  for (const { extents, addresses, strides } of blocks(x.shape, [x, into])) {
    ctx.call("fold_strided", Number(most), addresses[0]!, addresses[1]!, ...extents, ...strides[0]!, ...strides[1]!);
  }
  if (step.op === "reduce_mean") ctx.call("divide", y.base, y.base, y.bytes / 4, countOf(x.shape, axes));
};

function countOf(shape: Shape, axes: readonly number[]): number {
  return axes.reduce((n, axis) => n * shape[axis]!, 1);
}

/** dy repeated over the reduced axes, divided by their count for a mean. */
export const reduceMeanGrad: Lowering = (step, ctx) => {
  const [dy, dx] = [ctx.view(step.inputs[0]!), ctx.view(step.outputs[0]!)];
  const axes = step.attrs.axes as number[];
  let address = dy.address;
  if (step.attrs.scale === "mean") {
    address = ctx.temp(dy.bytes) + dy.origin;
    ctx.call("divide", dy.base, address - dy.origin, dy.bytes / 4, countOf(dx.shape, axes));
  }
  clearPadding(ctx, dx);
  copyStrided(ctx.call, { address, strides: reducedStrides(dy, dx.shape.length, axes) }, dx, dx.shape);
};

export const reduceMaxGrad: Lowering = (step, ctx) => {
  const [dy, x, y, dx] = [...step.inputs, step.outputs[0]!].map((tensor) => ctx.view(tensor));
  const axes = step.attrs.axes as number[];
  const rank = x!.shape.length;
  const seen = scratch(ctx, paddedLayout(y!.shape));
  clear(ctx, seen);
  clearPadding(ctx, dx!);
  const small = [dy!, y!, seen].map((view) => ({ address: view.address, strides: reducedStrides(view, rank, axes) }));
  for (const { extents, addresses, strides } of blocks(x!.shape, [small[0]!, x!, small[1]!, small[2]!, dx!])) {
    const [d, p, q, s, e] = addresses as [number, number, number, number, number];
    ctx.call("reduce_max_grad", d, p, q, s, e, ...extents, ...strides.flat());
  }
};
