import { z } from "zod";
import type { Coupling } from "../coupling.js";
import { defineOp, type ExpandContext, type NdArray } from "../define-op.js";
import { IdapError } from "../errors.js";
import { stridesOf, type Shape, type TensorType } from "../types.js";
import { reshapeTarget } from "./shared/broadcast.js";
import { moved, needF32, needRank, showType } from "./shared/checks.js";
import { EXP_ROUNDINGS } from "./shared/exp.js";
import { zeros } from "./shared/taps.js";

const attrs = z
  .strictObject({
    /** Heads of the queries. */
    heads: z.int().positive(),
    /** Heads of keys and values; each serves heads / kvHeads heads of queries. */
    kvHeads: z.int().positive(),
    /** Factor of the products of queries and keys. */
    scale: z.number(),
    /** Query i sees the keys 0 to i only. */
    causal: z.boolean(),
  })
  .refine((a) => a.heads % a.kvHeads === 0, { error: "heads must be a multiple of kvHeads" });
export type AttentionAttrs = z.infer<typeof attrs>;

const [Q, K, V, MASK] = [0, 1, 2, 3];

/** Sizes of an attention: batch (the larger of the operands'), tokens, keys, and what a head reads and gives. */
interface Sizes {
  readonly batch: number;
  readonly tokens: number;
  readonly keys: number;
  /** Features of a head of queries and keys. */
  readonly size: number;
  /** Features of a head of values. */
  readonly valueSize: number;
}

function sizesOf([q, k, v]: readonly { readonly shape: Shape }[], { heads, kvHeads }: AttentionAttrs): Sizes {
  return {
    batch: Math.max(...[q, k, v].map((t) => t!.shape[0]!)),
    tokens: q!.shape[1]!,
    keys: k!.shape[1]!,
    size: q!.shape[2]! / heads,
    valueSize: v!.shape[2]! / kvHeads,
  };
}

/** query [b, t, heads*d], key [b, k, kvHeads*d], value [b, k, kvHeads*e], mask [b|1, heads|1, t|1, k|1] -> [b, t, heads*e]. */
function infer(inputs: readonly TensorType[], a: AttentionAttrs): TensorType[] {
  const [q, k, v, mask] = inputs as [TensorType, TensorType, TensorType, TensorType?];
  ["query", "key", "value"].forEach((name, i) => needRank("attention", name, inputs[i], 3));
  needF32("attention", inputs);
  const all = `query ${showType(q)}, key ${showType(k)}, value ${showType(v)}`;
  const { batch, tokens, keys, size, valueSize } = sizesOf(inputs, a);
  if (!Number.isInteger(size) || k.shape[2] !== size * a.kvHeads || !Number.isInteger(valueSize)) {
    throw new IdapError(
      "E_CHANNELS",
      `attention: ${all} do not make ${a.heads} heads of queries and ${a.kvHeads} of keys and values`,
      "Was only a part of a coupling group cut? `idap inspect --groups` lists the coupled axes.",
    );
  }
  if (v.shape[1] !== keys) throw new IdapError("E_SHAPE", `attention: ${all} differ in the number of keys`);
  if (mask) needMask(mask, [batch, a.heads, tokens, keys]);
  return [{ dtype: "f32", shape: [batch, tokens, a.heads * valueSize], batchAxis: batchOf(inputs, batch) }];
}

function needMask(mask: TensorType, to: Shape): void {
  const skip = to.length - mask.shape.length;
  if (skip < 0 || mask.shape.some((d, i) => d !== 1 && d !== to[i + skip])) {
    throw new IdapError("E_BROADCAST", `attention: the mask ${showType(mask)} does not repeat to [${to}]`);
  }
}

/** The batch is axis 0 of all that have one, with one extent; the others are the same for all samples. */
function batchOf(inputs: readonly TensorType[], batch: number): 0 | null {
  const batched = inputs.some((t) => t.batchAxis !== null);
  inputs.forEach((t, i) => {
    const first = i === MASK ? t.shape.length - 4 : 0;
    const extent = first < 0 ? 1 : t.shape[first]!;
    const own = t.batchAxis !== null;
    const fits = own ? t.batchAxis === first && extent === batch : extent === 1 || (!batched && extent === batch);
    if (!fits) {
      const shown = inputs.map(showType).join(", ");
      throw new IdapError("E_BATCH", `attention: the batch of ${shown} is not axis 0 of all, or differs`);
    }
  });
  return inputs.slice(0, MASK).some((t) => t.batchAxis !== null) || batched ? 0 : null;
}

/**
 * A head is one block of features in queries, keys, values and the result; a head of keys goes with all heads of queries
 * that read it. The heads of a mask that has some go with them.
 */
