import { z } from "zod";
import { defineOp, type VjpContext } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, stridesOf, type Shape, type TensorType } from "../types.js";
import { reshapeTarget } from "./shared/broadcast.js";
import { moved, needF32, showType } from "./shared/checks.js";
import { visitIndices } from "./shared/nd.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({ transposeA: z.boolean(), transposeB: z.boolean() });
export type MatmulAttrs = z.infer<typeof attrs>;

/** The last two axes in the order in which the formula has them: [m, k] of a, [k, n] of b. */
function matrixAxes(rank: number, transposed: boolean): { first: number; second: number } {
  return transposed ? { first: rank - 1, second: rank - 2 } : { first: rank - 2, second: rank - 1 };
}

/** a [..., m, k] (or [..., k, m]) * b [..., k, n] (or [..., n, k]) -> [..., m, n]; leading axes broadcast. */
function infer([a, b]: readonly TensorType[], { transposeA, transposeB }: MatmulAttrs): TensorType[] {
  for (const [name, t] of [
    ["a", a],
    ["b", b],
  ] as const) {
    if (t!.shape.length < 2) {
      throw new IdapError("E_RANK", `matmul needs ${name} of rank 2 or more, got ${showType(t)}`);
    }
  }
  needF32("matmul", [a!, b!]);
  const { first: am, second: ak } = matrixAxes(a!.shape.length, transposeA);
  const { first: bk, second: bn } = matrixAxes(b!.shape.length, transposeB);
  if (a!.shape[ak] !== b!.shape[bk]) {
    throw new IdapError(
      "E_CHANNELS",
      `matmul: a ${showType(a)} and b ${showType(b)} must agree on axis ${ak} of a and axis ${bk} of b`,
    );
  }
  const leading = leadingShape(a!, b!);
  const shape = [...leading, a!.shape[am]!, b!.shape[bn]!];
  return [{ dtype: "f32", shape, batchAxis: batchOf(a!, b!, { am, ak, bk, bn }, shape) }];
}

function leadingShape(a: TensorType, b: TensorType): number[] {
  const [p, q] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const rank = Math.max(p.length, q.length);
  return Array.from({ length: rank }, (_, axis) => {
    const da = p[axis - rank + p.length] ?? 1;
    const db = q[axis - rank + q.length] ?? 1;
    if (da !== db && da !== 1 && db !== 1) {
      throw new IdapError(
        "E_BROADCAST",
        `matmul: the leading axes of a ${showType(a)} and b ${showType(b)} have extents ${da} and ${db}, neither is 1`,
      );
    }
    return da === 1 ? db : da;
  });
}

/**
 * Where the batch is in the product. A batch that is summed over must be summed over in both operands; one that stays is
 * rows, columns, or a leading axis, where the other operand has the same batch or repeats.
 */
function batchOf(
  a: TensorType,
  b: TensorType,
  { am, ak, bk, bn }: { am: number; ak: number; bk: number; bn: number },
  shape: Shape,
): number | null {
  const refuse = (): never => {
    throw new IdapError("E_BATCH", `matmul: the batch of a ${showType(a)} and of b ${showType(b)} do not fit`);
  };
  if ((a.batchAxis === ak) !== (b.batchAxis === bk)) refuse();
  const rank = shape.length;
  const places = [
    { t: a, other: b, kept: am, summed: ak, at: rank - 2 },
    { t: b, other: a, kept: bn, summed: bk, at: rank - 1 },
  ].flatMap(({ t, other, kept, summed, at }) => {
    if (t.batchAxis === null || t.batchAxis === summed) return [];
    if (t.batchAxis === kept) return [{ axis: at, leading: false }];
    const fromEnd = t.shape.length - t.batchAxis;
    const opposite = other.shape.length - fromEnd;
    const sameBatch = other.batchAxis === opposite && other.shape[opposite] === t.shape[t.batchAxis];
    if (!sameBatch && (other.shape[opposite] ?? 1) !== 1) refuse();
    return [{ axis: rank - fromEnd, leading: true }];
  });
  const [one, two] = places;
  if (two && !(one!.leading && two.leading && one!.axis === two.axis)) refuse();
  return one?.axis ?? null;
}

/** Element steps of an operand along the axes of the product [..., m, n] and along the sum. */
function steps(shape: Shape, rank: number, matrix: { kept: number; summed: number; at: number }) {
  const own = stridesOf(shape);
  const along = Array.from({ length: rank }, (_, axis) => {
    if (axis >= rank - 2) return axis === matrix.at ? own[matrix.kept]! : 0;
    const i = axis - rank + shape.length;
    return i < 0 || shape[i] === 1 ? 0 : own[i]!;
  });
  return { along, sum: own[matrix.summed]! };
}

