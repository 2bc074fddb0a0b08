/**
 * Recognises attention: softmax(scale * Q K^T + mask) V, however heads, batch and features are laid out.
 *
 * Not a list of forms, of which every exporter has another. From the product with V, axes are followed back as factors
 * (`factors.ts`) through all reshapes, transposes, slices and products with numbers, to the tensors that Q, K and V are
 * made of. What is summed over, what the softmax runs over and what lies beside the features there says which factor is
 * what.
 */
import { IdapError } from "../errors.js";
import type { Graph, Node, Tensor } from "../types.js";
import { axesOf, extentOf, leavesOf, rearranged, sameFactors, stepBack, trace, type Axis, type Factor, type Traced } from "./factors.js"; // prettier-ignore
import { lean, sameType, View } from "./rewrite.js";
import { Splice } from "./splice.js";

/** A mask, and the axes that its own are aligned with, from the right. */
interface Mask {
  readonly tensor: string;
  readonly axes: readonly Axis[];
  /** Where the tensor is a condition: what is added where it holds, and where not. */
  readonly fills: readonly [number, number] | null;
  /** Products with numbers between the mask and the softmax. */
  readonly scale: number;
}

/** The product of queries and keys behind a tensor of scores. */
interface Scores {
  readonly product: Node;
  readonly axes: readonly Axis[];
  readonly scale: number;
  readonly masks: readonly Mask[];
}

/** All parts of one attention; axes of tensors in factors that they share. */
interface Parts {
  /** The product with the values, and its axes. */
  readonly last: Node;
  readonly axes: readonly Axis[];
  readonly query: Traced;
  readonly key: Traced;
  readonly value: Traced;
  readonly masks: readonly Mask[];
  readonly scale: number;
  /** Factors of the axes of an `attention`: what is no head among the leading axes, heads, queries, keys, features. */
  readonly batch: Axis;
  readonly heads: Axis;
  /** Those of `heads` that keys and values have, too. */
  readonly kvHeads: Axis;
  readonly tokens: Axis;
  readonly keys: Axis;
  readonly size: Axis;
  readonly valueSize: Axis;
}

/** Scores of keys that are not seen are this or less: their exponential is 0 beside any other. */
const HIDDEN = -1e4;

export function recogniseAttention(graph: Graph): Graph {
  if (!graph.nodes.some((node) => node.op === "softmax")) return graph;
  const view = new View(graph);
  const tensors = new Map<string, Tensor>(graph.tensors);
  const names = new Set(graph.nodes.map((node) => node.name));
  let changed = false;
  const nodes = graph.nodes.flatMap((node) => {
    const parts = node.op === "matmul" ? partsOf(node, view) : null;
    const made = parts && replaced(parts, view, tensors, names);
    if (!made) return [node];
    changed = true;
    return made;
  });
  return changed ? lean({ ...graph, nodes, tensors }) : graph;
}

/** The axes of the operands of a product whose axes are `axes`: leading ones where they do not repeat, then the two of its own. */
function operandAxes({ inputs, attrs }: Node, view: View, axes: readonly Axis[], summed: Axis): [Axis[], Axis[]] {
  const rank = axes.length;
  const [rows, columns] = axes.slice(-2) as [Axis, Axis];
  return [0, 1].map((i) => {
    const { shape, batchAxis } = view.type(inputs[i]!);
    const leading = shape.slice(0, -2).map((d, k): Axis => {
      return d === 1 && k !== batchAxis ? [] : axes[rank - shape.length + k]!;
    });
    const own = i === 0 ? [rows, summed] : [summed, columns];
    if (attrs[i === 0 ? "transposeA" : "transposeB"] === true) own.reverse();
    return [...leading, ...own];
  }) as [Axis[], Axis[]];
}

function partsOf(last: Node, view: View): Parts | null {
  const axes = axesOf(view.type(last.outputs[0]!));
  const summed: Axis = [{ extent: contracted(last, view), batch: false }];
  const operands = operandAxes(last, view, axes, summed);
  for (const i of [0, 1] as const) {
    const weights = probabilities(view, last.inputs[i]!, operands[i]);
    if (!weights || !sameFactors(weights.keys, summed)) continue;
    const scores = scoresOf(view, weights.scores, weights.axes);
    const parts = scores && assembled(view, last, axes, { weights: i, operands, summed, scores });
    if (parts) return parts;
  }
  return null;
}

/** Extent that a product sums over. */
function contracted({ inputs, attrs }: Node, view: View): number {
  return view.type(inputs[0]!).shape.at(attrs.transposeA === true ? -2 : -1)!;
}

/** The softmax at the start of a tensor of weights: its operand with its axes, and the axis it runs over. */
function probabilities(view: View, name: string, axes: readonly Axis[]) {
  let at = trace(view, name, axes);
  const guard = view.maker(at.source, "select");
  if (guard && view.scalar(guard.inputs[1]!) === 0 && hidesAll(view, guard.inputs[0]!)) {
    if (!view.usedOnce(at.source) || view.type(guard.inputs[2]!).shape.length !== at.axes.length) return null;
    at = trace(view, guard.inputs[2]!, at.axes);
  }
  const node = view.maker(at.source, "softmax");
  if (!node || !view.usedOnce(at.source)) return null;
  return { scores: node.inputs[0]!, axes: at.axes, keys: at.axes[node.attrs.axis as number]! };
}

