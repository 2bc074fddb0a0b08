/**
 * The emitter: a graph becomes an npm package with a WebAssembly module for exactly that graph.
 *
 * lower (fuse) -> layout -> weights -> memory -> kernels -> source -> compile -> package; every arrow is a pure
 * function, and the same graph and options give the same bytes.
 */
import { brotliCompressSync, constants } from "node:zlib";
import { IdapError, invariant } from "../model/errors.js";
import { testVector } from "../model/test-vector.js";
import { sizeOf, type Graph } from "../model/types.js";
import { isStrict, type Variant } from "../kernels/tiles.js";
import { compileVariant, kernelFiles } from "./compile.js";
import { GLUE_FILES, glueFiles } from "./glue.js";
import { planKernels, type KernelPlan } from "./kernel-plan.js";
import { prepare } from "./lower.js";
import { planTensors, type MemoryPlan } from "./memory-plan.js";
import { makePassport, sha256, type Passport, type SelfTest } from "./passport.js";
import { instantiateModule, type ModuleRunner } from "./runner.js";
import { moduleSource, type EmissionPlan } from "./source.js";
import { planSteps } from "./plan-steps.js";
import type { WinogradMode } from "./winograd.js";
import { binaryOf, dataOf, dropData, sectionsOf, withCustom, withData } from "../wasm/index.js";
import { cHeader } from "./c-header.js";
import { planWeights } from "./weights-plan.js";
import { writePackage } from "./write-package.js";

export interface EmitFilesOptions {
  /** Package name; default: the graph's. */
  readonly name?: string;
  /** Default: simd and relaxed. */
  readonly variants?: readonly Variant[];
  /** Weights inside every module, none beside them, and a C header: for engines that are no browser. */
  readonly singleFile?: boolean;
  /** Winograd's method for 3x3 convolutions. Default `auto`: where it pays. */
  readonly winograd?: WinogradMode;
  /** What the passport says of the device profile that decided (name, hash). */
  readonly profile?: Readonly<Record<string, unknown>>;
  /** What the passport says of the source model (file name, hash). */
  readonly source?: Readonly<Record<string, unknown>>;
  readonly ledger?: unknown;
  /** max |emitted - host| / max |host|, if it is known already. */
  readonly maxError?: number;
  /** Called with a runner for each variant that this engine knows, before the passport is sealed; returns maxError. */
  readonly certify?: (runners: readonly ModuleRunner[]) => Promise<number>;
  /** Range of the self-test's inputs: offset - scale to offset + scale. Default: -1 to 1. */
  readonly selfTestRange?: { readonly scale: number; readonly offset: number };
  /** Files of the caller (`model.onnx`, `report.html`), by path in the package. */
  readonly extraFiles?: Readonly<Record<string, Uint8Array | string>>;
}

export interface EmitOptions extends EmitFilesOptions {
  /** The package's folder: new, empty, or a package of ours. */
  readonly out: string;
  /** Shorthand for extraFiles["report.html"]. */
  readonly report?: string;
  /** false: refuse to replace a package of ours, too. Default true. */
  readonly overwrite?: boolean;
}

export interface EmittedBytes {
  readonly code: Readonly<Partial<Record<Variant, number>>>;
  readonly glue: number;
  readonly weights: number;
  readonly brotli: {
    readonly code: Readonly<Partial<Record<Variant, number>>>;
    readonly glue: number;
    readonly weights: number;
  };
}

export interface EmitResult {
  readonly dir: string;
  readonly files: readonly string[];
  readonly bytes: EmittedBytes;
  readonly arenaBytes: number;
  readonly memoryPages: number;
  readonly passport: Passport;
  readonly kernelPlan: KernelPlan;
  readonly memoryPlan: MemoryPlan;
}

const USUAL: readonly Variant[] = ["simd", "relaxed"];
const ALL: readonly Variant[] = ["simd", "relaxed", "scalar"];

/** All decisions for a graph, without text or code. Throws E_NOT_EMITTED, E_TOO_LARGE. */
export function planEmission(
  graph: Graph,
  winograd: WinogradMode = "auto",
  variants: readonly Variant[] = USUAL,
): EmissionPlan {
  const laid = planSteps(graph, winograd);
  const weights = planWeights(laid.steps, laid.layouts);
  const memory = planTensors(laid, weights.file.length, weights.transformedBytes);
  if (memory.pages > 65536) {
    throw new IdapError(
      "E_TOO_LARGE",
      `"${graph.name}" needs ${(memory.totalBytes / 2 ** 30).toFixed(1)} GiB of memory, WebAssembly has 4 GiB`,
      "Prune it further, or use smaller inputs.",
    );
  }
  return { laid, weights, memory, kernels: planKernels(laid, weights, variants) };
}

/** The files of the package, by path. Pure: writes nothing. */
export async function emitFiles(graph: Graph, options: EmitFilesOptions = {}): Promise<Map<string, Uint8Array>> {
  return (await build(graph, options)).files;
}

/** Writes the package to `options.out`: complete, or not at all. */
export async function emit(graph: Graph, options: EmitOptions): Promise<EmitResult> {
  const extraFiles = { ...options.extraFiles, ...(options.report !== undefined && { "report.html": options.report }) };
  const { files, passport, plan } = await build(graph, { ...options, extraFiles });
  writePackage(options.out, files, options.overwrite ?? true);
  return {
    dir: options.out,
    files: [...files.keys()],
    bytes: measureBytes(files),
    arenaBytes: plan.memory.arenaBytes,
    memoryPages: plan.memory.pages,
    passport,
    kernelPlan: plan.kernels,
    memoryPlan: plan.memory,
  };
}

