/**
 * LSTM layers as TFLite's kernel for 8-bit values and 16-bit cells computes them, step by step, on reals with every
 * rounding written down. The kernel holds gates in steps of 2^-12 and what their functions give in steps of 2^-15, as
 * 16-bit integers; the functions are tables. Cells and hidden values have the scales of the file.
 */
import { typeOf } from "../graph.js";
import { GraphPatch } from "../patch.js";
import type { Graph, Node, Quantisation } from "../types.js";
import { removeDeadNodes } from "./dead-nodes.js";
import { hyperbolicTangent, logistic, tableOf } from "./fixed-point-functions.js";

const GATE = 2 ** -12;
/** Integer bits of gates. */
const GATE_BITS = 3;
/** Where 0 stands in a table of all 16-bit integers. */
const MIDDLE = 2 ** 15;
/** Longer sequences would become graphs of tens of thousands of nodes. */
const MOST_STEPS = 256;

/** The graph with each LSTM layer whose states have scales as nodes; the same graph where there is none. */
export function unrollIntegerLstms(graph: Graph): Graph {
  const patch = new GraphPatch(graph);
  const layers = graph.nodes.filter((node) => node.op === "lstm").flatMap((node) => integerLayer(graph, node) ?? []);
  for (const layer of layers) unroll(graph, patch, layer);
  return layers.length > 0 ? removeDeadNodes(patch.apply()) : graph;
}

interface Layer {
  readonly node: Node;
  readonly hidden: Quantisation;
  readonly cell: Quantisation;
  readonly w: Float32Array;
  readonly r: Float32Array;
  readonly b: Float32Array | null;
}

/** What is needed of a layer of the form that the kernel has: one direction, no peepholes, fixed weights. */
function integerLayer(graph: Graph, node: Node): Layer | null {
  const [hidden, cell] = node.outputs.slice(1).map((name) => graph.tensors.get(name)!.quant);
  const [w, r, b] = node.inputs.slice(1, 4).map((name) => graph.tensors.get(name)!.data);
  const { direction, activations, clip } = node.attrs as { direction: string; activations: string[]; clip: unknown };
  const plain = direction === "forward" && clip === null && activations.join() === "sigmoid,tanh,tanh";
  const steps = typeOf(graph, node.inputs[0]!).shape[0]!;
  if (
    !plain ||
    !hidden ||
    !cell ||
    !Number.isInteger(Math.log2(cell.scale[0]!)) ||
    node.inputs.length > 6 ||
    steps > MOST_STEPS
  )
    return null;
  if (!(w instanceof Float32Array) || !(r instanceof Float32Array)) return null;
  if (node.inputs.length > 3 && !(b instanceof Float32Array)) return null;
  return { node, hidden, cell, w, r, b: (b as Float32Array | undefined) ?? null };
}

/** Nodes of one layer; all values are [1, batch, n]. */
function unroll(graph: Graph, patch: GraphPatch, { node, hidden, cell, w, r, b }: Layer): void {
  const [x, , , , h0, c0] = node.inputs as [string, string, string, string?, string?, string?];
  const { shape, batchAxis } = typeOf(graph, x);
  const [steps, batch, features] = shape as [number, number, number];
  const units = typeOf(graph, node.inputs[2]!).shape[2]!;
  const emit = (op: string, inputs: string[], attrs = {}): string =>
    patch.node(op, inputs, attrs, `${node.name}/${op}`)[0]!;

  /** Rounded to 16-bit integers of a scale. */
  const words = (value: string, scale: number): string => bounded(rounded(value, scale), scale);
  const rounded = (value: string, scale: number): string =>
    emit("fake_quantize", [value], { dtype: "i32", scale: [scale], zeroPoint: [0], axis: null });
  const bounded = (value: string, scale: number, most = Infinity): string =>
    emit("clip", [value], { min: Math.max(-32768 * scale, -most), max: Math.min(32767 * scale, most) });
  const section = (value: string, k: number): string =>
    emit("slice", [value], {
      begin: [0, 0, k * units],
      size: [1, batchAxis === null ? batch : -1, units],
    });
  const tableFor = (name: string, f: (a: number) => number): string =>
    patch.constant(`${node.name}/${name}`, [2 * MIDDLE], tableOf(f));
  const middle = patch.constant(`${node.name}/middle`, [], Float32Array.of(MIDDLE));
  /** The entry of a table for 16-bit integers of a scale. */
  const looked = (table: string, value: string, scale: number): string => {
    const inverse = patch.constant(`${node.name}/inverse`, [], Float32Array.of(1 / scale));
    const index = emit("cast", [emit("add", [emit("mul", [value, inverse]), middle])], { to: "i32" });
    return emit("gather", [table, index], { axis: 0 });
  };

  const cellScale = cell.scale[0]!;
  const sigmoids = tableFor("logistic", logistic);
  const tangents = tableFor("tanh", (a) => hyperbolicTangent(a, GATE_BITS));
  const cellTangents = tableFor("cell tanh", (a) => hyperbolicTangent(a, 15 + Math.log2(cellScale)));
  const inputWeights = patch.constant(`${node.name}/w`, [features, 4 * units], transposed(w, features));
  const recurrentWeights = patch.constant(`${node.name}/r`, [units, 4 * units], transposed(r, units));
  const bias = patch.constant(`${node.name}/b`, [4 * units], summed(b, 4 * units));
  const mostCell = (node.attrs.cellClip as number | null | undefined) ?? Infinity;

  let [h, c] = [h0 ?? null, c0 ?? null];
  const outputs: string[] = [];
  for (let t = 0; t < steps; t++) {
    const moment = emit("slice", [x], { begin: [t, 0, 0], size: [1, batchAxis === null ? batch : -1, features] });
    let gates = words(emit("dense", [moment, inputWeights, bias]), GATE);
    if (h !== null) {
      const recurrent = rounded(emit("dense", [h, recurrentWeights]), GATE);
      gates = bounded(emit("add", [gates, recurrent]), GATE);
    }
    const [i, o, f] = [0, 1, 2].map((k) => looked(sigmoids, section(gates, k), GATE)) as [string, string, string];
    const g = looked(tangents, section(gates, 3), GATE);
    let next = rounded(emit("mul", [i, g]), cellScale);
    if (c !== null) next = emit("add", [next, rounded(emit("mul", [f, c]), cellScale)]);
    c = bounded(next, cellScale, mostCell);
    const { dtype, scale, zeroPoint } = hidden;
    const real = emit("mul", [o, looked(cellTangents, c, cellScale)]);
    h = emit("fake_quantize", [real], { dtype, scale, zeroPoint, axis: null });
    outputs.push(h);
  }
  const all = outputs.length === 1 ? outputs[0]! : emit("concat", outputs, { axis: 0 });
  const y = emit("reshape", [all], { shape: [steps, 1, batchAxis === null ? batch : -1, units] });
  [y, h!, c!].forEach((value, k) => patch.redirect(node.outputs[k]!, value));
  patch.remove(node.name);
}

/** [rows, columns] as [columns, rows]. */
function transposed(data: Float32Array, columns: number): Float32Array {
  const rows = data.length / columns;
  return data.map((_, p) => data[(p % rows) * columns + Math.floor(p / rows)]!);
}

/** The biases of both products in one. */
function summed(b: Float32Array | null, size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => (b ? b[i]! + b[size + i]! : 0));
}
