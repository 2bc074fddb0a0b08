/** Fused attention and what goes with it, as products, sums and a softmax. */
import { IdapError } from "../../../model/errors.js";
import { axisOf, tableSize } from "../../shared/check.js";
import type { Converter, OnnxOp } from "../op.js";
import { Pieces } from "./pieces.js";

const Q = 0;
const K = 1;
const V = 2;
const MASK = 3;
const PAST_KEY = 4;
const PAST_VALUE = 5;
/** How many keys of each sample are no padding. */
const LENGTHS = 6;

/** What the second output of scores shows. */
const SCORES = { raw: 0, capped: 1, masked: 2, probabilities: 3 } as const;

/** [batch, heads, length, size] of that or of [batch, length, heads * size]. */
function headsOf(p: Pieces, x: string, heads: number): string {
  const shape = p.shape(x);
  if (shape.length === 4) return x;
  const [batch, length, width] = shape as [number, number, number];
  if (!(heads > 0) || width % heads !== 0) throw p.op.malformed(`has ${heads} heads for a width of ${width}`);
  return p.transpose(p.reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** Every head of keys or values as often as `heads` asks for: h0, h0, h1, h1, ... */
function repeated(p: Pieces, x: string, heads: number): string {
  const [batch, own, length, size] = p.shape(x) as [number, number, number, number];
  if (own === heads) return x;
  if (heads % own !== 0) throw p.op.malformed(`has ${heads} heads of queries and ${own} of keys`);
  const apart = p.reshape(x, [batch, own, 1, length, size]);
  const to = [p.op.typeOf(x).batchAxis === null ? batch : -1, own, heads / own, length, size];
  return p.reshape(p.do("broadcast_to", [apart], { shape: to }), [batch, heads, length, size]);
}

/** How far the keys that query i may see are ahead of key i: a number, or a tensor with one for each sample. */
function offsetOf(p: Pieces, queries: number, past: number): string | number {
  const { op } = p;
  if (!op.has(LENGTHS)) return past;
  return p.do("sub", [lengthsOf(p), queries]);
}

function lengthsOf(p: Pieces): string {
  const { op } = p;
  const lengths = op.input(LENGTHS);
  return p.reshape(lengths, [p.shape(lengths)[0]!, 1, 1, 1]);
}

/** Which keys a query may see, as far as places decide; null where all. */
function allowedOf(p: Pieces, queries: number, keys: number, past: number): string | null {
  const { op } = p;
  const causal = op.int("is_causal", 0) !== 0;
  const [left, right] = [op.int("left_window_size", -1), op.int("right_window_size", -1)];
  const conditions: string[] = [];
  if (causal || left >= 0 || right >= 0) {
    tableSize(queries * keys, op.where);
    // j - i of key j and query i, to be compared with the offset.
    const distance = op.literal(
      "distance",
      [queries, keys],
      Int32Array.from({ length: queries * keys }, (_, n) => (n % keys) - Math.floor(n / keys)),
    );
    const ahead = p.do("sub", [distance, offsetOf(p, queries, past)]);
    if (causal) conditions.push(p.do("less_equal", [ahead, 0]));
    if (left >= 0) conditions.push(p.do("greater_equal", [ahead, -left]));
    if (right >= 0) conditions.push(p.do("less_equal", [ahead, right]));
  }
  if (op.has(LENGTHS)) conditions.push(p.do("less", [p.range(keys, 0), lengthsOf(p)]));
  return conditions.reduce<string | null>((all, c) => (all === null ? c : p.do("logical_and", [all, c])), null);
}

/** What is added to the scores: 0 or the mask's value, -infinity where a key is not to be seen; null for nothing. */
function biasOf(p: Pieces, queries: number, keys: number, past: number): string | null {
  const { op } = p;
  const allowed = allowedOf(p, queries, keys, past);
  if (!op.has(MASK)) return allowed === null ? null : p.do("select", [allowed, 0, op.scalar("masked", -Infinity)]);
  let mask = op.input(MASK);
  const missing = keys - p.shape(mask).at(-1)!;
  let visible = allowed;
  if (missing > 0) {
    const rank = p.shape(mask).length;
    const own = keys - missing;
    mask = p.do("pad", [mask], {
      before: new Array<number>(rank).fill(0),
      after: Array.from({ length: rank }, (_, i) => (i === rank - 1 ? missing : 0)),
      value: 0,
    });
    const inside = op.literal(
      "inside",
      [keys],
      Uint8Array.from({ length: keys }, (_, i) => Number(i < own)),
    );
    visible = visible === null ? inside : p.do("logical_and", [visible, inside]);
  }
  const hidden = op.scalar("masked", -Infinity);
  if (op.typeOf(mask).dtype === "bool") {
    return p.do("select", [visible === null ? mask : p.do("logical_and", [mask, visible]), 0, hidden]);
  }
  return visible === null ? mask : p.do("select", [visible, mask, hidden]);
}

/** The softmax of scores; a query that may see no key gives zeros. */
function probabilitiesOf(p: Pieces, scores: string, bias: string | null): string {
  const softmax = p.do("softmax", [scores], { axis: 3 });
  const always = bias === null || (!p.op.has(MASK) && !p.op.has(LENGTHS) && p.op.int("left_window_size", -1) < 0);
  if (always) return softmax;
  const rank = p.shape(bias).length;
  const largest = p.do("reduce_max", [bias], { axes: [rank - 1], keepDims: true });
  return p.do("select", [p.do("equal", [largest, -Infinity]), 0, softmax]);
}

/**
 * softmax(q k^T scale + bias) v for every head. Queries, keys and values are [batch, heads, length, size] or
 * [batch, length, heads * size]; keys and values of earlier calls come in front.
 */
export const Attention: Converter = {
  convert(op) {
    const p = new Pieces(op);
    const joined = op.type(Q).shape.length === 3;
    const q = headsOf(p, op.input(Q), op.int("q_num_heads", 0));
    const [k, v] = [K, V].map((i) => {
      const x = headsOf(p, op.input(i), op.int("kv_num_heads", 0));
      const past = i === K ? PAST_KEY : PAST_VALUE;
      return op.has(past) ? p.do("concat", [op.input(past), x], { axis: 2 }) : x;
    }) as [string, string];
    [k, v].forEach((x, i) => op.wants(1 + i) && op.give(x, { output: op.node.output[1 + i]! }));

    const [, heads, queries, size] = p.shape(q) as [number, number, number, number];
    const keys = p.shape(k)[2]!;
    const past = op.has(PAST_KEY) ? op.type(PAST_KEY).shape[2]! : 0;
    // Both factors of the product take the root of the scale, so that neither of them grows out of range.
    const scale = Math.fround(Math.sqrt(op.float("scale", 1 / Math.sqrt(size))));
    const turned = { transposeA: false, transposeB: true };
    const factors = [p.do("mul", [q, scale]), p.do("mul", [repeated(p, k, heads), scale])];
    const raw = p.do("matmul", factors, turned);
    const cap = op.float("softcap", 0);
    const capped = cap > 0 ? p.do("mul", [p.do("tanh", [p.do("div", [raw, cap])]), cap]) : raw;
    const bias = biasOf(p, queries, keys, past);
    const masked = bias === null ? capped : p.do("add", [capped, bias]);
    const probabilities = probabilitiesOf(p, masked, bias);
    showScores(op, [raw, capped, masked, probabilities]);
    const y = p.do("matmul", [probabilities, repeated(p, v, heads)], { transposeA: false, transposeB: false });
    if (!joined) return op.give(y);
    const [batch, , , width] = p.shape(y) as [number, number, number, number];
    op.give(p.reshape(p.transpose(y, [0, 2, 1, 3]), [batch, queries, heads * width]));
  },
};

function showScores(op: OnnxOp, stages: readonly string[]): void {
  if (!op.wants(3)) return;
  const shown = stages[op.int("qk_matmul_output_mode", SCORES.raw)];
  if (shown === undefined) throw op.malformed("shows scores that there are none of");
  op.give(shown, { output: op.node.output[3]! });
}

/** Turns pairs of features by an angle: y1 = x1 cos - x2 sin, y2 = x1 sin + x2 cos. */
export const RotaryEmbedding: Converter = {
  convert(op) {
    const p = new Pieces(op);
    const { shape } = op.type(0);
    const joined = shape.length === 3;
    const heads = op.int("num_heads", 0);
    // [batch, length, heads, size], so that one row of angles serves all heads of a place.
    const apart = joined
      ? p.reshape(op.input(0), [shape[0]!, shape[1]!, heads, shape[2]! / heads])
      : p.transpose(op.input(0), [0, 2, 1, 3]);
    const [batch, length, count, size] = p.shape(apart) as [number, number, number, number];
    const turned = op.int("rotary_embedding_dim", 0) || size;
    const half = turned / 2;
    if (!Number.isInteger(half) || turned > size) throw op.malformed(`turns ${turned} of ${size} features`);
    const [cos, sin] = [1, 2].map((i) => {
      const table = op.input(i);
      const rows = op.has(3) ? p.do("gather", [table, op.input(3)], { axis: 0 }) : table;
      if (p.shape(rows).at(-1) !== half) throw op.malformed(`has [${p.shape(rows)}] angles for ${half} pairs`);
      return p.reshape(rows, [p.shape(rows)[0]!, length, 1, half]);
    }) as [string, string];
    const interleaved = op.int("interleaved", 0) !== 0;
    const [x1, x2] = [0, 1].map((i) =>
      interleaved ? p.part(apart, 3, i, half, 2) : p.part(apart, 3, i * half, half),
    ) as [string, string];
    const real = p.do("sub", [p.do("mul", [cos, x1]), p.do("mul", [sin, x2])]);
    const imaginary = p.do("add", [p.do("mul", [sin, x1]), p.do("mul", [cos, x2])]);
    const pairs = interleaved ? [real, imaginary].map((t) => p.reshape(t, [batch, length, count, half, 1])) : [];
    const y = interleaved
      ? p.reshape(p.do("concat", pairs, { axis: 4 }), [batch, length, count, turned])
      : p.do("concat", [real, imaginary], { axis: 3 });
    const whole = turned === size ? y : p.do("concat", [y, p.part(apart, 3, turned, size - turned)], { axis: 3 });
    op.give(joined ? p.reshape(whole, [...shape]) : p.transpose(whole, [0, 2, 1, 3]));
  },
};

/** `update` written into a cache from a place on that each sample states, one after another along an axis. */
export const TensorScatter: Converter = {
  refuse: (op) => (["linear", "circular"].includes(op.string("mode", "linear")) ? null : "this mode"),
  convert(op) {
    const p = new Pieces(op);
    const [cache, update] = [op.input(0), op.input(1)];
    const rank = p.shape(cache).length;
    const axis = axisOf(op.int("axis", -2), rank, op.where);
    if (axis === 0) throw new IdapError("E_BATCH", `${op.where} writes along the batch`);
    const [extent, count] = [p.shape(cache)[axis]!, p.shape(update)[axis]!];
    const batch = p.shape(cache)[0]!;
    const flat = (x: string, along: number): string => {
      const shape = p.shape(x);
      const before = shape.slice(1, axis).reduce((n, d) => n * d, 1);
      const after = shape.slice(axis + 1).reduce((n, d) => n * d, 1);
      return p.reshape(x, [batch, before, along, after]);
    };
    // Which element of the update belongs at each place of the cache; outside it, the place keeps what it has.
    const first = op.has(2) ? p.reshape(op.input(2), [batch, 1]) : op.scalar("first", 0, "i32");
    const ahead = p.do("sub", [p.range(extent, 0), first]);
    const source = op.string("mode", "linear") === "circular" ? p.do("floor_mod", [ahead, extent]) : ahead;
    const written = p.do("logical_and", [p.do("greater_equal", [source, 0]), p.do("less", [source, count])]);
    const own = p.shape(source).length === 2 ? p.shape(source)[0]! : 1;
    const hits = p.do("equal", [p.reshape(source, [own, 1, extent, 1]), p.range(count, 0)]);
    const matrix = p.do("cast", [hits], { to: "f32" });
    const moved = p.do("matmul", [matrix, flat(update, count)], { transposeA: false, transposeB: false });
    const mask = p.reshape(written, [own, 1, extent, 1]);
    op.give(p.reshape(p.do("select", [mask, moved, flat(cache, extent)]), [...p.shape(cache)]));
  },
};

/** a * sigmoid(alpha a) * b. */
export const SwiGLU: Converter = {
  convert(op) {
    const p = new Pieces(op);
    const [a, b] = [op.input(0), op.input(1)];
    const alpha = op.float("alpha", 1);
    const gate = alpha === 1 ? p.do("silu", [a]) : p.do("mul", [a, p.do("sigmoid", [p.do("mul", [a, alpha])])]);
    p.finish("mul", [gate, b]);
  },
};
