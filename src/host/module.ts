/** Finds and compiles the module with the host's kernels. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { IdapError } from "../model/errors.js";

type Variant = "simd" | "relaxed";

const here = path.dirname(fileURLToPath(import.meta.url));
const loading = new Map<Variant, Promise<WebAssembly.Module>>();

/**
 * The compiled kernels. `fast` allows relaxed SIMD, where the engine has it; else the strict module, whose results are the
 * same bits everywhere.
 */
export function loadHostModule(fast = false): Promise<WebAssembly.Module> {
  const variant: Variant = fast && hasRelaxedSimd() ? "relaxed" : "simd";
  let module = loading.get(variant);
  if (!module) {
    module = locate(variant).then((bytes) => WebAssembly.compile(new Uint8Array(bytes)));
    loading.set(variant, module);
    module.catch(() => loading.delete(variant));
  }
  return module;
}

/** In the package beside this file; from sources it is compiled on demand and kept under node_modules/.cache. */
async function locate(variant: Variant): Promise<Uint8Array> {
  const packaged = path.join(here, `host.${variant}.wasm`);
  if (existsSync(packaged)) return readFileSync(packaged);
  const root = path.resolve(here, "../..");
  const script = path.join(root, "scripts/build-host-wasm.mjs");
  if (!existsSync(script)) {
    throw new IdapError("E_INSTALL", `the host kernels ${packaged} are missing`, "Install the package again.");
  }
  const cache = path.join(root, "node_modules/.cache/idap");
  const file = path.join(cache, `host.${variant}.${sourceHash(path.join(root, "assembly"))}.wasm`);
  if (existsSync(file)) return readFileSync(file);
  const { compileHost } = (await import(pathToFileURL(script).href)) as {
    compileHost: (variant: Variant) => Promise<Uint8Array>;
  };
  const bytes = await compileHost(variant);
  mkdirSync(cache, { recursive: true });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, bytes);
  renameSync(draft, file);
  return bytes;
}

/** Of everything that the module is compiled from. */
function sourceHash(folder: string): string {
  const hash = createHash("sha256");
  const files = [
    "host.ts",
    ...["kernels", "gradients"].flatMap((sub) =>
      readdirSync(path.join(folder, sub))
        .sort()
        .map((f) => `${sub}/${f}`),
    ),
  ];
  for (const file of files) hash.update(file).update(readFileSync(path.join(folder, file)));
  return hash.digest("hex").slice(0, 16);
}

/** A function that uses f32x4.relaxed_madd: (func (result v128) zero zero zero relaxed_madd). */
function hasRelaxedSimd(): boolean {
  const zero = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];
  const body = [0, ...zero, ...zero, ...zero, 0xfd, 0x85, 0x02, 0x0b];
  const code = [1, body.length, ...body];
  return WebAssembly.validate(
    new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 10, code.length, ...code]),
  );
}
