import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

export interface FileSize {
  readonly file: string;
  readonly bytes: number;
  /** After Brotli at quality 11, the way a web server would store it. */
  readonly brotli: number;
}

/** Sizes of the files that a device loads: modules, weights, glue. Sorted by name. */
export function brotliSizes(dir: string): FileSize[] {
  return readdirSync(dir)
    .filter((f) => /^model\.\w+\.wasm$|^weights\.bin$|^(index|worker)\.js$/.test(f))
    .sort()
    .map((file) => {
      const data = readFileSync(path.join(dir, file));
      return { file, bytes: data.length, brotli: brotliBytes(data) };
    });
}

/** Length of `data` after Brotli at its highest quality and with the window that fits the data. */
export function brotliBytes(data: Uint8Array): number {
  return brotliCompressSync(data, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: data.length,
    },
  }).length;
}