/** Whether a condition says that a query sees no key: that the largest of its scores or of its mask is -infinity. */
function hidesAll(view: View, name: string): boolean {
  const test = view.maker(name, "equal");
  const largest =
    test && view.maker(trace(view, test.inputs[0]!, axesOf(view.type(test.inputs[0]!))).source, "reduce_max");
  return largest !== null && view.scalar(test!.inputs[1]!) === -Infinity;
}

/**
 * Follows scores back through scales and masks.
 * @param failed tensors that no way back from leads to a product: both operands of a sum are tried, so without it a chain
 * of sums of one tensor would be walked 2^n times
 */
function scoresOf(view: View, name: string, axes: readonly Axis[], failed = new Set<string>()): Scores | null {
  if (failed.has(name)) return null;
  const found = scoresBehind(view, name, axes, failed);
  if (!found) failed.add(name);
  return found;
}

function scoresBehind(view: View, name: string, axes: readonly Axis[], failed: Set<string>): Scores | null {
  const node = view.maker(name, "matmul", "add", "select", "mul", "transpose", "reshape");
  // The scores of a guarded softmax are also what the guard looks at.
  if (!node || view.readersOf(name).length > 2) return null;
  if (node.op === "matmul") return { product: node, axes, scale: 1, masks: [] };
  const own = view.type(name).shape.length;
  const behind = (x: string): Scores | null => {
    return view.constant(x) || view.type(x).shape.length !== own ? null : scoresOf(view, x, axes, failed);
  };
  const masked = (x: string, tensor: string, fills: Mask["fills"]): Scores | null => {
    const found = behind(x);
    return found && { ...found, masks: [...found.masks, { tensor, axes, fills, scale: 1 }] };
  };
  const [a, b, c] = node.inputs as [string, string, string];
  if (node.op === "add") return masked(a, b, null) ?? masked(b, a, null);
  if (node.op === "select") {
    const [yes, no] = [view.scalar(b), view.scalar(c)];
    if (no !== null && no <= HIDDEN) return masked(b, a, [0, no]);
    return yes !== null && yes <= HIDDEN ? masked(c, a, [yes, 0]) : null;
  }
  const step = stepBack(view, name, axes, true);
  const found = step && scoresOf(view, step.input, step.axes, failed);
  if (!found) return null;
  const masks = found.masks.map((m) => ({ ...m, scale: m.scale * step.scale }));
  return { ...found, scale: found.scale * step.scale, masks };
}

/** Which factor is what, once both products are known. */
function assembled(
  view: View,
  last: Node,
  axes: readonly Axis[],
  found: { weights: 0 | 1; operands: readonly [Axis[], Axis[]]; summed: Axis; scores: Scores },
): Parts | null {
  const { weights, operands, summed: keys, scores } = found;
  const [rows, columns] = axes.slice(-2) as [Axis, Axis];
  const [tokens, valueSize] = weights === 0 ? [rows, columns] : [columns, rows];
  const product = scores.product;
  const size: Axis = [{ extent: contracted(product, view), batch: false }];
  const factors = operandAxes(product, view, scores.axes, size);
  const at = scores.axes.slice(-2).findIndex((axis) => sameFactors(axis, keys));
  if (at < 0 || !sameFactors(scores.axes.at(-1 - at)!, tokens)) return null;
  const side = (i: number): Traced => trace(view, product.inputs[i]!, factors[i]!, true);
  const [key, query] = [side(at === 0 ? 0 : 1), side(at === 0 ? 1 : 0)];
  const value = trace(view, last.inputs[1 - weights]!, operands[1 - weights]!);

  const leading = leavesOf(scores.axes.slice(0, -2).flat());
  // Heads of queries that share keys may be rows of one matrix, beside the queries.
  const rowFactors = leavesOf(tokens);
  const outer = [...leading, ...rowFactors];
  const heads = [headsOf(query, size, leading), headsOf(key, size, leading), headsOf(value, valueSize, leading)].reduce<
    Factor[]
  >((most, own) => (own.length > most.length && own.every((f) => outer.includes(f)) ? own : most), []);
  const within = (traced: Traced): Factor[] => {
    const own = leavesOf(traced.axes.flat());
    return heads.filter((f) => own.includes(f));
  };
  const kvHeads = within(key);
  const sharing = kvHeads.every((f, i) => f === heads[i]) && sameFactors(kvHeads, within(value));
  if (!sharing || within(query).length !== heads.length) return null;
  const batch = leading.filter((f) => !heads.includes(f));
  const scale = scores.scale * query.scale * key.scale;
  const rest = rowFactors.filter((f) => !heads.includes(f));
  const laid = { batch, heads, kvHeads, tokens: rest, keys, size, valueSize };
  return { last, axes, query, key, value, masks: scores.masks, scale, ...laid };
}

