/** What a package says about itself: shapes, plans, hashes, error bound, a self-test with its expected result. */
import { createHash } from "node:crypto";
import type { Variant } from "../kernels/tiles.js";
import { getOp } from "../model/ops/index.js";
import { sizeOf, type Dtype, type Graph, type Shape } from "../model/types.js";
import { winogradRoundings } from "../kernels/winograd.js";
import type { EmissionPlan } from "./source.js";
import { isWinograd } from "./source-winograd.js";
import type { WinogradMode } from "./winograd.js";
import type { LoweredPort } from "./steps.js";
import type { KernelPlan } from "./kernel-plan.js";
import type { PlannedBuffer } from "./memory-plan.js";

/**
 * First-order forward bound: every output is a sum over paths of products, and no path meets more than `roundings`
 * roundings, so |emitted - exact| <= roundings * 2^-24 * S. S is the same output of the network made of absolute values
 * (inputs, weights, biases); activations have slope at most 1.
 *
 * A layer by Winograd's method mixes the pixels of a tile, so that its error follows the largest of them
 * (src/kernels/winograd.ts): its roundings count as often as they may be amplified, and where there is such a layer S is
 * the largest output of the network of absolute values whose inputs all are as large as the largest. This is about the
 * largest values of images, which are those of whole windows: at an edge, padding takes taps from S and not from the error.
 */
export interface ErrorBound {
  readonly roundings: number;
  readonly unit: number;
  /** Null where there is none: integers and comparisons jump, however small an error is. */
  readonly bound: number | null;
  readonly relativeTo: string;
  /** True where S is of inputs that all are as large as the largest. */
  readonly largestInputs?: boolean;
  /** max |emitted - host| / max |host|, measured by the build; null when nobody measured. */
  readonly maxError: number | null;
}

export interface SelfTest {
  /** Range of the inputs; see `testVector`. */
  readonly scale: number;
  readonly offset: number;
  /** Of the strict variants: sha256 of the outputs' bytes in order, and their first values. */
  readonly sha256: string | null;
  readonly first: Readonly<Record<string, readonly number[]>> | null;
}

export interface Passport {
  readonly idap: 1;
  readonly name: string;
  readonly abi: 1;
  readonly graphSha256: string;
  readonly source: Readonly<Record<string, unknown>> | null;
  readonly profile: Readonly<Record<string, unknown>> | null;
  readonly inputs: readonly PassportPort[];
  readonly outputs: readonly PassportPort[];
  readonly variants: readonly Variant[];
  readonly macs: number;
  readonly weights: {
    readonly bytes: number;
    /** True where every module has them inside; there is no file of them then. Absent where there is one. */
    readonly inside?: true;
    /** Bytes at the end of the file that are no weights: coefficients of transforms. Absent where there are none. */
    readonly constants?: number;
    readonly sha256: string;
  };
  readonly memory: {
    readonly pages: number;
    readonly weightsOffset: number;
    /** Weights that the module makes of the file's when it is loaded; absent where it makes none. */
    readonly transformedBytes?: number;
    readonly arenaOffset: number;
    readonly arenaBytes: number;
  };
  /** Winograd's method for 3x3 convolutions: what was wanted, and how many layers take it. */
  readonly winograd: { readonly mode: WinogradMode; readonly layers: number };
  readonly error: ErrorBound;
  readonly selfTest: SelfTest;
  /** What pruning tried; only in passport.json, as is the plan, since every page that loads a module would pay for it. */
  readonly ledger?: unknown;
  /** Layers and buffers one by one. */
  readonly plan?: { readonly layers: KernelPlan["layers"]; readonly buffers: readonly PlannedBuffer[] };
  /** sha256 of every other file but measurements.json and report.html; only in passport.json. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface PassportPort {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** In the module's memory: 4 for each element. */
  readonly bytes: number;
}

export const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

