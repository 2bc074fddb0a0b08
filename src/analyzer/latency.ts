import { planSteps } from "../emit/plan-steps.js";
import type { Variant } from "../kernels/tiles.js";
import type { DeviceProfile } from "../model/device-profile.js";
import { IdapError } from "../model/errors.js";
import type { Graph } from "../model/types.js";
import { graphCost } from "./cost.js";
import { expectedPiece } from "./pieces.js";
import { coldWork, interfaceWork, workOf, type StepWork, type Work, type WorkFamily } from "./work.js";

/** Predicted time of one node on a device; 0 for nodes that the emitter computes inside a neighbour's kernel. */
export interface NodeLatency {
  readonly node: string;
  readonly op: string;
  readonly family: WorkFamily | "fused";
  readonly ms: number;
}

export interface LatencyPrediction {
  readonly device: string;
  /** One run with its inputs copied in and its outputs copied out. */
  readonly ms: number;
  /** 90 % of networks that the calibration has not seen are expected between these. */
  readonly low: number;
  readonly high: number;
  readonly nodes: readonly NodeLatency[];
}

/** Nanoseconds of one piece of work: the device's own, else the expected cycles, each `ns.cycle`. */
export function pieceNs(name: string, profile: Pick<DeviceProfile, "ns" | "variant">): number {
  const variant = profile.variant === "relaxed" ? "relaxed" : "simd";
  return profile.ns[name] ?? (profile.ns["cycle"] ?? 0) * expectedPiece(name, variant).cycles;
}

const sum = (values: Iterable<number>): number => [...values].reduce((s, v) => s + v, 0);

/** Milliseconds of some work. */
export function workMs(work: Work, profile: Pick<DeviceProfile, "ns" | "variant">): number {
  return sum(Object.entries(work).map(([name, n]) => n * pieceNs(name, profile))) / 1e6;
}

/** The work of a network as it is emitted, step by step, with what a run in a row and its interface add. */
export function networkWork(
  graph: Graph,
  variant: Variant,
  winograd: "auto" | "off" = "auto",
): { steps: StepWork[]; cold: Work[]; ports: Work } {
  const laid = planSteps(graph, winograd);
  const steps = workOf(laid, variant);
  return { steps, cold: coldWork(steps), ports: interfaceWork(laid) };
}

/**
 * Predicted milliseconds of one inference at batch 1: every piece of the emitted code as often as it runs, at the device's
 * time for it. A network that the emitter has no kernels for is predicted by its arithmetic alone.
 */
export function predictLatency(graph: Graph, profile: DeviceProfile): LatencyPrediction {
  const variant = profile.variant === "relaxed" ? "relaxed" : "simd";
  const device = profile.name;
  let work: ReturnType<typeof networkWork>;
  try {
    work = networkWork(graph, variant, profile.winograd ?? (profile.variant === "scalar" ? "off" : "auto"));
  } catch (e) {
    if (!(e instanceof IdapError)) throw e;
    return byArithmetic(graph, profile);
  }
  const times = new Map<string, { ms: number; family: WorkFamily }>();
  work.steps.forEach((step, i) => {
    const ms = workMs(step.counts, profile) + workMs(work.cold[i]!, profile);
    // The step is told at the node that does its work: the first one that it was made of.
    const node = step.nodes.find((n) => step.family === "memory" || LAYERS.has(opOf(graph, n) ?? "")) ?? step.nodes[0];
    if (node === undefined) return;
    times.set(node, { ms: (times.get(node)?.ms ?? 0) + ms, family: step.family });
  });
  const nodes = graph.nodes.map(({ name: node, op }): NodeLatency => ({
    node,
    op,
    ...(times.get(node) ?? { family: "fused", ms: 0 }),
  }));
  const ms =
    workMs(work.ports, profile) +
    sum(work.steps.map((step, i) => workMs(step.counts, profile) + workMs(work.cold[i]!, profile)));
  return { device, ms, low: ms * profile.error.low, high: ms * profile.error.high, nodes };
}

const LAYERS = new Set(["conv2d", "depthwise_conv2d", "dense", "matmul"]);

const operators = new WeakMap<Graph, Map<string, string>>();

function opOf(graph: Graph, name: string): string | undefined {
  let known = operators.get(graph);
  if (!known) operators.set(graph, (known = new Map(graph.nodes.map((n) => [n.name, n.op]))));
  return known.get(name);
}

/** Every product at the cost of one in the commonest tile, every byte at that of a copy. */
function byArithmetic(graph: Graph, profile: DeviceProfile): LatencyPrediction {
  const perMac = pieceNs("tile.4x8", profile) / 32;
  const perByte = pieceNs("move.float", profile) / 4;
  const nodes = graphCost(graph).nodes.map(({ node, op, macs, bytes }): NodeLatency => {
    const family = LAYERS.has(op) ? "conv" : "memory";
    return { node, op, family, ms: (macs * perMac + (macs > 0 ? 0 : bytes * perByte)) / 1e6 };
  });
  const ms = sum(nodes.map((n) => n.ms));
  return { device: profile.name, ms, low: ms / 2, high: ms * 2, nodes };
}