/** The factors that lie in front of the features of a head: on the last axis, or on the axes just before it. */
function headsOf({ axes }: Traced, size: Axis, leading: readonly Factor[]): Factor[] {
  const features = leavesOf(size);
  const own = leavesOf(axes.at(-1) ?? []).filter((f) => f.taken === undefined);
  const rest = own.length - features.length;
  if (rest < 0 || !sameFactors(own.slice(rest), features)) return [];
  if (rest > 0) return own.slice(0, rest);
  const before = leavesOf(axes.slice(0, -1).flat());
  const apart = before.length - 1 - before.findLastIndex((f) => f.batch || !leading.includes(f));
  return apart > 0 ? before.slice(-apart) : [];
}

/** The nodes that stand for the last product; null where some part does not fit. */
function replaced(parts: Parts, view: View, tensors: Map<string, Tensor>, names: Set<string>): Node[] | null {
  const { last, axes, batch, heads, kvHeads, tokens, keys, size, valueSize } = parts;
  const splice = new Splice(tensors, names, last.name);
  const emit = (op: string, inputs: readonly string[], attrs: Record<string, unknown>): string => {
    return splice.one(op, inputs, attrs);
  };
  /** The batch of a tensor that may be one for all samples. */
  const batchOf = ({ axes: own }: Traced): Axis => {
    const all = leavesOf(own.flat());
    const present = batch.filter((f) => all.includes(f));
    if (present.length > 0 && present.length < batch.length) throw new IdapError("E_BATCH", "a part of the batch");
    return present;
  };
  const laid = (traced: Traced, ...rest: readonly Axis[]): string => {
    return rearranged(emit, traced.source, traced.axes, [batchOf(traced), ...rest]);
  };
  try {
    const inputs = [
      laid(parts.query, tokens, [...heads, ...leavesOf(size)]),
      laid(parts.key, keys, [...kvHeads, ...leavesOf(size)]),
      laid(parts.value, keys, [...kvHeads, ...leavesOf(valueSize)]),
    ];
    const causal = parts.masks.filter((mask) => isCausal(mask, parts, view));
    const others = parts.masks.filter((mask) => !causal.includes(mask));
    const added = others.map((mask) => {
      const traced = additive(mask, view, splice);
      const wanted = [batchOf(traced), ...[heads, tokens, keys].map((axis) => whole(axis, traced))];
      // As `attention` aligns them from the right, extents of 1 in front say nothing.
      return rearranged(emit, traced.source, traced.axes, wanted.slice(wanted.findIndex((axis) => axis.length > 0)));
    });
    if (added.length > 0) inputs.push(added.reduce((sum, mask) => splice.one("add", [sum, mask])));
    const y = splice.one("attention", inputs, {
      heads: extentOf(heads),
      kvHeads: extentOf(kvHeads),
      scale: parts.scale,
      causal: causal.length > 0,
    });
    const result = rearranged(emit, y, [batch, tokens, [...heads, ...leavesOf(valueSize)]], axes);
    const [old] = last.outputs as [string];
    if (!sameType(splice.type(result), view.type(old))) throw new IdapError("E_SHAPE", "another result");
    return splice.named(new Map([[result, old]]));
  } catch (error) {
    if (!(error instanceof IdapError)) throw error;
    splice.discard();
    return null;
  }
}

/** A mask as something that is added, as small as it was made. */
function additive({ tensor, axes, fills, scale }: Mask, view: View, splice: Splice): Traced {
  const { shape, batchAxis } = view.type(tensor);
  const skip = axes.length - shape.length;
  const own = shape.map((d, i): Axis => (d === 1 && i !== batchAxis ? [] : axes[i + skip]!));
  const traced = trace(view, tensor, own);
  const number = (v: number): string => splice.constant([], Float32Array.of(v));
  if (fills)
    return { ...traced, source: splice.one("select", [traced.source, ...fills.map((v) => number(v * scale))]) };
  return scale === 1 ? traced : { ...traced, source: splice.one("mul", [traced.source, number(scale)]) };
}

/** The factors of an axis of the scores that a mask has: all of them, or none where it repeats. */
function whole(axis: Axis, mask: Traced): Axis {
  const own = leavesOf(mask.axes.flat());
  const present = leavesOf(axis).filter((f) => own.includes(f));
  if (present.length > 0 && !sameFactors(present, axis)) throw new IdapError("E_BROADCAST", "a part of an axis");
  return present;
}

/** Whether a mask is a constant that hides, of the keys, those behind the query, and nothing else. */
function isCausal({ tensor, axes, fills, scale }: Mask, { tokens, keys }: Parts, view: View): boolean {
  const data = view.floats(tensor);
  const [t, k] = [extentOf(tokens), extentOf(keys)];
  const { shape } = view.type(tensor);
  if (fills || data?.length !== t * k || shape.at(-1) !== k || shape.at(-2) !== t || t === 1) return false;
  if (!sameFactors(axes.at(-1)!, keys) || !sameFactors(axes.at(-2)!, tokens)) return false;
  return data.every((v, i) => (i % k > Math.floor(i / k) ? v * scale <= HIDDEN : v === 0));
}
