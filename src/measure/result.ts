/** From what an engine answers to what is reported. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { fromWords, type Words } from "../model/words.js";
import { isStrict, VARIANTS, type Engine, type Variant } from "./engine.js";
import type { LocalPackage, TimedPassport } from "./job.js";
import { pairedRatio, summarize, type Ratio, type Steady } from "./statistics.js";
import { CAPACITY, MINUTE_CAPACITY, TIMELINE_POINTS, type TimedJob, type TimedPackage } from "./device/timing.mjs";

export interface Measurement {
  /** Name in the package's package.json. */
  readonly package: string;
  readonly dir: string;
  readonly variant: Variant;
  readonly engine: Engine;
  /** Fetching module and weights; null where they were read from this machine's disk. */
  readonly download: { readonly ms: number; readonly bytes: number } | null;
  /** Milliseconds from bytes in memory to ready: compile, instantiate, weights and `setup()`, self-test. */
  readonly load: TimedPackage["load"];
  /** The first run, inputs and outputs copied; includes whatever the engine compiles late. */
  readonly firstRunMs: number;
  /** Milliseconds of one run once warm, inputs copied in and outputs copied out. */
  readonly steady: Steady;
  /** The first and the last minute, of measurements that last at least one. */
  readonly minutes: { readonly first: Steady; readonly last: Steady } | null;
  /** Medians over the time that it took, in equal parts: what a device that grows hot looks like. */
  readonly timeline: readonly number[];
  /** Linear memory; it is fixed. */
  readonly memoryBytes: number;
  /** Memory of the engine's process before the first sample and after the last, where it tells. */
  readonly processBytes: { readonly start: number; readonly end: number } | null;
  /** Whether a strict variant gave the stored bits on the stored test vector; `unchecked`: another variant, or nothing stored. */
  readonly outputs: "identical" | "different" | "unchecked";
  /** How many times as fast as the first package of its group, paired by round; null for the first itself. */
  readonly speedup: Ratio | null;
}

const milliseconds = z.number().nonnegative().max(1e9);
const times = (most: number) => z.array(milliseconds).max(most);
const bytes = z.int().nonnegative();

/** The answer about one package: as an engine of this machine gives it, and as a device posts it. */
export const timedPackage = z.strictObject({
  variant: z.enum(VARIANTS),
  load: z.strictObject({
    compileMs: milliseconds,
    instantiateMs: milliseconds.nullable(),
    weightsMs: milliseconds,
    selftestMs: milliseconds,
  }),
  download: z.strictObject({ ms: milliseconds, bytes }).nullable(),
  firstRunMs: milliseconds,
  memoryBytes: z.int().positive(),
  outputs: z
    .array(
      z
        .string()
        .max(1 << 17)
        .regex(/^([0-9a-f]{2})*$/),
    )
    .max(64)
    .nullable(),
  batch: z.int().positive(),
  count: z.int().positive(),
  minMs: milliseconds,
  samples: times(CAPACITY).min(1),
  first: times(MINUTE_CAPACITY).min(1).nullable(),
  last: times(MINUTE_CAPACITY).min(1).nullable(),
  timeline: times(TIMELINE_POINTS),
  processBytes: z.strictObject({ start: bytes, end: bytes }).nullable(),
});

export const timedJob = z.strictObject({
  clockStepMs: milliseconds.positive(),
  groups: z.array(z.array(timedPackage).min(1)).min(1),
});

/** Whether the answer is about the packages that were asked for. */
export function answersJob(answer: TimedJob, groups: readonly (readonly LocalPackage[])[]): boolean {
  return (
    answer.groups.length === groups.length &&
    answer.groups.every(
      (group, g) =>
        group.length === groups[g]!.length && group.every((p, i) => groups[g]![i]!.variants.includes(p.variant)),
    )
  );
}

export function measurementsOf(
  groups: readonly (readonly LocalPackage[])[],
  answer: TimedJob,
  engine: Engine,
): Measurement[][] {
  return answer.groups.map((group, g) =>
    group.map((timed, i) => measurementOf(groups[g]![i]!, timed, i === 0 ? null : group[0]!, engine)),
  );
}

function measurementOf(
  local: LocalPackage,
  timed: TimedPackage,
  base: TimedPackage | null,
  engine: Engine,
): Measurement {
  const { batch, first, last } = timed;
  return {
    package: local.name,
    dir: local.dir,
    variant: timed.variant,
    engine,
    download: timed.download,
    load: timed.load,
    firstRunMs: timed.firstRunMs,
    steady: { ...summarize(timed.samples, batch), min: timed.minMs, samples: timed.count },
    minutes: first && last ? { first: summarize(first, batch), last: summarize(last, batch) } : null,
    timeline: timed.timeline,
    memoryBytes: timed.memoryBytes,
    processBytes: timed.processBytes,
    outputs: compareOutputs(local.passport, timed),
    speedup: base === null ? null : pairedRatio(base.samples, timed.samples),
  };
}

/** The passport's hash is over the values of the interface; engines send words as they lie in memory. */
function compareOutputs({ outputs: ports, selfTest }: TimedPassport, timed: TimedPackage): Measurement["outputs"] {
  if (!isStrict(timed.variant) || timed.outputs === null || !ports || !selfTest?.sha256) return "unchecked";
  const hash = createHash("sha256");
  for (const [i, port] of ports.entries()) {
    const words = Uint8Array.from(Buffer.from(timed.outputs[i] ?? "", "hex"));
    const view: Words =
      port.dtype === "f32"
        ? new Float32Array(words.buffer, 0, words.length >> 2)
        : new Int32Array(words.buffer, 0, words.length >> 2);
    const { buffer, byteOffset, byteLength } = fromWords(view, port.dtype);
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest("hex") === selfTest.sha256 ? "identical" : "different";
}
