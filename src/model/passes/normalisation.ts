import type { Graph, Node } from "../types.js";
import { rewrite, type NewConstant, type Replacement, type View } from "./rewrite.js";

/**
 * Recognises normalisations that files write out: layer_norm over the last axes and, over all axes between batch and
 * channels, group_norm with a group for each channel. First (x - mean) / sqrt(variance + epsilon) in its forms, then
 * the scale and the shift behind it.
 */
export function recogniseNormalisation(graph: Graph): Graph {
  const normed = rewrite(graph, new Set(["mul", "div", "add", "sub"]), (node, view) => {
    if (node.op === "mul" || node.op === "div") return centredFirst(node, view);
    return expanded(node, view);
  });
  const scaled = rewrite(normed, new Set(["mul"]), scale);
  return rewrite(scaled, new Set(["add"]), shift);
}

const NORMS = ["layer_norm", "group_norm"];

/** What is computed of a tensor x over some axes: 1 / sqrt(variance + epsilon), times gamma. */
interface Inverse {
  readonly x: string;
  /** Tensors with the mean of x, and x - mean. */
  readonly mean: string;
  readonly centred: string;
  readonly axes: readonly number[];
  readonly epsilon: number;
  readonly gamma: string | null;
}

/** (x - mean) * inverse, or (x - mean) / root. */
function centredFirst(node: Node, view: View): Replacement | null {
  const [a, b] = node.inputs as [string, string];
  if (node.op === "div") {
    const root = view.maker(row(b, view), "sqrt");
    const inverse = root && spreadOf(root.inputs[0]!, view);
    return inverse?.centred === a && isKept(b, inverse, view) ? normOf(inverse, null, view) : null;
  }
  for (const [centred, factor] of [
    [a, b],
    [b, a],
  ] as const) {
    const inverse = inverseOf(factor, view);
    if (inverse?.centred === centred) return normOf(inverse, null, view);
  }
  return null;
}

/** x * inverse + (beta - mean * inverse), as Keras and TensorFlow write it; without beta x * inverse - mean * inverse. */
function expanded(node: Node, view: View): Replacement | null {
  const [a, b] = node.inputs as [string, string];
  if (node.op === "sub") return expandedParts(a, b, b, null, view);
  for (const [first, rest] of [
    [a, b],
    [b, a],
  ] as const) {
    const negative = view.maker(row(rest, view), "neg");
    const difference = view.maker(rest, "sub");
    let found: Replacement | null = null;
    if (negative) found = expandedParts(first, rest, negative.inputs[0]!, null, view);
    else if (difference && view.constant(difference.inputs[0]!)) {
      const [beta, product] = difference.inputs as [string, string];
      found = expandedParts(first, product, product, beta, view);
    }
    if (found) return found;
  }
  return null;
}

/** `added`: what stands beside x * inverse but for beta; `product`: mean * inverse that it is made of. */
function expandedParts(
  first: string,
  added: string,
  product: string,
  beta: string | null,
  view: View,
): Replacement | null {
  const value = view.maker(first, "mul");
  const mean = view.maker(row(product, view), "mul");
  if (!value || !mean) return null;
  const [a, b] = value.inputs as [string, string];
  for (const [x, factor] of [
    [a, b],
    [b, a],
  ] as const) {
    const inverse = inverseOf(factor, view);
    if (inverse?.x !== x) continue;
    const operands = mean.inputs as [string, string];
    const at = operands.findIndex((name) => row(name, view) === inverse.mean);
    const other = operands[1 - at];
    if (other === undefined || row(other, view) !== row(factor, view)) continue;
    // Gamma makes the product one of whole samples, where the mean must lie as x has it.
    if (isKept(inverse.gamma === null ? added : operands[at]!, inverse, view)) {
      return normOf(inverse, beta, view);
    }
  }
  return null;
}

/** rsqrt(variance + epsilon), or that times a constant gamma. */
function inverseOf(name: string, view: View): Inverse | null {
  const root = view.maker(row(name, view), "rsqrt");
  if (root) {
    const inverse = spreadOf(root.inputs[0]!, view);
    return inverse && isKept(name, inverse, view) ? inverse : null;
  }
  const product = view.maker(name, "mul");
  if (!product) return null;
  const [a, b] = product.inputs as [string, string];
  const [computed, gamma] = view.constant(a) ? [b, a] : [a, b];
  const inner = view.constant(gamma) && view.maker(row(computed, view), "rsqrt");
  const inverse = inner && spreadOf(inner.inputs[0]!, view);
  return inverse && isKept(computed, inverse, view) ? { ...inverse, gamma } : null;
}

