import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { IdapError } from "../model/errors.js";
import { testVector } from "../model/test-vector.js";
import { fromWords, type Words } from "../model/words.js";
import { ABI_FUNCTIONS, loadWeights, runOnce, type Abi } from "./abi.js";
import { isStrict, type Variant } from "./engine.js";
import { readPassport, type PassportFacts } from "./passport.js";
import { readWasmFacts } from "./wasm-file.js";

export interface VerifiedVariant {
  readonly variant: Variant;
  /** False: this engine does not know the variant's instructions; its file was checked, it was not run. */
  readonly ran: boolean;
  /** max|a-b| / max|b| between this variant (a) and a strict one (b) on the stored test vector; null when not run. */
  readonly error: number | null;
  /**
   * What the passport allows for that, from its own error bound; 0 for strict variants, whose bits are fixed, null
   * where the passport states none.
   */
  readonly bound: number | null;
}

export interface VerifyResult {
  readonly name: string;
  readonly dir: string;
  /** Files whose hashes were compared. */
  readonly files: number;
  readonly memoryBytes: number;
  readonly variants: readonly VerifiedVariant[];
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * Checks a package against its passport: every file's hash, each module's memory, imports, exports and own copy of the
 * passport; then runs each module that this engine validates on the stored test vector. Throws E_VERIFY with all that
 * is wrong, each with the name of its file.
 */
export async function verifyPackage(dir: string): Promise<VerifyResult> {
  const { facts, section } = readPassport(dir);
  const problems = new Problems(dir);
  checkFiles(dir, facts, problems);
  problems.throwIfAny(); // Code that does not have the hash it should have is not run.
  const weights = facts.weights.inside ? null : readFileSync(path.join(dir, "weights.bin"));
  if (weights) checkWeights("weights.bin", weights, facts, problems);
  const modules = facts.variants.map((variant) => {
    const file = `model.${variant}.wasm`;
    const code = readFileSync(path.join(dir, file));
    checkModule(file, code, facts, section, problems);
    return { variant, file, code };
  });
  problems.throwIfAny();

  const inputs = facts.inputs.map((p) => testVector(p.dtype, p.bytes / 4, facts.selfTest.scale, facts.selfTest.offset));
  // Strict variants first: they are what the others are compared with.
  modules.sort((a, b) => Number(isStrict(b.variant)) - Number(isStrict(a.variant)));
  const variants: VerifiedVariant[] = [];
  let strict: { outputs: Words[]; scale: number | null } | null = null;
  for (const { variant, file, code } of modules) {
    if (!WebAssembly.validate(code)) {
      variants.push({ variant, ran: false, error: null, bound: null });
      continue;
    }
    const abi = await instantiate(file, code, facts, problems);
    if (!abi) continue;
    const own = weights ?? new Uint8Array(abi.memory.buffer, abi.weights_ptr(), facts.weights.bytes).slice();
    if (!weights && !checkWeights(file, own, facts, problems)) continue;
    loadWeights(abi, weights);
    if (!abi.selftest()) {
      problems.add(file, "fails its self-test on this engine");
      continue;
    }
    const outputs = runOnce(abi, facts, inputs);
    if (isStrict(variant)) {
      checkStrict(file, outputs, facts, problems);
      strict ??= { outputs, scale: facts.error.bound === null ? null : absoluteScale(abi, facts, own, inputs) };
      variants.push({ variant, ran: true, error: 0, bound: 0 });
    } else if (strict) {
      const size = largest(strict.outputs);
      const error = largestDifference(outputs, strict.outputs) / (size || 1);
      // Each of the two is within bound * S of the exact result; relative to the largest output, as errors are stated.
      const { scale } = strict;
      const bound = scale === null ? null : (2 * facts.error.bound! * scale) / (size || 1);
      if (bound !== null && !(error <= bound)) {
        problems.add(
          file,
          `its outputs differ from the strict variant's by ${error.toExponential(1)}, ${bound.toExponential(1)} is allowed`,
        );
      }
      variants.push({ variant, ran: true, error, bound });
    } else {
      variants.push({ variant, ran: true, error: null, bound: null });
    }
  }
  problems.throwIfAny();
  return {
    name: facts.name,
    dir,
    files: Object.keys(facts.files).length,
    memoryBytes: facts.memory.pages * 65536,
    variants,
  };
}

/** Collects what is wrong, so that one call tells everything. */
class Problems {
  private readonly list: string[] = [];

  constructor(private readonly dir: string) {}

  add(file: string, what: string): void {
    this.list.push(`${file}: ${what}`);
  }

