import { z } from "zod";

/**
 * Throughput of one kernel family over a grid of sizes: `gmacs[i][j]` is measured at depth `k[i]` (multiplications
 * for one output value: kh * kw * input channels) and width `n[j]` (output channels), in 10^9 MAC per second.
 */
export const familyTable = z
  .object({
    k: z.array(z.number().positive()).min(1),
    n: z.array(z.number().positive()).min(1),
    gmacs: z.array(z.array(z.number().positive())).min(1),
  })
  .refine((t) => t.gmacs.length === t.k.length && t.gmacs.every((row) => row.length === t.n.length), {
    message: "gmacs must have one row for each k and one column for each n",
  });
export type FamilyTable = z.infer<typeof familyTable>;

/** Kernel families with a table of their own; everything else is counted by the bytes it moves. */
export const KERNEL_FAMILIES = ["conv", "pointwise", "depthwise", "dense"] as const;
export type KernelFamily = (typeof KERNEL_FAMILIES)[number];

/**
 * A device as the compiler sees it: measured once, written to a file, the only thing decisions depend on.
 * Files: `targets/devices/<name>.json`.
 */
export const deviceProfile = z.object({
  name: z.string().min(1),
  /** What was timed, on what, with which engine, and when. */
  measuredOn: z.string().min(1),
  /** Module variant that was timed. */
  variant: z.enum(["simd", "relaxed", "scalar"]),
  /** Microseconds that every kernel call costs besides its work. */
  overheadUs: z.number().nonnegative(),
  /** Bytes per second of kernels that only move or combine values (reads and writes counted). */
  bytesPerSecond: z.number().positive(),
  /** `off`: 3x3 convolutions are emitted without Winograd's method, so none is predicted to gain by it. */
  winograd: z.literal("off").optional(),
  /** Of convolutions: without Winograd's method, whose gain is a share of that (src/kernels/winograd-cost.ts). */
  families: z.object({
    conv: familyTable,
    pointwise: familyTable,
    depthwise: familyTable,
    dense: familyTable,
  }),
});
export type DeviceProfile = z.infer<typeof deviceProfile>;

/** A family of engines that packages are emitted for. Files: `targets/<name>.json`. */
export const target = z.object({
  name: z.string().min(1),
  description: z.string().min(1),
  /** Module variants in the order in which the glue tries them last to first. */
  variants: z.array(z.enum(["simd", "relaxed"])).min(1),
  kernels: z.object({
    /** Channel counts the kernels run without a tail; the pruner's step. */
    channelMultiple: z.int().positive(),
  }),
  limits: z.object({ arenaBytes: z.int().positive(), codeBytes: z.int().positive() }),
  /** Device profile that is used when the user names none. */
  defaultDevice: z.string().min(1),
  /** Where the facts come from. */
  source: z.string().min(1),
});
export type Target = z.infer<typeof target>;