/** variance + epsilon, with the variance as the mean of (x - mean)^2. */
function spreadOf(name: string, view: View): Inverse | null {
  const sum = view.maker(row(name, view), "add");
  const [a, b] = (sum?.inputs ?? [name, ""]) as [string, string];
  const [variance, constant] = sum && view.constant(a) ? [b, a] : [a, b];
  const epsilon = sum ? view.scalar(constant) : 0;
  const average = view.maker(row(variance, view), "reduce_mean");
  const square = average && view.maker(average.inputs[0]!, "mul");
  if (!square || square.inputs[0] !== square.inputs[1] || epsilon === null || epsilon < 0) return null;
  const [centred] = square.inputs as [string];
  const difference = view.maker(centred, "sub");
  const mean = difference && view.maker(row(difference.inputs[1]!, view), "reduce_mean");
  if (!mean || mean.inputs[0] !== difference.inputs[0]) return null;
  const axes = movingAxes(mean, view);
  if (`${movingAxes(average, view)}` !== `${axes}`) return null;
  const inverse = { x: mean.inputs[0]!, mean: mean.outputs[0]!, centred, axes, epsilon, gamma: null };
  return isKept(difference.inputs[1]!, inverse, view) ? inverse : null;
}

/** A tensor without reshapes in front: values for each row of x keep their order in every shape. */
function row(name: string, view: View): string {
  let from = name;
  for (let node = view.maker(from, "reshape"); node; node = view.maker(from, "reshape")) from = node.inputs[0]!;
  return from;
}

/** Whether a tensor of values for each row stands where x has them, with extents of 1 on the normalised axes. */
function isKept(name: string, { x, axes }: Pick<Inverse, "x" | "axes">, view: View): boolean {
  const kept = view.type(x).shape.map((d, axis) => (axes.includes(axis) ? 1 : d));
  return `${view.type(name).shape}` === `${kept}`;
}

/** Axes of a reduction that hold more than one value. */
function movingAxes({ inputs, attrs }: Node, view: View): readonly number[] {
  const { shape, batchAxis } = view.type(inputs[0]!);
  const axes = [...(attrs.axes as number[])].sort((a, b) => a - b);
  return axes.filter((axis) => shape[axis] !== 1 || axis === batchAxis);
}

function normOf({ x, axes, epsilon, gamma }: Inverse, beta: string | null, view: View): Replacement | null {
  const { shape, batchAxis } = view.type(x);
  const rank = shape.length;
  const first = rank - axes.length;
  const last = axes.every((axis, i) => axis === first + i);
  const between = batchAxis === 0 && axes.length === rank - 2 && axes.every((axis, i) => axis === 1 + i);
  if (!last && !between) return null;
  const scaleShape = last ? shape.slice(first) : shape.slice(rank - 1);
  const scales = scaleInputs(gamma, beta, scaleShape, view);
  if (!scales) return null;
  return last
    ? { op: "layer_norm", inputs: [x, ...scales], attrs: { axis: first, epsilon } }
    : { op: "group_norm", inputs: [x, ...scales], attrs: { groups: shape[rank - 1]!, epsilon } };
}

/** Gamma and beta in the shape that the operator takes; gamma is 1 where only beta exists. Null when they do not fit. */
function scaleInputs(
  gamma: string | null,
  beta: string | null,
  shape: readonly number[],
  view: View,
): NewConstant[] | null {
  if (gamma === null && beta === null) return [];
  const ones = new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(1);
  const scales = [
    gamma === null ? { name: "gamma", shape, data: ones } : fitted(gamma, shape, "gamma", view),
    ...(beta === null ? [] : [fitted(beta, shape, "beta", view)]),
  ];
  return scales.every((s) => s !== null) ? scales : null;
}

/** A constant of `shape` but for leading axes of extent 1, or one number for all. */
function fitted(name: string, shape: readonly number[], role: string, view: View): NewConstant | null {
  const data = view.floats(name);
  if (!data) return null;
  const own = [...view.type(name).shape];
  while (own.length > shape.length && own[0] === 1) own.shift();
  if (`${own}` === `${shape}`) return { name: role, shape, data };
  if (data.length !== 1) return null;
  return { name: role, shape, data: new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(data[0]!) };
}

function withNorm(
  node: Node,
  view: View,
  rule: (norm: Node, constant: string, shape: readonly number[]) => NewConstant[] | null,
): Replacement | null {
  const [a, b] = node.inputs as [string, string];
  const [computed, constant] = view.constant(a) ? [b, a] : [a, b];
  const norm = view.maker(computed, ...NORMS);
  if (!norm || !view.floats(constant) || view.type(constant).shape.length === 0) return null;
  const [x] = norm.inputs as [string];
  const shape = view.type(x).shape.slice(norm.op === "layer_norm" ? (norm.attrs.axis as number) : -1);
  const scales = rule(norm, constant, shape);
  return scales && { op: norm.op, inputs: [x, ...scales], attrs: norm.attrs };
}

function scale(node: Node, view: View): Replacement | null {
  return withNorm(node, view, (norm, constant, shape) => {
    return norm.inputs.length === 1 ? scaleInputs(constant, null, shape, view) : null;
  });
}

function shift(node: Node, view: View): Replacement | null {
  return withNorm(node, view, (norm, constant, shape) => {
    return norm.inputs.length < 3 ? scaleInputs(norm.inputs[1] ?? null, constant, shape, view) : null;
  });
}
