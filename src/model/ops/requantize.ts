import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { moved, needDtype, showType } from "./shared/checks.js";
import { coupleAll } from "./shared/unary.js";

const int32 = z
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1);

const attrs = z.strictObject({
  /** In units of 2^-31, one for all or one for each index of the last axis. */
  multiplier: z.array(int32.nonnegative()).min(1),
  /** As many: to the left before the product where positive, to the right after it where negative. */
  shift: z.array(z.int().min(-31).max(30)).min(1),
  /** Bits to the left before anything else. */
  headroom: z.int().min(0).max(30).default(0),
  /**
   * Whether the product is rounded to an integer (halves up) before it is shifted to the right and rounded again (halves
   * away from zero), or only once, at the end (halves up).
   */
  rounding: z.enum(["twice", "once"]).default("twice"),
  low: int32,
  high: int32,
  to: z.enum(["f32", "i32"]),
});
export type RequantizeAttrs = z.infer<typeof attrs>;

function infer([x]: readonly TensorType[], a: RequantizeAttrs): TensorType[] {
  needDtype("requantize", [x!], ["f32", "i32"]);
  const count = a.multiplier.length;
  if (a.shift.length !== count || (count !== 1 && count !== x!.shape.at(-1))) {
    throw new IdapError("E_QUANT", `requantize: ${showType(x)} has ${count} multipliers and ${a.shift.length} shifts`);
  }
  return [{ ...x!, dtype: a.to }];
}

/** x * multiplier * 2^-31 rounded to an integer, halves up: in two parts, each exact in f64. */
function highProduct(x: number, multiplier: number, bits: number): number {
  const upper = Math.floor(multiplier / 2 ** 16);
  const high = x * upper;
  const whole = Math.floor(high / 2 ** (bits - 16));
  const rest = (high - whole * 2 ** (bits - 16)) * 2 ** 16 + x * (multiplier - upper * 2 ** 16);
  return whole + Math.floor((rest + 2 ** (bits - 1)) / 2 ** bits);
}

function requantised(x: number, multiplier: number, shift: number, a: RequantizeAttrs): number {
  const left = (x * 2 ** (a.headroom + Math.max(shift, 0))) | 0;
  const right = Math.max(-shift, 0);
  if (a.rounding === "once") return highProduct(left, multiplier, 31 + right);
  const product = highProduct(left, multiplier, 31);
  return Math.sign(product) * Math.floor(Math.abs(product) / 2 ** right + 0.5);
}

/**
 * A 32-bit sum of products of integers in another scale, as TFLite's reference kernels multiply it in fixed point:
 * clamp(round(round(x 2^left * multiplier 2^-31) 2^-right), low, high). x holds integers, as i32 or as f32.
 * Exists in simulations of quantised models alone.
 */
export const requantize = defineOp<RequantizeAttrs>({
  name: "requantize",
  summary: "integers in another scale, by fixed-point multiplication",
  inputs: ["x"],
  outputs: ["y"],
  internal: true,
  attrs,
  infer,
  couple: coupleAll,
  cut(c, a) {
    if (a.multiplier.length === 1) return a;
    const kept = c.keptInput(0, -1);
    return { ...a, multiplier: kept.map((i) => a.multiplier[i]!), shift: kept.map((i) => a.shift[i]!) };
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x], a) {
    const count = a.multiplier.length;
    const data = x!.data.map((v, p) => {
      const y = requantised(v, a.multiplier[p % count]!, a.shift[p % count]!, a);
      return Math.min(Math.max(y, a.low), a.high);
    });
    return [{ shape: x!.shape, data }];
  },
  tolerance: () => ({ kind: "exact" }),
});
