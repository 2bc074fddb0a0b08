// Sizes of files, raw and as brotli at quality 11 sends them; brotli of large files takes minutes, so it is kept by hash.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));

/** A function from bytes to their compressed length that remembers in a file. */
export function brotliLengths(cacheFile) {
  const known = existsSync(cacheFile) ? JSON.parse(readFileSync(cacheFile, "utf8")) : {};
  return (bytes) => {
    const hash = createHash("sha256").update(bytes).digest("hex");
    if (known[hash] === undefined) {
      const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
      known[hash] = brotliCompressSync(bytes, { params }).length;
      writeFileSync(cacheFile, JSON.stringify(known));
    }
    return known[hash];
  };
}

/** Code, glue and weights of a package, raw and as brotli. */
export function packageBytes(dir, brotli) {
  const read = (file) => readFileSync(path.join(dir, file));
  const parts = {
    simd: read("model.simd.wasm"),
    relaxed: read("model.relaxed.wasm"),
    glue: Buffer.concat(["glue.js", "index.js"].map(read)),
    weights: read("weights.bin"),
  };
  const split = (length) => ({
    code: { simd: length(parts.simd), relaxed: length(parts.relaxed) },
    glue: length(parts.glue),
    weights: length(parts.weights),
  });
  return { ...split((bytes) => bytes.length), brotli: split(brotli) };
}

/** The rivals' runtimes: what their pages fetched, and the native library that Node loads. */
export function runtimeBytes(cold, brotli) {
  const sum = (files, compressed) => {
    const contents = files.map((file) => readFileSync(file));
    const total = (length) => contents.reduce((n, bytes) => n + length(bytes), 0);
    const raw = total((bytes) => bytes.length);
    return { files: files.map((f) => path.basename(f)), raw, brotli: compressed ? total(brotli) : null };
  };
  const runtimes = {};
  for (const { engine, runtime } of cold) {
    if (!runtime || engine === "ours" || runtimes[engine]) continue;
    runtimes[engine] = sum(
      [...new Set(runtime)].map((url) => path.join(here, url.replace(/^\/bench\//, ""))),
      true,
    );
  }
  const native = path.join(here, "native/node_modules/onnxruntime-node/bin/napi-v6", process.platform, process.arch);
  if (existsSync(native)) {
    const files = readdirSync(native).map((file) => path.join(native, file));
    runtimes["ort-node"] = sum(
      files.filter((file) => statSync(file).isFile()),
      false,
    );
  }
  return runtimes;
}
