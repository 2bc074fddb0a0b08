import { outputTensors, producerOf } from "../graph.js";
import type { Attrs, Graph, Node, Quantisation, Tensor } from "../types.js";
import { lean, sameType } from "./rewrite.js";

/**
 * Takes out nodes that give their operand as it is: casts to the dtype it has, transposes and reshapes that change
 * nothing, slices of everything, paddings by nothing, sums with 0, products with 1, rectifiers of what has none below 0 (a
 * residual branch that was taken out leaves one behind).
 */
export function removeIdentities(graph: Graph): Graph {
  const ports = outputTensors(graph);
  const producers = producerOf(graph);
  const same = new Map<string, string>();
  const to = (name: string): string => same.get(name) ?? name;
  const nodes: Node[] = [];
  for (const source of graph.nodes) {
    const node = source.inputs.some((name) => same.has(name)) ? { ...source, inputs: source.inputs.map(to) } : source;
    const kept = passedOn(node, graph, producers);
    const [y] = node.outputs as [string];
    // An output must be computed: it cannot be an input or a constant, nor two ports one tensor.
    const free = kept !== null && (!ports.has(y) || (producers.has(kept) && !ports.has(kept)));
    if (!free) {
      nodes.push(node);
      continue;
    }
    same.set(y, kept);
    if (ports.has(y)) ports.add(kept);
  }
  if (same.size === 0) return graph;
  const tensors = new Map<string, Tensor>(graph.tensors);
  for (const name of same.keys()) tensors.delete(name);
  const outputs = graph.outputs.map((port) => ({ ...port, tensor: to(port.tensor) }));
  return lean({ ...graph, outputs, tensors, nodes });
}

/** The operand that a node's only output is equal to, in type and in what the source says of its scale; else null. */
function passedOn(node: Node, graph: Graph, producers: ReadonlyMap<string, Node>): string | null {
  if (node.outputs.length !== 1) return null;
  const x = rectified(node, producers) ? node.inputs[0]! : equalOperand(node, graph);
  if (x === null) return null;
  const from = graph.tensors.get(x)!;
  const result = graph.tensors.get(node.outputs[0]!)!;
  const scaled = result.quant === undefined || sameQuantisation(result.quant, from.quant);
  return scaled && sameType(from.type, result.type) ? x : null;
}

/** Operators whose results are never below 0, and those that keep such values so. */
const NOT_NEGATIVE = new Set(["relu", "relu6", "sigmoid", "hard_sigmoid", "softmax", "abs"]);
const KEEPS_SIGN = new Set([
  "reshape",
  "transpose",
  "max_pool2d",
  "avg_pool2d",
  "reduce_mean",
  "reduce_sum",
  "reduce_max",
]);

/** Whether a node is a rectifier of values that it leaves as they are. */
function rectified(node: Node, producers: ReadonlyMap<string, Node>): boolean {
  if (node.op !== "relu" && node.op !== "relu6") return false;
  let from = producers.get(node.inputs[0]!);
  if (node.op === "relu6") return from?.op === "relu6";
  while (from && KEEPS_SIGN.has(from.op)) from = producers.get(from.inputs[0]!);
  return from !== undefined && NOT_NEGATIVE.has(from.op);
}

function equalOperand(node: Node, graph: Graph): string | null {
  const [a, b] = node.inputs as [string, string?];
  const all = (name: string | undefined, value: number): boolean =>
    graph.tensors.get(name ?? "")?.data?.every((v) => Number(v) === value) ?? false;
  const { attrs } = node;
  switch (node.op) {
    case "cast":
    case "reshape":
    case "broadcast_to":
      // That the types are equal is all there is to it.
      return a;
    case "transpose":
      return (attrs.perm as number[]).every((p, i) => p === i) ? a : null;
    case "slice":
      return ((attrs.steps as number[] | undefined) ?? []).every((s) => s === 1) ? a : null;
    case "pad":
      return [...(attrs.before as number[]), ...(attrs.after as number[])].every((n) => n === 0) ? a : null;
    case "tile":
      return (attrs.repeats as number[]).every((n) => n === 1) ? a : null;
    case "concat":
      return node.inputs.length === 1 ? a : null;
    case "clip":
      return attrs.min === null && attrs.max === null ? a : null;
    case "add":
      return all(b, 0) ? a : all(a, 0) ? b! : null;
    case "mul":
      return all(b, 1) ? a : all(a, 1) ? b! : null;
    case "sub":
      return all(b, 0) ? a : null;
    case "div":
    case "pow":
      return all(b, 1) ? a : null;
    case "resize":
      return keepsSize(attrs, graph.tensors.get(a)!.type.shape) ? a : null;
    case "max_pool2d":
    case "avg_pool2d":
      return [...(attrs.kernel as number[]), ...(attrs.strides as number[])].every((n) => n === 1) ? a : null;
    case "reduce_sum":
    case "reduce_mean":
    case "reduce_max":
    case "reduce_min":
    case "reduce_prod": {
      const { shape, batchAxis } = graph.tensors.get(a)!.type;
      return (attrs.axes as number[]).every((axis) => shape[axis] === 1 && axis !== batchAxis) ? a : null;
    }
    default:
      return null;
  }
}

/** In these coordinates an image resized to its own size takes every pixel where it is. */
const EXACT = new Set(["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]);

function keepsSize(attrs: Attrs, shape: readonly number[]): boolean {
  const { sizes, scales } = attrs as { sizes: number[]; scales: number[] | null };
  const same = sizes[0] === shape[1] && sizes[1] === shape[2] && (scales ?? []).every((s) => s === 1);
  return same && attrs.mode !== "cubic" && EXACT.has(attrs.coordinates as string);
}

function sameQuantisation(a: Quantisation, b: Quantisation | undefined): boolean {
  return b !== undefined && JSON.stringify(a) === JSON.stringify(b);
}
