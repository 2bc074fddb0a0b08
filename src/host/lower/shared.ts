/** Operators whose kernel calls are described once for host and device (src/kernels/calls). */
import { invariant } from "../../model/errors.js";
import { callsOf } from "../../kernels/calls/index.js";
import { clearPadding, type Lowering } from "./context.js";

export const sharedCalls: Lowering = (step, ctx) => {
  const def = callsOf(step.op);
  invariant(def, `${step.op} has a description of its kernel calls`);
  const operand = (tensor: string) => {
    const { address, shape, strides } = ctx.view(tensor);
    return { address, shape, strides, dtype: ctx.dtype(tensor) };
  };
  for (const tensor of step.outputs) clearPadding(ctx, ctx.view(tensor));
  def.calls({
    op: step.op,
    attrs: step.attrs,
    inputs: step.inputs.map(operand),
    outputs: step.outputs.map(operand),
    constant: (i) => ctx.constant(step.inputs[i]!),
    temp: (bytes) => ctx.temp(bytes),
    table: (data) => ctx.table(data),
    call: (_file, kernel, ...args) => ctx.call(kernel, ...args),
  });
};
