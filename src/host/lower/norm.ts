/** Batch normalisation with stored statistics, in training, and its gradient. */
import type { Step } from "../fuse.js";
import { flatten, readPixels, vector, writePixels, type LowerContext, type Pixels } from "./context.js";

const image = (p: Pixels): [number, number, number] => [p.address, p.image, p.row];

/** y = act(x * scale + shift (+ addend)). */
function affine(ctx: LowerContext, step: Step, x: Pixels, scale: number, shift: number): void {
  const { pixels, done } = writePixels(ctx, ctx.view(step.outputs[0]!));
  const addend = step.addend === undefined ? null : readPixels(ctx, ctx.view(step.addend));
  const operands = flatten(...(addend ? [x, pixels, addend] : [x, pixels]));
  const [from, to, r] = operands as [Pixels, Pixels, Pixels | undefined];
  const { n, h, w, channels } = to;
  ctx.call(
    "affine_act",
    ...image(from),
    ...(r ? image(r) : ([0, 0, 0] as const)),
    ...image(to),
    n,
    h,
    w,
    channels,
    scale,
    shift,
    step.act,
  );
  done();
}

export function batchNorm(step: Step, ctx: LowerContext): void {
  const [gamma, beta, mean, variance] = step.inputs.slice(1).map((tensor) => vector(ctx, tensor));
  const x = readPixels(ctx, ctx.view(step.inputs[0]!));
  const bytes = 4 * x.channels;
  const packed = ctx.packed(step.name, 2 * bytes, step.inputs.slice(1), (address, call) =>
    call(
      "batch_norm_affine",
      gamma!,
      beta!,
      mean!,
      variance!,
      step.attrs.epsilon as number,
      x.channels,
      x.real,
      address,
      address + bytes,
    ),
  );
  affine(ctx, step, x, packed, packed + bytes);
}

export function batchNormTrain(step: Step, ctx: LowerContext): void {
  const x = readPixels(ctx, ctx.view(step.inputs[0]!));
  const [flat] = flatten(x);
  const scale = ctx.temp(4 * x.channels);
  const shift = ctx.temp(4 * x.channels);
  ctx.call(
    "batch_norm_stats",
    ...image(flat),
    flat.n,
    flat.h,
    flat.w,
    x.channels,
    x.real,
    vector(ctx, step.inputs[1]!),
    vector(ctx, step.inputs[2]!),
    step.attrs.epsilon as number,
    vector(ctx, step.outputs[1]!),
    vector(ctx, step.outputs[2]!),
    scale,
    shift,
    ctx.temp(16 * x.channels),
  );
  affine(ctx, step, x, scale, shift);
}

export function batchNormGrad(step: Step, ctx: LowerContext): void {
  const [dy, x] = [readPixels(ctx, ctx.view(step.inputs[0]!)), readPixels(ctx, ctx.view(step.inputs[1]!))];
  const [gamma, mean, inv] = step.inputs.slice(2).map((tensor) => vector(ctx, tensor));
  const [dgamma, dbeta] = step.outputs.slice(1).map((tensor) => vector(ctx, tensor));
  const { pixels, done } = writePixels(ctx, ctx.view(step.outputs[0]!));
  const { mask } = step;
  const output = mask ? readPixels(ctx, ctx.view(mask.output)) : dy;
  const kept = mask?.keep ? writePixels(ctx, ctx.view(mask.masked)) : null;
  const own = { ...dy, image: dy.h * dy.w * dy.pixel, row: dy.w * dy.pixel };
  const masked = kept?.pixels ?? (mask ? { ...own, address: ctx.temp(own.n * own.image) } : dy);
  const [g, act, source, z] = flatten(dy, output, masked, x);
  ctx.call(
    "batch_norm_grad_sums",
    ...image(g),
    ...image(act),
    ...image(z),
    ...image(source),
    g.n,
    g.h,
    g.w,
    g.channels,
    g.real,
    mask?.act ?? 0,
    mean!,
    inv!,
    dgamma!,
    dbeta!,
    ctx.temp(16 * g.channels),
  );
  const [a, b, to] = flatten(masked, x, pixels);
  ctx.call(
    "batch_norm_grad_apply",
    ...image(a),
    ...image(b),
    ...image(to),
    to.n,
    to.h,
    to.w,
    to.channels,
    gamma!,
    mean!,
    inv!,
    dgamma!,
    dbeta!,
    ctx.temp(12 * to.channels),
  );
  done();
  kept?.done();
}
