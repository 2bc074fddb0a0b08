/** What `idap inspect` says of a model, as one document. */
import { graphCost } from "../analyzer/cost.js";
import { predictLatency } from "../analyzer/latency.js";
import { EMITTED_OPS, lower, prepare } from "../emit/lower.js";
import type { Lowered } from "../emit/steps.js";
import { hostOps } from "../host/lower/index.js";
import type { Group } from "../model/coupling.js";
import type { DeviceProfile } from "../model/device-profile.js";
import { IdapError } from "../model/errors.js";
import { isConstant, producerOf } from "../model/graph.js";
import { getOp } from "../model/ops/index.js";
import type { Graph, Port, Quantisation, Tensor, TensorType } from "../model/types.js";

/** Operators that packages have no kernel for, because emission folds them into others. */
export const FOLDED_OPS: readonly string[] = ["batch_norm"];

export type ModelDescription = ReturnType<typeof describeModel>;

export function describeModel(graph: Graph, groups: readonly Group[] | null, device: DeviceProfile) {
  const cost = graphCost(graph);
  const latency = predictLatency(graph, device);
  const nodes = graph.nodes.map((node, i) => ({
    name: node.name,
    op: node.op,
    inputs: node.inputs,
    output: typeText(typeOf(graph, node.outputs[0]!)),
    outputs: node.outputs.map((name) => typeText(typeOf(graph, name))),
    attrs: node.attrs,
    macs: cost.nodes[i]!.macs,
    params: cost.nodes[i]!.params,
    predictedMs: latency.nodes[i]!.ms,
  }));
  return {
    name: graph.name,
    inputs: graph.inputs.map((p) => describePort(graph, p)),
    outputs: graph.outputs.map((p) => describePort(graph, p)),
    macs: cost.macs,
    params: cost.params,
    weightBytes: cost.weightBytes,
    latency: { device: latency.device, predictedMs: latency.ms },
    quantisation: describeQuantisation(graph),
    operators: countOperators(nodes),
    emission: describeEmission(graph),
    nodes,
    ...(groups !== null && { groups: groups.map(describeGroup) }),
  };
}

const typeOf = (graph: Graph, name: string): TensorType => graph.tensors.get(name)!.type;

/** `f32 [n, 8, 8, 3]`: n is the batch. */
function typeText(t: TensorType): string {
  const dims = t.shape.map((d, i) => (i === t.batchAxis ? (d === 1 ? "n" : `${d}n`) : String(d)));
  return `${t.dtype} [${dims.join(", ")}]`;
}

function describePort(graph: Graph, { name, tensor }: Port) {
  const { type, quant } = graph.tensors.get(tensor)!;
  const { dtype, shape, batchAxis } = type;
  const scale = quant ?? scaleBeside(graph, tensor);
  return { name, type: typeText(type), dtype, shape, batchAxis, ...(scale && { quantisation: scale }) };
}

/** The scale by which a port's integers stand for reals: that of the conversion beside it. */
function scaleBeside(graph: Graph, tensor: string): Pick<Quantisation, "scale" | "zeroPoint" | "axis"> | null {
  const before = producerOf(graph).get(tensor);
  const node =
    before?.op === "quantize" ? before : graph.nodes.find((n) => n.op === "dequantize" && n.inputs[0] === tensor);
  if (!node) return null;
  const { scale, zeroPoint, axis } = node.attrs as unknown as Quantisation;
  return { scale, zeroPoint, axis };
}

/** How much of a model its source file holds in integers; it computes in float here. Null for a float model. */
function describeQuantisation(graph: Graph) {
  const scaled = [...graph.tensors.values()].filter(
    (t): t is Tensor & { quant: Quantisation } => t.quant !== undefined,
  );
  if (scaled.length === 0) return null;
  const weights = scaled.filter((t) => t.data !== undefined);
  return {
    dtypes: [...new Set(scaled.map((t) => t.quant.dtype))].sort(),
    weights: weights.length,
    activations: scaled.length - weights.length,
    perChannel: scaled.filter((t) => t.quant.axis !== null).length,
  };
}

interface NodeLine {
  readonly op: string;
  readonly macs: number;
  readonly params: number;
  readonly predictedMs: number;
}

/** Operators by how often they occur, with what they cost and where they run. */
function countOperators(nodes: readonly NodeLine[]) {
  const counts = new Map<string, NodeLine & { count: number }>();
  for (const { op, macs, params, predictedMs } of nodes) {
    const known = counts.get(op) ?? { op, count: 0, macs: 0, params: 0, predictedMs: 0 };
    counts.set(op, {
      op,
      count: known.count + 1,
      macs: known.macs + macs,
      params: known.params + params,
      predictedMs: known.predictedMs + predictedMs,
    });
  }
  return [...counts.values()]
    .sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1))
    .map((o) => {
      const folded = FOLDED_OPS.includes(o.op);
      return { ...o, host: hostOps.includes(o.op), device: folded || isEmitted(o.op), folded };
    });
}

const isEmitted = (op: string): boolean => EMITTED_OPS.includes(op) || getOp(op).expand !== undefined;

/** What emission makes of the graph: what it folds and fuses, or why it refuses. */
function describeEmission(graph: Graph) {
  const prepared = prepare(graph);
  const count = (g: Graph, op: string): number => g.nodes.filter((n) => n.op === op).length;
  // A batch norm that folds gives its output's name to the layer before it; others become a product and a sum.
  const sums = new Set(prepared.nodes.filter((n) => n.op === "add").flatMap((n) => n.outputs));
  const norms = graph.nodes.filter((n) => n.op === "batch_norm");
  const unfolded = norms.filter((n) => sums.has(n.outputs[0]!)).length;
  return {
    ...stepsOf(graph),
    batchNorms: { folded: norms.length - unfolded, multiplied: unfolded },
    constantNodes: graph.nodes.filter((n) => n.inputs.every((name) => isConstant(graph, name))).length,
    transposes: { model: count(graph, "transpose"), emitted: count(prepared, "transpose") },
  };
}

function stepsOf(graph: Graph) {
  let lowered: Lowered;
  try {
    lowered = lower(graph);
  } catch (error) {
    if (!(error instanceof IdapError)) throw error;
    return { supported: false, reason: error.message, hint: error.hint ?? null, steps: 0, fused: 0, aliases: 0 };
  }
  const aliases = lowered.steps.filter((step) => step.kind === "alias").length;
  const fused = new Set(lowered.steps.flatMap((step) => step.nodes.filter((name) => name !== step.nodes[0]))).size;
  return { supported: true, reason: null, hint: null, steps: lowered.steps.length - aliases, fused, aliases };
}

function describeGroup(group: Group) {
  const frozen = new Map<string, number>();
  for (const atom of group.atoms) if (atom.frozen !== null) frozen.set(atom.frozen, (frozen.get(atom.frozen) ?? 0) + 1);
  return {
    id: group.id,
    channels: group.atoms.length,
    cuttable: group.atoms.filter((a) => a.frozen === null).length,
    frozenBecause: [...frozen.keys()],
    axes: group.axes.map((a) => `${a.tensor}.${a.axis}`),
  };
}