async function build(graph: Graph, options: EmitFilesOptions) {
  const name = options.name ?? graph.name;
  const { variants = USUAL, singleFile = false } = options;
  const plan = planEmission(graph, options.winograd, variants);
  const { inputs, outputs } = plan.laid;
  const text = (s: string): Uint8Array => new TextEncoder().encode(s);

  const files = new Map<string, Uint8Array>();
  for (const [path, content] of glueFiles(name, inputs, outputs, variants, singleFile)) {
    files.set(path, text(content));
  }
  if (singleFile) files.set("model.h", text(cHeader(name, plan, variants)));
  else files.set("weights.bin", plan.weights.file);

  const modules = new Map<Variant, Uint8Array>();
  for (const variant of variants) {
    const source = moduleSource(plan, variant, singleFile);
    files.set(`source/model.${variant}.ts`, text(source));
    for (const [path, content] of kernelFiles(source)) files.set(`source/${path}`, text(content));
    const wasm = await compileVariant(source, variant, plan.memory.pages);
    const inside = (): Uint8Array => binaryOf(withData(sectionsOf(wasm), plan.memory.weightsOffset, plan.weights.file));
    modules.set(variant, singleFile ? inside() : wasm);
  }

  const runners = [...modules]
    .map(([variant, wasm]) =>
      instantiateModule(variant, wasm, singleFile ? new Uint8Array() : plan.weights.file, inputs, outputs),
    )
    .filter((r) => r !== null);
  const passport = makePassport({
    name,
    graph,
    prepared: prepare(graph),
    plan,
    variants,
    singleFile,
    winograd: options.winograd ?? "auto",
    source: options.source ?? null,
    profile: options.profile ?? null,
    maxError: options.certify ? await options.certify(runners) : (options.maxError ?? null),
    selfTest: selfTestOf(runners, plan, options.selfTestRange ?? { scale: 1, offset: 0 }),
  });

  const section = text(JSON.stringify(passport));
  for (const [variant, wasm] of modules) {
    files.set(`model.${variant}.wasm`, binaryOf(withCustom(sectionsOf(wasm), "idap", section)));
  }
  for (const [path, content] of Object.entries(options.extraFiles ?? {})) {
    invariant(!files.has(path), `the extra file ${path} is one of the package's own`);
    files.set(path, typeof content === "string" ? text(content) : content);
  }
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const hashes = Object.fromEntries(
    sorted.filter(([path]) => path !== "report.html").map(([path, b]) => [path, sha256(b)]),
  );
  const { layers } = plan.kernels;
  const ledger = options.ledger ?? null;
  const sealed: Passport = { ...passport, ledger, plan: { layers, buffers: plan.memory.buffers }, files: hashes };
  const all = new Map([...sorted, ["passport.json", text(`${JSON.stringify(sealed, null, 2)}\n`)] as const]);
  return { files: all, passport: sealed, plan };
}

/** Expected results come from a strict variant, whose bits are the same on every engine. */
function selfTestOf(
  runners: readonly ModuleRunner[],
  plan: EmissionPlan,
  range: { scale: number; offset: number },
): SelfTest {
  const strict = runners.find((r) => isStrict(r.variant));
  if (!strict) return { ...range, sha256: null, first: null };
  const inputs = Object.fromEntries(
    plan.laid.inputs.map((p) => [p.name, testVector(p.dtype, sizeOf(p.shape), range.scale, range.offset)]),
  );
  const result = Object.values(strict.run(inputs)).map((v) => v.data);
  const bytes = Buffer.concat(result.map((d) => new Uint8Array(d.buffer, d.byteOffset, d.byteLength)));
  const first = Object.fromEntries(
    plan.laid.outputs.map((p, i) => [p.name, Array.from(result[i]!.subarray(0, 8), Number)]),
  );
  return { ...range, sha256: sha256(bytes), first };
}

/**
 * Sizes of a package's parts, raw and as brotli (quality 11) would send them. Weights inside modules count as weights, once,
 * and not as code.
 */
export function measureBytes(files: ReadonlyMap<string, Uint8Array>): EmittedBytes {
  const brotli = (bytes: Uint8Array): number =>
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
  const code: Partial<Record<Variant, number>> = {};
  const codeBrotli: Partial<Record<Variant, number>> = {};
  let weights = files.get("weights.bin");
  for (const variant of ALL) {
    const module = files.get(`model.${variant}.wasm`);
    if (!module) continue;
    const sections = sectionsOf(module);
    weights ??= dataOf(sections)!;
    const wasm = binaryOf(dropData(sections));
    code[variant] = wasm.length;
    codeBrotli[variant] = brotli(wasm);
  }
  const glue = Buffer.concat(GLUE_FILES.map((path) => files.get(path)!));
  weights ??= new Uint8Array();
  return {
    code,
    glue: glue.length,
    weights: weights.length,
    brotli: { code: codeBrotli, glue: brotli(glue), weights: brotli(weights) },
  };
}

export { EMITTED_OPS, lower } from "./lower.js";
export { checkOutput } from "./write-package.js";
export { instantiateModule, type ModuleRunner } from "./runner.js";
export { sha256, type Passport } from "./passport.js";
export { customSection, factsOf } from "../wasm/index.js";
export { moduleSource } from "./source.js";
export type { WinogradMode } from "./winograd.js";
export type { KernelPlan, PlannedLayer } from "./kernel-plan.js";
export type { MemoryPlan, PlannedBuffer } from "./memory-plan.js";
