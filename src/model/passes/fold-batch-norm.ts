import { consumersOf, constantTensor, outputTensors, producerOf, uniqueName } from "../graph.js";
import type { Graph, Node, Tensor } from "../types.js";
import { inferTypes, verify } from "../verify.js";
import { removeDeadNodes } from "./dead-nodes.js";

/** Per channel: batch_norm(x) = scale * x + shift, in f64. */
interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/**
 * Folds every batch_norm with constant parameters into the conv2d, depthwise_conv2d or dense before it, when that node
 * has constant weights and nothing else reads its result; the result keeps the name of the batch norm's output.
 * Other batch norms become mul + add with constants. Computed in f64, each weight rounded once.
 */
export function foldBatchNorm(graph: Graph): Graph {
  const consumers = consumersOf(graph);
  const producers = producerOf(graph);
  const outputs = outputTensors(graph);
  const tensors = new Map<string, Tensor>(graph.tensors);
  const nodeNames = new Set(graph.nodes.map((n) => n.name));
  /** Node name → what stands in its place. */
  const replaced = new Map<string, Node[]>();

  const constant = (base: string, like: readonly number[], data: Float32Array, replaces: string | null): string => {
    const name = replaces ?? uniqueName(tensors, base);
    tensors.set(name, constantTensor(name, like, data));
    return name;
  };
  const usedOnce = (name: string): boolean => consumers.get(name)?.length === 1 && !outputs.has(name);

  for (const bn of graph.nodes) {
    if (bn.op !== "batch_norm") continue;
    const affine = affineOf(bn, tensors);
    if (!affine) continue;
    const [x] = bn.inputs as [string];
    const before = producers.get(x);
    const w = before && tensors.get(before.inputs[1] ?? "");
    const bias = before?.inputs[2] === undefined ? null : (tensors.get(before.inputs[2]) ?? null);
    const foldable =
      before &&
      FOLDS.has(before.op) &&
      w?.data instanceof Float32Array &&
      (bias === null || bias.data instanceof Float32Array) &&
      consumers.get(x)!.length === 1 &&
      !outputs.has(x);
    if (!foldable) {
      const middle = uniqueName(tensors, `${bn.outputs[0]!}/scaled`);
      tensors.set(middle, { name: middle, type: tensors.get(x)!.type });
      replaced.set(bn.name, asMulAdd(bn, affine, middle, constant, nodeNames));
      continue;
    }
    const channels = affine.scale.length;
    const weights = scaled(w.data, affine.scale);
    const biases = Float32Array.from(affine.shift, (s, c) => {
      return s + (bias ? (bias.data as Float32Array)[c]! * affine.scale[c]! : 0);
    });
    const wName = constant(`${before.name}/w`, w.type.shape, weights, usedOnce(w.name) ? w.name : null);
    const bName = constant(`${before.name}/b`, [channels], biases, bias && usedOnce(bias.name) ? bias.name : null);
    const folded = { ...before, inputs: [before.inputs[0]!, wName, bName], outputs: bn.outputs };
    replaced.set(before.name, [folded]);
    replaced.set(bn.name, []);
    // The next batch norm may fold into the same node.
    producers.set(bn.outputs[0]!, folded);
    tensors.delete(x);
  }
  if (replaced.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => replaced.get(node.name) ?? [node]);
  return removeDeadNodes(verify(inferTypes({ ...graph, nodes, tensors })));
}

/** Every row of channels times their scales; loops, since a pruner folds the network anew for every candidate. */
function scaled(weights: Float32Array, scale: Float64Array): Float32Array {
  const channels = scale.length;
  const result = new Float32Array(weights.length);
  for (let row = 0; row < weights.length; row += channels)
    for (let c = 0; c < channels; c++) result[row + c] = weights[row + c]! * scale[c]!;
  return result;
}

/** Operators whose output channel is the last axis of their weights; depthwise weights [.., c, m] run over c*m too. */
const FOLDS = new Set(["conv2d", "depthwise_conv2d", "dense"]);

function affineOf(bn: Node, tensors: ReadonlyMap<string, Tensor>): Affine | null {
  const parameters = bn.inputs.slice(1).map((name) => tensors.get(name)?.data);
  if (!parameters.every((p) => p instanceof Float32Array)) return null;
  const [gamma, beta, mean, variance] = parameters as [Float32Array, Float32Array, Float32Array, Float32Array];
  const epsilon = bn.attrs.epsilon as number;
  const scale = Float64Array.from(gamma, (g, c) => g / Math.sqrt(variance[c]! + epsilon));
  return { scale, shift: Float64Array.from(beta, (b, c) => b - mean[c]! * scale[c]!) };
}

function asMulAdd(
  bn: Node,
  { scale, shift }: Affine,
  middle: string,
  constant: (base: string, shape: readonly number[], data: Float32Array, replaces: null) => string,
  nodeNames: Set<string>,
): Node[] {
  const scaleName = constant(`${bn.name}/scale`, [scale.length], Float32Array.from(scale), null);
  const shiftName = constant(`${bn.name}/shift`, [shift.length], Float32Array.from(shift), null);
  const mulName = uniqueName(nodeNames, `${bn.name}/mul`);
  nodeNames.add(mulName);
  return [
    { name: mulName, op: "mul", inputs: [bn.inputs[0]!, scaleName], outputs: [middle], attrs: {} },
    { name: bn.name, op: "add", inputs: [middle, shiftName], outputs: bn.outputs, attrs: {} },
  ];
}
