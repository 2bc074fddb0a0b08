import { isConstant, typeOf } from "../graph.js";
import { GraphPatch } from "../patch.js";
import type { Attrs, Graph, Node, TensorType } from "../types.js";
import { windowExtent } from "../ops/shared/window.js";

interface ConvAttrs {
  strides: [number, number];
  dilations: [number, number];
  pads: [number, number, number, number];
  groups?: number;
}

/**
 * Layers whose weights are computed when the model runs, as products of matrices: devices pack the weights of layers once,
 * when a package is made. A bias that is computed becomes an addition, and a batch norm with computed statistics a product
 * and an addition for each channel.
 */
export function multiplyComputedWeights(graph: Graph): Graph {
  const chosen = graph.nodes.filter((node) => {
    const weights = node.inputs.slice(1);
    return WEIGHTED.has(node.op) && weights.some((name) => !isConstant(graph, name));
  });
  if (chosen.length === 0) return graph;
  const patch = new GraphPatch(graph);
  for (const node of chosen) {
    const [x, w, b] = node.inputs as [string, string, string?];
    const emit = (op: string, inputs: readonly string[], attrs: Attrs = {}): string =>
      patch.node(op, inputs, attrs, `${node.name}/${op}`)[0]!;
    let y: string;
    if (node.op === "batch_norm") {
      patch.redirect(node.outputs[0]!, normalised(patch, emit, node));
      patch.remove(node.name);
      continue;
    }
    if (isConstant(graph, w)) y = emit(node.op, [x, w], node.attrs);
    else if (node.op === "dense") y = product(emit, x, typeOf(graph, x), w, typeOf(graph, w).shape[1]!);
    else y = convolution(graph, emit, node);
    patch.redirect(node.outputs[0]!, b === undefined ? y : emit("add", [y, b]));
    patch.remove(node.name);
  }
  return patch.apply();
}

type Emit = (op: string, inputs: readonly string[], attrs?: Attrs) => string;

const plain = { transposeA: false, transposeB: false };

/** x [..., k] * w [k, n]; a vector is a matrix of one row. */
function product(emit: Emit, x: string, { shape }: TensorType, w: string, columns: number): string {
  if (shape.length > 1) return emit("matmul", [x, w], plain);
  const row = emit("reshape", [x], { shape: [1, shape[0]!] });
  const y = emit("matmul", [row, w], plain);
  return emit("reshape", [y], { shape: [columns] });
}

const WEIGHTED: ReadonlySet<string> = new Set(["dense", "conv2d", "depthwise_conv2d", "batch_norm"]);

/** (x - mean) * (gamma / sqrt(variance + epsilon)) + beta: 5.5 roundings, one less than `batch_norm` states at most. */
function normalised(patch: GraphPatch, emit: Emit, node: Node): string {
  const [x, gamma, beta, mean, variance] = node.inputs as [string, string, string, string, string];
  const { epsilon } = node.attrs as unknown as { epsilon: number };
  const shift = patch.constant(`${node.name}/epsilon`, [], Float32Array.of(epsilon));
  const deviation = emit("sqrt", [emit("add", [variance, shift])]);
  const scaled = emit("mul", [emit("sub", [x, mean]), emit("div", [gamma, deviation])]);
  return emit("add", [scaled, beta]);
}

/** The values under each tap of the window side by side, times the weights as a matrix of the same order. */
function convolution(graph: Graph, emit: Emit, node: Node): string {
  const [x, w] = node.inputs as [string, string];
  const { strides, dilations, pads } = node.attrs as unknown as ConvAttrs;
  const [kh, kw, perIn, last] = typeOf(graph, w).shape as [number, number, number, number];
  const { shape, batchAxis } = typeOf(graph, x);
  const [h, wd, ci] = [shape[1]!, shape[2]!, shape[3]!];
  const extent = [
    windowExtent(h, kh, strides[0], dilations[0], pads[0] + pads[2]),
    windowExtent(wd, kw, strides[1], dilations[1], pads[1] + pads[3]),
  ];
  const padded = pads.every((p) => p === 0)
    ? x
    : emit("pad", [x], { before: [0, pads[0], pads[1], 0], after: [0, pads[2], pads[3], 0], value: 0 });
  const batch = batchAxis === 0 ? -1 : shape[0]!;
  const taps = Array.from({ length: kh * kw }, (_, t) =>
    emit("slice", [padded], {
      begin: [0, Math.floor(t / kw) * dilations[0], (t % kw) * dilations[1], 0],
      size: [batch, ...extent, ci],
      steps: [1, ...strides, 1],
    }),
  );
  const groups = node.op === "conv2d" ? (node.attrs["groups"] as number) : ci;
  const outputs = node.op === "conv2d" ? last / groups : last;
  if (groups > 1 || node.op !== "conv2d") {
    return grouped(emit, taps, w, { batch, extent, groups, terms: taps.length * (ci / groups), outputs });
  }
  const columns = taps.length === 1 ? taps[0]! : emit("concat", taps, { axis: 3 });
  return emit("matmul", [columns, emit("reshape", [w], { shape: [kh * kw * perIn, last] })], plain);
}

/** A product for each group: [n, groups, pixels, terms] * [groups, terms, outputs]. */
function grouped(
  emit: Emit,
  taps: readonly string[],
  w: string,
  g: { batch: number; extent: readonly number[]; groups: number; terms: number; outputs: number },
): string {
  const { batch, groups, terms, outputs } = g;
  const [rows, columns] = g.extent as [number, number];
  const pixels = rows * columns;
  const apart = taps.map((tap) => emit("reshape", [tap], { shape: [batch, pixels, groups, terms / taps.length] }));
  const all = apart.length === 1 ? apart[0]! : emit("concat", apart, { axis: 3 });
  const left = emit("transpose", [all], { perm: [0, 2, 1, 3] });
  // In memory both [kh, kw, c / groups, outputs] and the depthwise [kh, kw, c, m] are terms x groups x outputs.
  const matrices = emit("reshape", [w], { shape: [terms, groups, outputs] });
  const right = emit("transpose", [matrices], { perm: [1, 0, 2] });
  const y = emit("transpose", [emit("matmul", [left, right], plain)], { perm: [0, 2, 1, 3] });
  return emit("reshape", [y], { shape: [batch, rows, columns, groups * outputs] });
}