function couple(c: Coupling, { heads, kvHeads }: AttentionAttrs): void {
  const { size, valueSize } = sizesOf(c.inputTypes, { heads, kvHeads } as AttentionAttrs);
  const shared = heads / kvHeads;
  c.block(c.input(Q, 2), heads);
  c.block(c.input(K, 2), kvHeads);
  c.block(c.input(V, 2), kvHeads);
  c.block(c.output(0, 2), heads);
  c.tieMap(c.input(Q, 2), c.input(K, 2), (i) => Math.floor(i / size / shared) * size);
  c.tieMap(c.input(K, 2), c.input(V, 2), (i) => Math.floor(i / size) * valueSize);
  c.tieMap(c.output(0, 2), c.input(Q, 2), (i) => Math.floor(i / valueSize) * size);
  const reason = "attention takes the softmax over it";
  c.freeze(c.input(K, 1), reason);
  c.freeze(c.input(V, 1), reason);
  c.tie(c.input(Q, 1), c.output(0, 1));
  const mask = c.inputTypes[MASK];
  if (!mask) return;
  if (mask.shape[mask.shape.length - 3] === heads && heads > 1) {
    c.tieMap(c.input(MASK, -3), c.input(Q, 2), (h) => h * size);
  }
}

/** Multiply-accumulates of the pairs of query and key that are computed. */
function macs(inputs: readonly TensorType[], a: AttentionAttrs): number {
  const { batch, tokens, keys, size, valueSize } = sizesOf(inputs, a);
  let pairs = tokens * keys;
  if (a.causal) {
    pairs = 0;
    for (let i = 0; i < tokens; i++) pairs += Math.min(i + 1, keys);
  }
  return batch * a.heads * pairs * (size + valueSize);
}

/** Element steps of a mask over [batch, heads, tokens, keys], 0 where it repeats. */
function maskSteps({ shape }: NdArray): number[] {
  const own = stridesOf(shape);
  return [0, 1, 2, 3].map((axis) => {
    const i = axis - 4 + shape.length;
    return i < 0 || shape[i] === 1 ? 0 : own[i]!;
  });
}

function reference(inputs: readonly NdArray[], a: AttentionAttrs, [shape]: readonly Shape[]): NdArray[] {
  const [q, k, v, mask] = inputs as [NdArray, NdArray, NdArray, NdArray?];
  const { batch, tokens, keys, size, valueSize } = sizesOf(inputs, a);
  const y = zeros(shape!);
  const [mb, mh, mt, mk] = mask ? maskSteps(mask) : [];
  /** Place of the first feature of a head in one row of a tensor that may be one for all samples. */
  const row = (t: NdArray, b: number, i: number, from: number): number =>
    ((t.shape[0] === 1 ? 0 : b) * t.shape[1]! + i) * t.shape[2]! + from;
  const scores = new Float64Array(keys);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < a.heads; h++)
      for (let t = 0; t < tokens; t++) {
        const kv = Math.floor(h / (a.heads / a.kvHeads));
        const qAt = row(q, b, t, h * size);
        let max = -Infinity;
        for (let j = 0; j < keys; j++) {
          const kAt = row(k, b, j, kv * size);
          let s = 0;
          for (let i = 0; i < size; i++) s += q.data[qAt + i]! * k.data[kAt + i]!;
          s = s * a.scale + (mask ? mask.data[b * mb! + h * mh! + t * mt! + j * mk!]! : 0);
          scores[j] = a.causal && j > t ? -Infinity : s;
          max = Math.max(max, scores[j]!);
        }
        if (max === -Infinity) continue;
        const weights = scores.map((s) => Math.exp(s - max));
        const sum = weights.reduce((total, p) => total + p, 0);
        const yAt = (b * tokens + t) * shape![2]! + h * valueSize;
        weights.forEach((p, j) => {
          const vAt = row(v, b, j, kv * valueSize);
          for (let i = 0; i < valueSize; i++) y[yAt + i]! += (p / sum) * v.data[vAt + i]!;
        });
      }
  return [{ data: y, shape: shape! }];
}

/** Whether some query may see no key: its softmax would have no value. */
function mayHideAll(e: ExpandContext<AttentionAttrs>, { keys }: Sizes): boolean {
  if (e.inputs.length <= MASK) return false;
  const mask = e.fixed(MASK) as Float32Array | null;
  if (!mask) return true;
  if (!mask.includes(-Infinity)) return false;
  if (e.attrs.causal || e.inputTypes[MASK]!.shape.at(-1) !== keys) return true;
  const rows = Array.from({ length: mask.length / keys }, (_, r) => mask.subarray(r * keys, (r + 1) * keys));
  return rows.some((row) => row.every((m) => m === -Infinity));
}