/** Sums a gradient over the leading axes along which the operand was repeated. */
function unrepeat(g: VjpContext<unknown>, grad: string, operand: TensorType): string {
  const out = g.outputTypes[0]!;
  const skip = out.shape.length - operand.shape.length;
  const axes = out.shape.slice(0, -2).flatMap((d, axis) => {
    const i = axis - skip;
    const repeated = (operand.shape[i] ?? 1) !== d || (axis === out.batchAxis && i !== operand.batchAxis);
    return repeated || i < 0 ? [axis] : [];
  });
  if (axes.length === 0) return grad;
  const [sum] = g.emit("reduce_sum", [grad], { axes, keepDims: true });
  return skip === 0 ? sum! : g.emit("reshape", [sum!], { shape: reshapeTarget(operand) })[0]!;
}

/**
 * Products of matrices, either transposed first; leading axes are a batch of matrices and broadcast as numpy's.
 * ONNX `MatMul` and `Gemm`, TFLite `BATCH_MATMUL`, Keras `Dot`.
 */
export const matmul = defineOp<MatmulAttrs>({
  name: "matmul",
  summary: "product of matrices, batched and broadcast over the leading axes",
  inputs: ["a", "b"],
  outputs: ["y"],
  attrs,
  infer,
  couple(c, { transposeA, transposeB }) {
    c.tie(c.input(0, transposeA ? -1 : -2), c.output(0, -2));
    c.tie(c.input(0, transposeA ? -2 : -1), c.input(1, transposeB ? -1 : -2));
    c.tie(c.input(1, transposeB ? -2 : -1), c.output(0, -1));
    const out = c.outputTypes[0]!.shape;
    for (let fromEnd = 3; fromEnd <= out.length; fromEnd++) {
      // An operand that repeats here keeps its axis unmentioned, so frozen.
      const same = c.inputTypes.flatMap(({ shape }, i) =>
        shape[shape.length - fromEnd] === out[out.length - fromEnd] ? [c.input(i, -fromEnd)] : [],
      );
      c.tie(c.output(0, -fromEnd), ...same);
    }
  },
  cost(inputs, [y], { transposeA }) {
    const { second } = matrixAxes(inputs[0]!.shape.length, transposeA);
    return { macs: sizeOf(y!.shape) * inputs[0]!.shape[second]!, bytes: moved(inputs, [y!]) };
  },
  reference([a, b], { transposeA, transposeB }, [shape]) {
    const rank = shape!.length;
    const { first: am, second: ak } = matrixAxes(a!.shape.length, transposeA);
    const { first: bk, second: bn } = matrixAxes(b!.shape.length, transposeB);
    const p = steps(a!.shape, rank, { kept: am, summed: ak, at: rank - 2 });
    const q = steps(b!.shape, rank, { kept: bn, summed: bk, at: rank - 1 });
    const k = a!.shape[ak]!;
    const y = zeros(shape!);
    visitIndices(shape!, (index, flat) => {
      let [i, j] = [0, 0];
      index.forEach((at, axis) => {
        i += at * p.along[axis]!;
        j += at * q.along[axis]!;
      });
      let sum = 0;
      for (let l = 0; l < k; l++) sum += a!.data[i + l * p.sum]! * b!.data[j + l * q.sum]!;
      y[flat] = sum;
    });
    return [{ data: y, shape: shape! }];
  },
  vjp(g) {
    const dy = g.gradOutputs[0];
    if (!dy) return [null, null];
    const [a, b] = g.inputs as [string, string];
    const [aType, bType] = g.inputTypes as [TensorType, TensorType];
    const { transposeA: ta, transposeB: tb } = g.attrs;
    const product = (p: string, q: string, transposeA: boolean, transposeB: boolean): string =>
      g.emit("matmul", [p, q], { transposeA, transposeB })[0]!;
    // With A = a or its transpose, B likewise: dA = dy B^T and dB = A^T dy, transposed back where needed.
    const da = !g.wanted[0] ? null : ta ? product(b, dy, tb, true) : product(dy, b, false, !tb);
    const db = !g.wanted[1] ? null : tb ? product(dy, a, true, ta) : product(a, dy, !ta, false);
    return [da && unrepeat(g, da, aType), db && unrepeat(g, db, bType)];
  },
  // One rounding for the product, at most k - 1 additions after it.
  tolerance: ([a], { transposeA }) => ({
    kind: "roundings",
    count: a!.shape[matrixAxes(a!.shape.length, transposeA).second]!,
  }),
});
