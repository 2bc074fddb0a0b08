import { winogradShare } from "../kernels/winograd-cost.js";
import type { DeviceProfile, FamilyTable, KernelFamily } from "../model/device-profile.js";
import { getOp } from "../model/ops/index.js";
import { BYTES_PER_ELEMENT, sizeOf, type Graph, type Node } from "../model/types.js";
import { viewOf, type GraphView } from "./view.js";

/** Predicted time of one node on a device; 0 for nodes that the emitter fuses into their neighbour. */
export interface NodeLatency {
  readonly node: string;
  readonly op: string;
  readonly family: KernelFamily | "memory" | "fused";
  readonly ms: number;
}

export interface LatencyPrediction {
  readonly device: string;
  readonly ms: number;
  readonly nodes: readonly NodeLatency[];
}

const LAYERS = new Set(["conv2d", "depthwise_conv2d", "dense", "matmul"]);
/** Activations that cost two instructions where the accumulators already are. */
const FREE_ACTIVATIONS = new Set(["relu", "relu6"]);

/** Position of `x` between ascending grid points, as an index and a fraction, on a logarithmic scale. */
function place(grid: readonly number[], x: number): [number, number] {
  if (x <= grid[0]!) return [0, 0];
  for (let i = 1; i < grid.length; i++) {
    if (x <= grid[i]!) return [i - 1, Math.log2(x / grid[i - 1]!) / Math.log2(grid[i]! / grid[i - 1]!)];
  }
  return [grid.length - 1, 0];
}

/** Throughput in 10^9 MAC/s, interpolated between the four nearest measured sizes; held constant outside the grid. */
export function throughput(table: FamilyTable, k: number, n: number): number {
  const [i, u] = place(table.k, k);
  const [j, v] = place(table.n, n);
  const at = (a: number, b: number): number =>
    table.gmacs[Math.min(a, table.k.length - 1)]![Math.min(b, table.n.length - 1)]!;
  const low = at(i, j) * (1 - v) + at(i, j + 1) * v;
  const high = at(i + 1, j) * (1 - v) + at(i + 1, j + 1) * v;
  return low * (1 - u) + high * u;
}

/** Kernel family, depth K and width N of a layer. */
export function kernelShape(graph: Graph, node: Node): { family: KernelFamily; k: number; n: number } {
  const w = graph.tensors.get(node.inputs[1]!)!.type.shape;
  const n = graph.tensors.get(node.outputs[0]!)!.type.shape.at(-1)!;
  if (node.op === "depthwise_conv2d") return { family: "depthwise", k: w[0]! * w[1]!, n };
  if (node.op === "conv2d") {
    const k = w[0]! * w[1]! * w[2]!;
    return { family: w[0] === 1 && w[1] === 1 ? "pointwise" : "conv", k, n };
  }
  // A fully connected layer on many rows (tokens) is the pointwise kernel; on one row it is bound by its weights.
  const rows = sizeOf(graph.tensors.get(node.outputs[0]!)!.type.shape) / n;
  return { family: rows > 1 ? "pointwise" : "dense", k: w.at(-2)!, n };
}

/** What is left of a convolution's time where it is emitted by Winograd's method; 1 elsewhere. */
export function winogradGain(graph: Graph, node: Node, { variant, winograd }: DeviceProfile): number {
  if (node.op !== "conv2d" || variant === "scalar" || winograd === "off") return 1;
  const [kh, kw, ci, co] = graph.tensors.get(node.inputs[1]!)!.type.shape as [number, number, number, number];
  const { strides, dilations, groups } = node.attrs as { strides: number[]; dilations: number[]; groups: number };
  const stride = strides[0];
  if (kh !== 3 || kw !== 3 || groups !== 1 || dilations.some((d) => d !== 1) || strides[1] !== stride) return 1;
  if (stride !== 1 && stride !== 2) return 1;
  const [, height, width] = graph.tensors.get(node.outputs[0]!)!.type.shape as [number, number, number, number];
  return winogradShare({ stride, height, width, ci, co }, variant);
}

/** Whether the emitter evaluates this node inside its neighbour's kernel. */
function isFused(view: GraphView, node: Node): boolean {
  const x = node.inputs[0]!;
  const before = view.producer(x);
  const ends = before !== undefined && view.soleConsumer(x) === node;
  if (node.op === "batch_norm") return ends && LAYERS.has(before.op);
  if (FREE_ACTIVATIONS.has(node.op))
    return ends && (LAYERS.has(before.op) || ["add", "batch_norm"].includes(before.op));
  if (node.op === "pad") return ["conv2d", "depthwise_conv2d"].includes(view.soleConsumer(node.outputs[0]!)?.op ?? "");
  return node.op === "reshape";
}

/** The operand of an addition that is the output of a layer nobody else reads: the addition ends that layer's kernel. */
function fusedOperand(view: GraphView, node: Node): string | undefined {
  if (node.op !== "add") return undefined;
  return node.inputs.find((t) => {
    if (view.soleConsumer(t) !== node) return false;
    const p = view.producer(t);
    if (p?.op !== "batch_norm") return p !== undefined && LAYERS.has(p.op);
    return view.soleConsumer(p.inputs[0]!) === p && LAYERS.has(view.producer(p.inputs[0]!)?.op ?? "");
  });
}

/**
 * Predicted milliseconds of one inference at batch 1: for every layer its MACs at the measured throughput of its
 * kernel family at its depth and width (width rounded up to `channelMultiple`), less what Winograd's method saves, for
 * every other node the bytes it moves, and a fixed overhead for each kernel call.
 */
export function predictLatency(graph: Graph, profile: DeviceProfile, channelMultiple = 4): LatencyPrediction {
  const view = viewOf(graph);
  const overhead = profile.overheadUs * 1e-3;
  const memory = (bytes: number): number => (bytes / profile.bytesPerSecond) * 1e3;
  const nodes = graph.nodes.map((node): NodeLatency => {
    const name = { node: node.name, op: node.op };
    if (isFused(view, node)) return { ...name, family: "fused", ms: 0 };
    const types = (names: readonly string[]) => names.map((t) => view.tensor(t).type);
    const inputs = types(node.inputs);
    const outputs = types(node.outputs);
    const cost = getOp(node.op).cost(inputs, outputs, node.attrs);
    if (LAYERS.has(node.op)) {
      const { family, k, n } = kernelShape(graph, node);
      const padded = Math.ceil(n / channelMultiple) * channelMultiple;
      const ms = ((cost.macs / n) * padded) / throughput(profile.families[family], k, padded) / 1e6;
      return { ...name, family, ms: ms * winogradGain(graph, node, profile) + overhead };
    }
    const fused = fusedOperand(view, node);
    if (fused !== undefined) {
      const other = inputs.find((_, i) => node.inputs[i] !== fused) ?? inputs[0]!;
      return { ...name, family: "fused", ms: memory(BYTES_PER_ELEMENT.f32 * sizeOf(other.shape)) };
    }
    return { ...name, family: "memory", ms: memory(cost.bytes) + overhead };
  });
  return { device: profile.name, ms: nodes.reduce((s, n) => s + n.ms, 0), nodes };
}