/** The same as products of matrices and a softmax: heads apart, query heads that share keys as rows of one matrix. */
function expand(e: ExpandContext<AttentionAttrs>): string[] {
  const { heads, kvHeads, scale, causal } = e.attrs;
  const sizes = sizesOf(e.inputTypes, e.attrs);
  const { tokens, keys, size, valueSize } = sizes;
  const one = (op: string, inputs: readonly string[], given = {}): string => e.emit(op, inputs, given)[0]!;
  const number = (v: number): string => e.constant([], Float32Array.of(v));
  const shared = heads / kvHeads;
  const [bq, bk, bv, by] = [...e.inputTypes.slice(0, 3), e.outputTypes[0]!].map((t) => reshapeTarget(t)[0]!);
  /** [b, n, kvHeads * s] as [b, kvHeads, n, s]. */
  const apart = (x: string, b: number, n: number, s: number): string =>
    one("transpose", [one("reshape", [x], { shape: [b, n, kvHeads, s] })], { perm: [0, 2, 1, 3] });
  const [query, key, value] = e.inputs as [string, string, string];
  const scaled = scale === 1 ? query : one("mul", [query, number(scale)]);
  let q: string;
  if (shared === 1) q = apart(scaled, bq!, tokens, size);
  else {
    const split = one("reshape", [scaled], { shape: [bq, tokens, kvHeads, shared, size] });
    const turned = one("transpose", [split], { perm: [0, 2, 3, 1, 4] });
    q = one("reshape", [turned], { shape: [bq, kvHeads, shared * tokens, size] });
  }
  let scores = one("matmul", [q, apart(key, bk!, keys, size)], { transposeA: false, transposeB: true });
  const sb = bq === -1 || bk === -1 ? -1 : Math.max(bq!, bk!);
  if (shared > 1) scores = one("reshape", [scores], { shape: [sb, heads, tokens, keys] });
  if (e.inputs.length > MASK) scores = one("add", [scores, e.inputs[MASK]!]);
  if (causal) {
    const hidden = Float32Array.from({ length: tokens * keys }, (_, i) =>
      i % keys > Math.floor(i / keys) ? -Infinity : 0,
    );
    scores = one("add", [scores, e.constant([tokens, keys], hidden)]);
  }
  let weights = one("softmax", [scores], { axis: 3 });
  if (mayHideAll(e, sizes)) {
    const largest = one("reduce_max", [scores], { axes: [3], keepDims: true });
    weights = one("select", [one("equal", [largest, number(-Infinity)]), number(0), weights]);
  }
  const [masked] = e.inputTypes.slice(MASK).map((t) => t.batchAxis !== null);
  const wb = masked ? -1 : sb;
  if (shared > 1) weights = one("reshape", [weights], { shape: [wb, kvHeads, shared * tokens, keys] });
  const mixed = one("matmul", [weights, apart(value, bv!, keys, valueSize)], { transposeA: false, transposeB: false });
  const width = heads * valueSize;
  if (shared === 1) {
    return [one("reshape", [one("transpose", [mixed], { perm: [0, 2, 1, 3] })], { shape: [by, tokens, width] })];
  }
  const split = one("reshape", [mixed], { shape: [by, kvHeads, shared, tokens, valueSize] });
  return [one("reshape", [one("transpose", [split], { perm: [0, 3, 1, 2, 4] })], { shape: [by, tokens, width] })];
}

/**
 * softmax(scale * q k^T + mask) v for every head, heads side by side on the last axis: nothing has to be transposed.
 *
 *   query [b, t, heads * d], key [b, k, kvHeads * d], value [b, k, kvHeads * e], mask that repeats to [b, heads, t, k]
 *   -> [b, t, heads * e];  head h reads head floor(h * kvHeads / heads) of keys and values
 *
 * Operands with b = 1 serve all samples. The mask is added to the scores, -infinity hides a key; a query that sees no key
 * gives zeros. Attention over several axes has the others in b. ONNX `Attention`, Keras `MultiHeadAttention` without its
 * projections.
 */
export const attention = defineOp<AttentionAttrs>({
  name: "attention",
  summary: "scaled dot-product attention, heads side by side on the last axis",
  inputs: ["query", "key", "value", "mask?"],
  outputs: ["y"],
  attrs,
  infer,
  couple,
  cut(c, a) {
    const { size } = sizesOf(c.inputTypes, a);
    return { ...a, heads: c.keptInput(Q, 2).length / size, kvHeads: c.keptInput(K, 2).length / size };
  },
  cost: (inputs, outputs, a) => ({ macs: macs(inputs, a), bytes: moved(inputs, outputs) }),
  reference,
  expand,
  // Relative to max(1, S) * sum p |v| with S the largest sum of |scale q k| + |mask| of a key that is seen. A score: d for
  // its product, the factor (2, it is rounded itself), the mask; in numerator and denominator. As in softmax: 2 for the
  // difference from the maximum, the exponentials, k for their sum. Then k products and sums, and the division.
  tolerance([q, k], a) {
    const d = q!.shape[2]! / a.heads;
    return { kind: "roundings", count: 2 * (d + 3) + 2 + 2 * EXP_ROUNDINGS + 2 * k!.shape[1]! + 1 };
  },
});
