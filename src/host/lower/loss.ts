/** Losses over a batch, and their gradients. */
import { readPixels, vector, writePixels, type Lowering } from "./context.js";

export const crossEntropy: Lowering = (step, ctx) => {
  const [logits, target] = step.inputs.map((tensor) => ctx.view(tensor));
  const [n, classes] = logits!.shape as readonly [number, number];
  ctx.call(
    "softmax_cross_entropy",
    logits!.address,
    logits!.strides[0]!,
    target!.address,
    target!.strides[0]!,
    n,
    classes,
    step.attrs.temperature as number,
    vector(ctx, step.outputs[0]!),
  );
};

export const crossEntropyGrad: Lowering = (step, ctx) => {
  const [dloss, logits, target] = step.inputs.map((tensor) => ctx.view(tensor));
  const out = ctx.view(step.outputs[0]!);
  const [n, classes] = logits!.shape as readonly [number, number];
  if (classes % 4 !== 0) ctx.call("fill_value", out.base, out.bytes / 4, 0);
  ctx.call(
    "softmax_cross_entropy_grad",
    dloss!.address,
    logits!.address,
    logits!.strides[0]!,
    target!.address,
    target!.strides[0]!,
    n,
    classes,
    step.attrs.temperature as number,
    out.address,
    out.strides[0]!,
  );
};

export const squaredError: Lowering = (step, ctx) => {
  const [a, b] = step.inputs.map((tensor) => readPixels(ctx, ctx.view(tensor)));
  const { n, h, w, real, channels } = a!;
  ctx.call(
    "mean_squared_error",
    a!.address,
    a!.image,
    a!.row,
    b!.address,
    b!.image,
    b!.row,
    n,
    h,
    w,
    real,
    channels,
    vector(ctx, step.outputs[0]!),
  );
};

export const squaredErrorGrad: Lowering = (step, ctx) => {
  const dloss = vector(ctx, step.inputs[0]!);
  const [a, b] = step.inputs.slice(1).map((tensor) => readPixels(ctx, ctx.view(tensor)));
  const { pixels: d, done } = writePixels(ctx, ctx.view(step.outputs[0]!));
  const { n, h, w, real, channels } = d;
  ctx.call(
    "mean_squared_error_grad",
    dloss,
    a!.address,
    a!.image,
    a!.row,
    b!.address,
    b!.image,
    b!.row,
    d.address,
    d.image,
    d.row,
    n,
    h,
    w,
    real,
    channels,
  );
  done();
};
