/** Operators that only move values. */
import { sizeOf } from "../../model/types.js";
import { plainLayout } from "../layout.js";
import { clearPadding, type Lowering } from "./context.js";
import { copyStrided } from "../../kernels/strided.js";

export const concat: Lowering = (step, ctx) => {
  const y = ctx.view(step.outputs[0]!);
  const axis = step.attrs.axis as number;
  clearPadding(ctx, y);
  let address = y.address;
  for (const tensor of step.inputs) {
    const x = ctx.view(tensor);
    copyStrided(ctx.call, x, { address, strides: y.strides }, x.shape);
    address += x.shape[axis]! * y.strides[axis]!;
  }
};

export const transpose: Lowering = (step, ctx) => {
  const [x, y] = [ctx.view(step.inputs[0]!), ctx.view(step.outputs[0]!)];
  const perm = step.attrs.perm as number[];
  clearPadding(ctx, y);
  copyStrided(ctx.call, { address: x.address, strides: perm.map((axis) => x.strides[axis]!) }, y, y.shape);
};

/** The elements pass through plain order. Where both layouts are the same bytes, the planner lets them share one buffer. */
export const reshape: Lowering = (step, ctx) => {
  const [x, y] = [ctx.view(step.inputs[0]!), ctx.view(step.outputs[0]!)];
  const flat = ctx.temp(4 * sizeOf(x.shape));
  copyStrided(ctx.call, x, { address: flat, strides: plainLayout(x.shape).strides }, x.shape);
  clearPadding(ctx, y);
  copyStrided(ctx.call, { address: flat, strides: plainLayout(y.shape).strides }, y, y.shape);
};
