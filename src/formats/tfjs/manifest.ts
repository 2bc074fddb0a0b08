import { z } from "zod";
import { IdapError } from "../../model/errors.js";
import { sizeOf } from "../../model/types.js";
import type { Weight } from "../keras/weights.js";
import { floatsOf, halvesToFloats, int32sOf, uint16sOf } from "../shared/bytes.js";
import { checkShape } from "../shared/check.js";

const weight = z.object({
  name: z.string().max(4096),
  shape: z.array(z.int().nonnegative()),
  dtype: z.string(),
  quantization: z
    .object({
      dtype: z.enum(["uint8", "uint16", "float16"]),
      scale: z.number().optional(),
      min: z.number().optional(),
    })
    .optional(),
});

export const weightsManifest = z.array(z.object({ paths: z.array(z.string()), weights: z.array(weight) }));
export type WeightsManifest = z.infer<typeof weightsManifest>;
type WeightEntry = z.infer<typeof weight>;

/** Bytes that one value takes in the shards. */
function width(w: WeightEntry, file: string): number {
  const stored = w.quantization?.dtype ?? w.dtype;
  const widths: Readonly<Record<string, number>> = { float32: 4, int32: 4, float16: 2, uint16: 2, uint8: 1, bool: 1 };
  const bytes = widths[stored];
  if (bytes === undefined) {
    throw new IdapError("E_DTYPE", `${file}: weight "${w.name}" has type ${stored}, which cannot be read`);
  }
  return bytes;
}

/**
 * Decodes the weights of a manifest. The files of a group lie one after another, its weights in order without padding.
 * Quantised values are scale * q + min, computed in doubles and rounded once to f32; float16 ones are exact.
 *
 * @param readShard gives the bytes of a path of the manifest
 */
export function decodeWeights(
  manifest: WeightsManifest,
  file: string,
  readShard: (path: string) => Uint8Array,
): Map<string, Weight> {
  const out = new Map<string, Weight>();
  for (const group of manifest) {
    const shards = group.paths.map(readShard);
    const have = shards.reduce((n, s) => n + s.length, 0);
    const need = group.weights.reduce((n, w) => {
      // Lists of axes may be empty.
      if (!w.shape.includes(0)) checkShape(w.shape, `${file}: weight "${w.name}"`);
      return n + width(w, file) * sizeOf(w.shape);
    }, 0);
    if (have !== need) {
      throw new IdapError(
        "E_FORMAT",
        `${file} describes ${need} bytes of weights but ${group.paths.join(", ")} hold${group.paths.length === 1 ? "s" : ""} ${have}`,
        "A shard is missing or cut off; copy model.json and all its .bin files again.",
      );
    }
    const bytes = Buffer.concat(shards);
    let at = 0;
    for (const w of group.weights) {
      const length = width(w, file) * sizeOf(w.shape);
      if (out.has(w.name)) throw new IdapError("E_FORMAT", `${file} describes weight "${w.name}" twice`);
      out.set(w.name, { shape: w.shape, ...decode(w, bytes.subarray(at, at + length)) });
      at += length;
    }
  }
  return out;
}

function decode(w: WeightEntry, bytes: Uint8Array): Omit<Weight, "shape"> {
  if (w.quantization?.dtype === "float16") return floats(halvesToFloats(uint16sOf(bytes)));
  if (w.quantization) {
    const { scale = 1, min = 0, dtype } = w.quantization;
    const q: ArrayLike<number> = dtype === "uint8" ? bytes : uint16sOf(bytes);
    if (w.dtype === "int32") return { dtype: "i32", data: Int32Array.from(q, (v) => Math.round(v * scale + min)) };
    return floats(Float32Array.from(q, (v) => v * scale + min));
  }
  if (w.dtype === "float32") return floats(floatsOf(bytes));
  if (w.dtype === "float16") return floats(halvesToFloats(uint16sOf(bytes)));
  if (w.dtype === "int32") return { dtype: "i32", data: int32sOf(bytes) };
  if (w.dtype === "bool") return { dtype: "bool", data: Uint8Array.from(bytes, (v) => (v === 0 ? 0 : 1)) };
  return { dtype: "i32", data: Int32Array.from(w.dtype === "uint16" ? uint16sOf(bytes) : bytes) };
}

function floats(data: Float32Array): Omit<Weight, "shape"> {
  return { dtype: "f32", data };
}