/** A hash of everything that decides the numbers: structure, attributes, constants. */
export function graphHash(graph: Graph): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([graph.inputs, graph.outputs, graph.nodes]));
  for (const [name, { type, data }] of [...graph.tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(JSON.stringify([name, type]));
    if (data) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

/**
 * The most roundings on any path from an input to an output.
 * @param others roundings of nodes that are computed in another way than their operator says
 */
export function roundingsOf(graph: Graph, others: ReadonlyMap<string, number> = new Map()): number {
  const count = new Map<string, number>();
  for (const node of graph.nodes) {
    const types = node.inputs.map((name) => graph.tensors.get(name)!.type);
    const own = getOp(node.op).tolerance(types, node.attrs);
    const before = Math.max(0, ...node.inputs.map((name) => count.get(name) ?? 0));
    const after = before + (others.get(node.name) ?? (own.kind === "exact" ? 0 : own.count));
    for (const name of node.outputs) count.set(name, after);
  }
  return Math.max(0, ...graph.outputs.map((p) => count.get(p.tensor) ?? 0));
}

/** Operators on f32 that jump. */
const JUMPS = new Set(["floor", "ceil", "round", "sign", "floor_div", "floor_mod", "mod_trunc", "fake_quantize"]);

/** Whether small errors of the inputs stay small: no integers between them and the outputs, no operator that jumps. */
function isContinuous(graph: Graph): boolean {
  if (graph.nodes.some((node) => JUMPS.has(node.op))) return false;
  return [...graph.tensors.values()].every(({ type }) => type.dtype === "f32");
}

const ports = (list: readonly LoweredPort[]): PassportPort[] =>
  list.map(({ name, shape, dtype }) => ({ name, shape, dtype, bytes: 4 * sizeOf(shape) }));

export interface PassportFacts {
  readonly name: string;
  readonly graph: Graph;
  readonly prepared: Graph;
  readonly plan: EmissionPlan;
  readonly variants: readonly Variant[];
  readonly singleFile: boolean;
  readonly winograd: WinogradMode;
  readonly source: Readonly<Record<string, unknown>> | null;
  readonly profile: Readonly<Record<string, unknown>> | null;
  readonly maxError: number | null;
  readonly selfTest: SelfTest;
}

/** Roundings of the nodes that some build computes by Winograd's method. */
function winogradNodes({ plan, variants }: PassportFacts): Map<string, number> {
  return new Map(
    plan.laid.steps.flatMap((step) =>
      step.kind === "conv" && variants.some((v) => isWinograd(step, v))
        ? [[step.name, winogradRoundings(step.winograd!.scheme, step.ci)] as const]
        : [],
    ),
  );
}

export function makePassport(f: PassportFacts): Passport {
  const { memory, kernels, weights, laid } = f.plan;
  const winograd = winogradNodes(f);
  const roundings = roundingsOf(f.prepared, winograd);
  const constants = [...weights.schemes.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    idap: 1,
    name: f.name,
    abi: 1,
    graphSha256: graphHash(f.graph),
    source: f.source,
    profile: f.profile,
    inputs: ports(laid.inputs),
    outputs: ports(laid.outputs),
    variants: f.variants,
    macs: kernels.macs,
    weights: {
      bytes: weights.file.length,
      ...(f.singleFile && { inside: true as const }),
      ...(constants > 0 && { constants }),
      sha256: sha256(weights.file),
    },
    memory: {
      pages: memory.pages,
      weightsOffset: memory.weightsOffset,
      ...(memory.transformedBytes > 0 && { transformedBytes: memory.transformedBytes }),
      arenaOffset: memory.arenaOffset,
      arenaBytes: memory.arenaBytes,
    },
    winograd: { mode: f.winograd, layers: winograd.size },
    error: {
      roundings,
      unit: 2 ** -24,
      bound: isContinuous(f.prepared) ? roundings * 2 ** -24 : null,
      relativeTo:
        winograd.size > 0
          ? "the largest output of the same network with weights and biases replaced by their absolute values, and every input by the largest absolute value in it"
          : "this network's output on absolute values of inputs, weights and biases",
      ...(winograd.size > 0 && { largestInputs: true }),
      maxError: f.maxError,
    },
    selfTest: f.selfTest,
  };
}
