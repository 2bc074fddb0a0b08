import { z } from "zod";
import { defineOp } from "../define-op.js";
import type { Dtype } from "../types.js";
import { moved } from "./shared/checks.js";
import { coupleAll } from "./shared/unary.js";

const attrs = z.strictObject({ to: z.enum(["f32", "i32", "i8", "u8", "bool", "i64"]) });
export type CastAttrs = z.infer<typeof attrs>;

/** Bits and sign of integers; an i64 is computed in 32 bits. */
const WIDTH: Readonly<Record<"i8" | "u8" | "i32" | "i64", readonly [number, number]>> = {
  i8: [-128, 127],
  u8: [0, 255],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  i64: [-(2 ** 31), 2 ** 31 - 1],
};

/** One value; both dtypes are known. */
function convert(x: number, from: Dtype, to: Dtype): number {
  if (to === from || to === "f32") return x;
  if (to === "bool") return x !== 0 ? 1 : 0;
  const [low, high] = WIDTH[to];
  if (from === "f32") return Number.isNaN(x) ? 0 : Math.trunc(Math.min(Math.max(x, low), high));
  if (to === "i64") return x;
  const size = high - low + 1;
  return ((((x - low) % size) + size) % size) + low;
}

/**
 * The same values in another dtype. Floats become integers toward zero, and the nearest integer there is when they lie
 * outside (NaN: 0); integers wrap around in narrower ones; `bool` is whether x differs from 0. ONNX `Cast`, TFLite `CAST`.
 */
export const cast = defineOp<CastAttrs>({
  name: "cast",
  summary: "the same values in another dtype",
  inputs: ["x"],
  outputs: ["y"],
  attrs,
  infer: ([x], { to }) => [{ ...x!, dtype: to }],
  couple: coupleAll,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: ([x], { to }) => [{ data: x!.data.map((v) => convert(v, x!.dtype ?? "f32", to)), shape: x!.shape }],
  vjp(g) {
    const same = g.inputTypes[0]!.dtype === "f32" && g.attrs.to === "f32";
    return [same ? g.gradOutputs[0]! : null];
  },
  // An integer beyond 24 bits is rounded to f32.
  tolerance: ([x], { to }) =>
    x!.dtype !== "f32" && to === "f32" ? { kind: "roundings", count: 1 } : { kind: "exact" },
});
