import { padSource, type PadMode } from "../../model/ops/shared/pad-modes.js";
import { runsOf, type Run } from "../../model/ops/shared/runs.js";
import { copyBox, fillAll } from "../copies.js";
import { defineCalls, type CallContext, type Operand } from "../define-calls.js";

/** Mirrored, repeated or wrapped: one copy for every combination of runs of the axes. */
function padRepeating(call: CallContext["call"], x: Operand, y: Operand, axes: readonly Run[][]): void {
  const visit = (axis: number, chosen: readonly Run[]): void => {
    if (axis < axes.length) {
      for (const run of axes[axis]!) visit(axis + 1, [...chosen, run]);
      return;
    }
    const at = (operand: Operand, place: (run: Run) => number): number =>
      chosen.reduce((address, run, k) => address + place(run) * operand.strides[k]!, operand.address);
    const from = { address: at(x, (r) => r.from), strides: chosen.map((r, k) => r.step * x.strides[k]!) };
    const to = { address: at(y, (r) => r.to), strides: y.strides };
    copyBox(call, from, to, chosen.map((r) => r.count)); // prettier-ignore
  };
  visit(0, []);
}

export const pad = defineCalls({
  ops: ["pad"],
  calls(context) {
    const { attrs, inputs, outputs, call } = context;
    const [x, y] = [inputs[0]!, outputs[0]!];
    const { before, value, mode = "constant" } = attrs as { before: number[]; value: number; mode?: PadMode };
    if (mode === "constant") {
      fillAll(context, y, value);
      const address = before.reduce((at, b, axis) => at + b * y.strides[axis]!, y.address);
      copyBox(call, x, { address, strides: y.strides }, x.shape);
      return;
    }
    const axes = y.shape.map((d, axis) =>
      runsOf(Array.from({ length: d }, (_, i) => padSource(mode, x.shape[axis]!, i - before[axis]!))),
    );
    padRepeating(call, x, y, axes);
  },
});
