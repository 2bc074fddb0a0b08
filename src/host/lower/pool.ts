/** Pooling windows and their gradients. */
import { countedPads } from "../../kernels/pool.js";
import { readPixels, writePixels, type Lowering, type Pixels } from "./context.js";

interface PoolAttrs {
  kernel: [number, number];
  strides: [number, number];
  pads: [number, number, number, number];
  dilations?: [number, number];
  countIncludePad?: boolean;
  padsCounted?: [number, number, number, number];
}

const image = (p: Pixels): [number, number, number] => [p.address, p.image, p.row];

function windows({ kernel, strides, dilations = [1, 1], pads }: PoolAttrs): number[] {
  return [...kernel, ...strides, ...dilations, pads[0], pads[1]];
}

export const pool: Lowering = (step, ctx) => {
  const a = step.attrs as unknown as PoolAttrs;
  const x = readPixels(ctx, ctx.view(step.inputs[0]!));
  const { pixels: y, done } = writePixels(ctx, ctx.view(step.outputs[0]!));
  const sizes = [y.n, y.h, y.w, x.h, x.w, x.channels, ...windows(a)];
  if (step.op === "max_pool2d") ctx.call("max_pool_images", ...image(x), ...image(y), ...sizes);
  else ctx.call("avg_pool_images", ...image(x), ...image(y), ...sizes, ...countedPads(a));
  done();
};

export const poolGrad: Lowering = (step, ctx) => {
  const a = step.attrs as unknown as PoolAttrs;
  const [dy, x, y] = step.inputs.map((tensor) => readPixels(ctx, ctx.view(tensor)));
  const { pixels: dx, done } = writePixels(ctx, ctx.view(step.outputs[0]!));
  const sizes = [dy!.n, dy!.h, dy!.w, dx.h, dx.w, dx.channels, ...windows(a)];
  ctx.call("clear_images", ...image(dx), dx.n, dx.h, dx.w * dx.channels);
  if (step.op === "max_pool2d_grad") {
    ctx.call("max_pool_grad", ...image(dy!), ...image(x!), ...image(y!), ...image(dx), ...sizes);
  } else {
    ctx.call("avg_pool_grad", ...image(dy!), ...image(dx), ...sizes, ...countedPads(a));
  }
  done();
};