  throwIfAny(): void {
    if (this.list.length === 0) return;
    const message = `${this.dir} does not hold what its passport says: ${this.list.join("; ")}`;
    throw new IdapError("E_VERIFY", message, "The package was changed after it was built, or damaged: build it again.");
  }
}

function checkFiles(dir: string, facts: PassportFacts, problems: Problems): void {
  const weights = facts.weights.inside ? [] : ["weights.bin"];
  const needed = new Set([...weights, "package.json", "index.js", ...facts.variants.map((v) => `model.${v}.wasm`)]);
  for (const [file, hash] of Object.entries(facts.files)) {
    needed.delete(file);
    const full = path.join(dir, file);
    if (path.relative(dir, full).startsWith("..")) problems.add(file, "the passport lists a file outside the package");
    else if (!existsSync(full)) problems.add(file, "missing");
    else if (sha256(readFileSync(full)) !== hash)
      problems.add(file, "its contents do not have the hash in the passport");
  }
  for (const file of needed) problems.add(file, "the passport states no hash for it");
}

function checkWeights(file: string, weights: Uint8Array, facts: PassportFacts, problems: Problems): boolean {
  const same = weights.length === facts.weights.bytes && sha256(weights) === facts.weights.sha256;
  if (!same) problems.add(file, "not the weights that the passport names");
  return same;
}

function checkModule(file: string, code: Uint8Array, facts: PassportFacts, section: string, problems: Problems): void {
  const wasm = readWasmFacts(code, file);
  const { pages } = facts.memory;
  if (wasm.imports > 0) problems.add(file, `needs ${wasm.imports} import(s), a package has none`);
  if (wasm.memory?.initial !== pages || wasm.memory.maximum !== pages) {
    const got = wasm.memory ? `${wasm.memory.initial} to ${wasm.memory.maximum ?? "unlimited"}` : "no";
    problems.add(file, `has ${got} pages of memory, the plan says exactly ${pages}`);
  }
  const own = wasm.custom.get("idap");
  if (!own) problems.add(file, "has no custom section with the passport");
  else if (new TextDecoder().decode(own) !== section)
    problems.add(file, "its own copy of the passport differs from passport.json");
}

async function instantiate(
  file: string,
  code: Uint8Array,
  facts: PassportFacts,
  problems: Problems,
): Promise<Abi | null> {
  const instance = await WebAssembly.instantiate(await WebAssembly.compile(code as BufferSource), {});
  const missing = [...ABI_FUNCTIONS.filter((f) => typeof instance.exports[f] !== "function")];
  if (missing.length > 0 || !(instance.exports.memory instanceof WebAssembly.Memory)) {
    problems.add(file, `does not export ${missing.join(", ") || "memory"}`);
    return null;
  }
  const abi = instance.exports as unknown as Abi;
  const ports = [
    ["input", facts.inputs, abi.input_count(), (i: number) => abi.input_bytes(i)],
    ["output", facts.outputs, abi.output_count(), (i: number) => abi.output_bytes(i)],
  ] as const;
  for (const [kind, stated, count, bytes] of ports) {
    const fits = stated.length === count && stated.every((p, i) => p.bytes === bytes(i));
    if (!fits) problems.add(file, `its ${kind}s are not those of the passport`);
  }
  if (abi.weights_bytes() !== (facts.weights.inside ? 0 : facts.weights.bytes)) {
    problems.add(file, "expects other weights than the passport names");
  }
  return abi;
}

/** The strict variant must give the stored bits. */
function checkStrict(file: string, outputs: readonly Words[], facts: PassportFacts, problems: Problems): void {
  const { sha256: expected, first } = facts.selfTest;
  if (expected === null) return;
  const hash = createHash("sha256");
  outputs.forEach((words, i) => {
    const { buffer, byteOffset, byteLength } = fromWords(words, facts.outputs[i]!.dtype);
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  });
  if (hash.digest("hex") === expected) return;
  const where = facts.outputs
    .map((p, i) => {
      const k = first?.[p.name]?.findIndex((v, j) => v !== outputs[i]![j]) ?? -1;
      return k < 0 ? null : `; ${p.name}[${k}] is ${outputs[i]![k]}, stored is ${first![p.name]![k]}`;
    })
    .find((s) => s !== null);
  problems.add(file, `gives other outputs on the stored test vector than the build did${where ?? ""}`);
}

/**
 * The largest output of the network with absolute weights and inputs: what the passport's error bound is relative to.
 * Found with the module itself, since every value in the weights file is a plain f32 coefficient but for constants of transforms at its end.
 * Winograd's method mixes pixels, so that the largest input stands for all where a layer takes it.
 */
function absoluteScale(abi: Abi, facts: PassportFacts, weights: Uint8Array, inputs: readonly Words[]): number {
  const file = new Uint8Array(weights);
  const coefficients = new Float32Array(file.buffer, 0, Math.max(0, file.length - (facts.weights.constants ?? 0)) >> 2);
  coefficients.forEach((v, i) => (coefficients[i] = Math.abs(v)));
  loadWeights(abi, file);
  const absolute = inputs.map((x) => (facts.error.largestInputs ? x.slice().fill(largest([x])) : x.map(Math.abs)));
  const scale = largest(runOnce(abi, facts, absolute));
  loadWeights(abi, weights);
  return scale;
}

function largest(outputs: readonly Words[]): number {
  let most = 0;
  for (const o of outputs) for (const v of o) most = Math.max(most, Math.abs(v));
  return most;
}

function largestDifference(a: readonly Words[], b: readonly Words[]): number {
  let most = 0;
  a.forEach((o, i) =>
    o.forEach((v, k) => {
      const d = Math.abs(v - b[i]![k]!);
      most = Number.isNaN(d) ? Infinity : Math.max(most, d);
    }),
  );
  return most;
}
