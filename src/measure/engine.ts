/** Where a figure was measured: it is worth nothing elsewhere. */
export const VARIANTS = ["relaxed", "simd", "scalar"] as const;
/** In the order in which a package's glue tries them. */
export type Variant = (typeof VARIANTS)[number];
/** Variants whose bits are the same in every engine. */
export const isStrict = (variant: Variant): boolean => variant !== "relaxed";

/** Engines that `idap measure` starts by itself. */
export const RUNTIMES = ["node", "chromium", "jsc", "wasmtime"] as const;
export type Runtime = (typeof RUNTIMES)[number];

/** As far as the platform tells; what it does not tell is "unknown" or left out. */
export interface Engine {
  /** `browser`: a device that opened the served page. */
  readonly runtime: Runtime | "browser";
  readonly version: string;
  /** Node and Chromium only. */
  readonly v8?: string;
  readonly cpu: string;
  /** Logical cores; 0 where the platform does not tell. */
  readonly cores: number;
  readonly arch: string;
  readonly os: string;
  /** What the browser says of itself. */
  readonly agent?: string;
  /** Make or model, where the browser tells. */
  readonly device?: string;
  /** Memory of the device in GiB; browsers round it and say at most 8. */
  readonly memoryGiB?: number;
  /** Milliseconds of the smallest step of the clock that timed. */
  readonly clockStepMs: number;
  /** The processor was slowed by this factor on purpose: a simulated device. */
  readonly throttle?: number;
}

const NAMES: Readonly<Record<Engine["runtime"], string>> = {
  node: "Node",
  chromium: "Chromium",
  jsc: "JavaScriptCore",
  wasmtime: "wasmtime",
  browser: "",
};

/** One line for people: engine and hardware. */
export function describeEngine(engine: Engine): string {
  const { runtime, version, v8, device, cpu, arch, os, cores, memoryGiB, throttle } = engine;
  const known = (s: string | undefined): string[] => (s === undefined || s === "unknown" || s === "" ? [] : [s]);
  const parts = [
    `${NAMES[runtime]} ${version}`.trim() + (v8 === undefined ? "" : ` (V8 ${v8})`),
    ...known(device),
    ...(cpu === "unknown" ? [...known(os), ...known(arch)] : [cpu]),
    ...(cores > 0 ? [`${cores} cores`] : []),
    ...(memoryGiB === undefined ? [] : [`${memoryGiB} GiB or more`]),
  ];
  if (throttle !== undefined && throttle > 1) parts.push(`simulated: slowed ${throttle} times`);
  return parts.join(", ");
}
