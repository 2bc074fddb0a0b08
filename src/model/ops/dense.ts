import { defineOp, type VjpContext } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needF32, needFixed, needRank, needVector, noAttrs, showType, type NoAttrs } from "./shared/checks.js";
import { zeros } from "./shared/taps.js";

/** x [..., k] * w [k, n] (+ b [n]) -> [..., n]. */
function infer([x, w, b]: readonly TensorType[]): TensorType[] {
  needRank("dense", "w", w, 2);
  needF32("dense", b ? [x!, w!, b] : [x!, w!]);
  needFixed("dense", "w", w);
  const [k, n] = w!.shape as [number, number];
  const last = x!.shape.length - 1;
  if (last < 0 || x!.shape[last] !== k) {
    throw new IdapError(
      "E_CHANNELS",
      `dense: x ${showType(x)} must end in the ${k} rows of w [${w!.shape}]`,
      "Was only one side of a coupling group cut? `idap inspect --groups` lists the coupled axes.",
    );
  }
  if (x!.batchAxis === last) throw new IdapError("E_BATCH", `dense: the batch of x ${showType(x)} is summed over`);
  if (b) needVector("dense", "the bias", b, n);
  return [{ dtype: "f32", shape: [...x!.shape.slice(0, -1), n], batchAxis: x!.batchAxis }];
}

/** [..., k] as [rows, k], batch first, so that rows of one sample stay together. */
function asRows(g: VjpContext<NoAttrs>, name: string, type: TensorType): string {
  const rank = type.shape.length;
  if (rank === 2) return name;
  let rows = name;
  const batch = type.batchAxis ?? 0;
  if (batch > 0) {
    const perm = [batch, ...type.shape.map((_, i) => i).filter((i) => i !== batch)];
    rows = g.emit("transpose", [rows], { perm })[0]!;
  }
  const k = type.shape[rank - 1]!;
  const count = sizeOf(type.shape) / k;
  return g.emit("reshape", [rows], { shape: [type.batchAxis === null ? count : -1, k] })[0]!;
}

/**
 * Fully connected layer on the last axis: y[..., j] = b[j] + sum over i of x[..., i] * w[i, j].
 * TFLite `FULLY_CONNECTED`, Keras `Dense`, ONNX `Gemm`, and `MatMul` with a constant.
 */
export const dense = defineOp<NoAttrs>({
  name: "dense",
  summary: "fully connected layer on the last axis, optional bias",
  inputs: ["x", "w", "b?"],
  outputs: ["y"],
  params: [1, 2],
  attrs: noAttrs,
  infer,
  couple(c) {
    const rank = c.inputTypes[0]!.shape.length;
    for (let axis = 0; axis < rank - 1; axis++) c.tie(c.input(0, axis), c.output(0, axis));
    c.tie(c.input(0, -1), c.input(1, 0));
    c.tie(c.input(1, 1), c.output(0, -1), ...(c.inputTypes.length > 2 ? [c.input(2, 0)] : []));
  },
  cost(inputs, [y]) {
    return { macs: sizeOf(y!.shape) * inputs[1]!.shape[0]!, bytes: moved(inputs, [y!]) };
  },
  reference([x, w, b], _, [shape]) {
    const [k, n] = w!.shape as [number, number];
    const y = zeros(shape!);
    for (let r = 0; r < y.length / n; r++)
      for (let j = 0; j < n; j++) {
        let sum = b ? b.data[j]! : 0;
        for (let i = 0; i < k; i++) sum += x!.data[r * k + i]! * w!.data[i * n + j]!;
        y[r * n + j] = sum;
      }
    return [{ data: y, shape: shape! }];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy) return [null, null, null];
    const [x, w] = g.inputs as [string, string];
    const [xType] = g.inputTypes as [TensorType];
    const rank = xType.shape.length;
    let dx: string | null = null;
    if (g.wanted[0]) {
      dx =
        rank === 2
          ? g.emit("matmul", [dy, w], { transposeA: false, transposeB: true })[0]!
          : g.emit("dense", [dy, g.emit("transpose", [w], { perm: [1, 0] })[0]!])[0]!;
    }
    let dw: string | null = null;
    if (g.wanted[1]) {
      let rowsX = x;
      let rowsDy = dy;
      if (rank === 1) {
        rowsX = g.emit("reshape", [x], { shape: [1, xType.shape[0]!] })[0]!;
        rowsDy = g.emit("reshape", [dy], { shape: [1, g.outputTypes[0]!.shape[0]!] })[0]!;
      } else {
        rowsX = asRows(g, x, xType);
        rowsDy = asRows(g, dy, g.outputTypes[0]!);
      }
      dw = g.emit("matmul", [rowsX, rowsDy], { transposeA: true, transposeB: false })[0]!;
    }
    const axes = xType.shape.slice(0, -1).map((_, i) => i);
    const db = !g.wanted[2] ? null : axes.length === 0 ? dy : g.emit("reduce_sum", [dy], { axes, keepDims: false })[0]!;
    return [dx, dw, db];
  },
  // A product, at most k additions after it (the bias is the first of the terms).
  tolerance: ([, w]) => ({ kind: "roundings", count: w!.shape[0]! + 1 }),
});
