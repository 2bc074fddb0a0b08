import type { Coupling } from "../../coupling.js";
import type { NdArray, VjpContext } from "../../define-op.js";
import { IdapError } from "../../errors.js";
import { stridesOf, type Dtype, type Shape, type TensorType } from "../../types.js";
import { needDtype, showType } from "./checks.js";
import { zeros } from "./taps.js";

/** Result type of numpy broadcasting: axes align from the right, extent 1 repeats. All operands have one dtype of `allowed`. */
export function broadcastTypes(
  op: string,
  inputs: readonly TensorType[],
  allowed: readonly Dtype[] = ["f32"],
): TensorType[] {
  needDtype(op, inputs, allowed);
  return [{ ...broadcastShape(op, inputs), dtype: inputs[0]!.dtype }];
}

/** Shape and batch axis of broadcasting, whatever the dtypes. */
export function broadcastShape(op: string, inputs: readonly TensorType[]): Pick<TensorType, "shape" | "batchAxis"> {
  return inputs.reduce((a, b) => ({ ...a, ...broadcastTwo(op, a, b) }));
}

function broadcastTwo(op: string, a: TensorType, b: TensorType): Pick<TensorType, "shape" | "batchAxis"> {
  const rank = Math.max(a.shape.length, b.shape.length);
  const shape: number[] = [];
  let batchAxis: number | null = null;
  for (let axis = 0; axis < rank; axis++) {
    const i = axis - rank + a.shape.length;
    const j = axis - rank + b.shape.length;
    const da = a.shape[i] ?? 1;
    const db = b.shape[j] ?? 1;
    if (da !== db && da !== 1 && db !== 1) {
      throw new IdapError(
        "E_BROADCAST",
        `${op}: axis ${axis} has extents ${da} and ${db} (${showType(a)} and ${showType(b)}), neither is 1`,
      );
    }
    shape.push(da === 1 ? db : da);
    const inA = i >= 0 && i === a.batchAxis;
    const inB = j >= 0 && j === b.batchAxis;
    if (!inA && !inB) continue;
    const fixed = inA ? (inB ? null : db) : da;
    if (batchAxis !== null || (fixed === null ? da !== db : fixed !== 1)) {
      throw new IdapError("E_BATCH", `${op}: the batch of ${showType(a)} and ${showType(b)} is not one axis of both`);
    }
    batchAxis = axis;
  }
  return { shape, batchAxis };
}

/** f(a, b, ...) element by element on broadcast operands. */
export function broadcastMap(inputs: readonly NdArray[], shape: Shape, f: (...values: number[]) => number): NdArray {
  const out = zeros(shape);
  const strides = inputs.map((x) => repeatStrides(x.shape, shape));
  const at = inputs.map(() => 0);
  const values = inputs.map(() => 0);
  const index = new Array<number>(shape.length).fill(0);
  for (let q = 0; q < out.length; q++) {
    inputs.forEach((x, i) => (values[i] = x.data[at[i]!]!));
    out[q] = f(...values);
    for (let k = shape.length - 1; k >= 0; k--) {
      const wraps = ++index[k]! === shape[k]!;
      strides.forEach((s, i) => (at[i]! += wraps ? s[k]! * (1 - shape[k]!) : s[k]!));
      if (!wraps) break;
      index[k] = 0;
    }
  }
  return { data: out, shape };
}

/** Strides of `from` over the axes of `to`: 0 where `from` repeats. */
function repeatStrides(from: Shape, to: Shape): number[] {
  const own = stridesOf(from);
  return to.map((_, k) => {
    const i = k - to.length + from.length;
    return i < 0 || from[i] === 1 ? 0 : own[i]!;
  });
}

/** Sums a gradient of the broadcast result over the axes along which the operand was repeated. */
export function unbroadcast(g: VjpContext<unknown>, grad: string, operand: TensorType): string {
  const out = g.outputTypes[0]!;
  const skip = out.shape.length - operand.shape.length;
  const axes: number[] = [];
  out.shape.forEach((d, axis) => {
    const i = axis - skip;
    const repeated = (operand.shape[i] ?? 1) !== d || (axis === out.batchAxis && i !== operand.batchAxis);
    if (repeated) axes.push(axis);
  });
  let name = grad;
  if (axes.length > 0) name = g.emit("reduce_sum", [name], { axes, keepDims: true })[0]!;
  if (skip > 0) name = g.emit("reshape", [name], { shape: reshapeTarget(operand) })[0]!;
  return name;
}

/** The `shape` attribute of a reshape to `type`: -1 on the batch axis. */
export function reshapeTarget(type: TensorType): number[] {
  return type.shape.map((d, i) => (i === type.batchAxis ? -1 : d));
}

/**
 * Axes of equal extent are one channel set. Where an operand repeats (extent 1 against n), its own axis is left
 * unmentioned, so frozen, and the other operand is tied to the result alone.
 */
export function coupleBroadcast(c: Coupling): void {
  const out = c.outputTypes[0]!.shape;
  out.forEach((d, axis) => {
    const refs = [c.output(0, axis)];
    c.inputTypes.forEach((t, i) => {
      const k = axis - out.length + t.shape.length;
      if (k >= 0 && t.shape[k] === d) refs.push(c.input(i, k));
    });
    c.tie(...refs);
  });
}
