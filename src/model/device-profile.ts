import { z } from "zod";

/** Kernel families with code of their own for each size; everything else is counted by what it moves. */
export const KERNEL_FAMILIES = ["conv", "pointwise", "depthwise", "dense"] as const;
export type KernelFamily = (typeof KERNEL_FAMILIES)[number];

/** One network that a calibration timed. */
export const calibrationRow = z.object({
  /** What it was: the kernel family and its sizes. */
  name: z.string().min(1),
  /** Lower quartile of one run, in units of the reference's, in milliseconds at the reference's time. */
  ms: z.number().positive(),
  /** Difference of the quartiles as a share of the median: what the machine's other work did. */
  spread: z.number().nonnegative(),
  /** What the profile predicts for it. */
  predictedMs: z.number().positive(),
});
export type CalibrationRow = z.infer<typeof calibrationRow>;

/**
 * A device as the compiler sees it: measured once, written to a file, the only thing decisions depend on.
 * Files: `targets/devices/<name>.json`; their JSON Schema: `docs/device-profile.schema.json`.
 */
export const deviceProfile = z.object({
  name: z.string().min(1),
  /** What was timed, on what, with which engine, and when. */
  measuredOn: z.string().min(1),
  date: z.iso.date(),
  engine: z.string().min(1),
  /** How the device was imitated; null for a real one. */
  simulated: z.string().min(1).nullable(),
  /** Module variant that was timed. */
  variant: z.enum(["simd", "relaxed", "scalar"]),
  /** `off`: 3x3 convolutions are emitted without Winograd's method, so none is predicted to gain by it. */
  winograd: z.literal("off").optional(),
  /** Milliseconds of the reference network, beside which everything was timed and in whose time all is expressed. */
  referenceMs: z.number().positive(),
  /** Nanoseconds of each piece of the kernels (src/analyzer/work.ts), by its name. */
  ns: z.record(z.string(), z.number().nonnegative()),
  /** By what a build multiplied all times after it had measured its package. */
  corrected: z.number().positive().optional(),
  /** Measured over predicted for networks that were left out in turn: median of |ratio - 1|, and the ratio's 90 % range. */
  error: z.object({ median: z.number().nonnegative(), low: z.number().positive(), high: z.number().positive() }),
  table: z.array(calibrationRow),
});
export type DeviceProfile = z.infer<typeof deviceProfile>;

/** A family of engines that packages are emitted for. Files: `targets/<name>.json`. */
export const target = z.object({
  name: z.string().min(1),
  description: z.string().min(1),
  /** Module variants in the order in which the glue tries them last to first. */
  variants: z.array(z.enum(["simd", "relaxed", "scalar"])).min(1),
  /** The weights inside the modules, and a C header beside them. */
  singleFile: z.boolean().optional(),
  /** `off`: nowhere, since it takes memory for weights of its own. */
  winograd: z.enum(["auto", "off"]).optional(),
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
