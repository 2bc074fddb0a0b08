import { isConstant, typeOf } from "../graph.js";
import { GraphPatch } from "../patch.js";
import type { Attrs, Graph, Node, TensorType } from "../types.js";
import { windowExtent } from "../ops/shared/window.js";

interface ConvAttrs {
  strides: [number, number];
  dilations: [number, number];
  pads: [number, number, number, number];
  groups: number;
}

/**
 * Layers whose weights are computed when the model runs, as products of matrices: devices pack the weights of layers once,
 * when a package is made. A bias that is computed becomes an addition. Grouped and depthwise convolutions stay as they are.
 */
export function multiplyComputedWeights(graph: Graph): Graph {
  const chosen = graph.nodes.filter((node) => {
    const [, w, b] = node.inputs;
    if (node.op !== "dense" && node.op !== "conv2d" && node.op !== "depthwise_conv2d") return false;
    if (isConstant(graph, w!)) return b !== undefined && !isConstant(graph, b);
    return node.op === "dense" || (node.op === "conv2d" && node.attrs["groups"] === 1);
  });
  if (chosen.length === 0) return graph;
  const patch = new GraphPatch(graph);
  for (const node of chosen) {
    const [x, w, b] = node.inputs as [string, string, string?];
    const emit = (op: string, inputs: readonly string[], attrs: Attrs = {}): string =>
      patch.node(op, inputs, attrs, `${node.name}/${op}`)[0]!;
    let y: string;
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

/** The values under each tap of the window side by side, times the weights as a matrix of the same order. */
function convolution(graph: Graph, emit: Emit, node: Node): string {
  const [x, w] = node.inputs as [string, string];
  const { strides, dilations, pads } = node.attrs as unknown as ConvAttrs;
  const [kh, kw, ci, co] = typeOf(graph, w).shape as [number, number, number, number];
  const { shape, batchAxis } = typeOf(graph, x);
  const [h, wd] = [shape[1]!, shape[2]!];
  const extent = [
    windowExtent(h, kh, strides[0], dilations[0], pads[0] + pads[2]),
    windowExtent(wd, kw, strides[1], dilations[1], pads[1] + pads[3]),
  ];
  const padded = pads.every((p) => p === 0)
    ? x
    : emit("pad", [x], { before: [0, pads[0], pads[1], 0], after: [0, pads[2], pads[3], 0], value: 0 });
  const taps = Array.from({ length: kh * kw }, (_, t) =>
    emit("slice", [padded], {
      begin: [0, Math.floor(t / kw) * dilations[0], (t % kw) * dilations[1], 0],
      size: [batchAxis === 0 ? -1 : shape[0]!, ...extent, ci],
      steps: [1, ...strides, 1],
    }),
  );
  const columns = taps.length === 1 ? taps[0]! : emit("concat", taps, { axis: 3 });
  return emit("matmul", [columns, emit("reshape", [w], { shape: [kh * kw * ci, co] })], plain);
}
