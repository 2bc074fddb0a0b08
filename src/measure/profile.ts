/**
 * Where a package's time goes: milliseconds of each layer beside what its arithmetic and its bytes would cost at the
 * machine's limits, which are measured in the same process and the same rounds.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { IdapError } from "../model/errors.js";
import { BANDWIDTH_SIZES, ceilingSource } from "./ceiling-source.js";
import { compileLayers, compileText } from "./compile-source.js";
import { VARIANTS, type Engine, type Variant } from "./engine.js";
import { packageName } from "./job.js";
import { readPassport } from "./passport.js";
import { PROFILE_SOURCE } from "./profile-source.js";
import { cannotBeTimed, runProgram, type Failure, type NodeChoice } from "./run-program.js";
import { summarize } from "./statistics.js";

export interface ProfileOptions extends NodeChoice {
  /** Rounds; default 200. */
  readonly runs?: number;
  /** Default 1000: V8 optimises in the background. */
  readonly warmupMs?: number;
  /** Default: the one that the package's own glue would take. */
  readonly variant?: Variant;
}

const plannedLayer = z.looseObject({
  index: z.int().nonnegative(),
  name: z.string(),
  kernel: z.string(),
  shape: z.array(z.int().positive()),
  macs: z.int().nonnegative(),
  bytes: z.object({ read: z.int().nonnegative(), written: z.int().nonnegative() }),
  tiles: z.record(z.string(), z.string()).optional(),
});

export interface ProfiledLayer {
  readonly index: number;
  readonly name: string;
  readonly kernel: string;
  readonly tile: string | null;
  readonly shape: readonly number[];
  readonly macs: number;
  /** Operands and weights once, and the result. */
  readonly bytes: { readonly read: number; readonly written: number };
  /** Median of the rounds. */
  readonly ms: number;
  /** Calls in a row of one sample; above 1 for layers that the clock is too coarse for. */
  readonly repeats: number;
  /** Two operations for each multiply-accumulate; null without any. */
  readonly gflops: number | null;
  readonly ofCeiling: number | null;
  readonly gbps: number;
  /** What would take longer at the machine's limits: the arithmetic, or moving the bytes. */
  readonly bound: "compute" | "memory";
  /** Milliseconds at that limit. */
  readonly floorMs: number;
}

/** Loads and stores of a buffer of so many bytes, again and again. */
export interface Bandwidth {
  readonly bytes: number;
  readonly readGBps: number;
  readonly writeGBps: number;
}

export interface Profile {
  readonly package: string;
  readonly dir: string;
  readonly variant: Variant;
  readonly engine: Omit<Engine, "clockStepMs">;
  readonly rounds: number;
  readonly ceiling: { readonly gflops: number; readonly bandwidth: readonly Bandwidth[] };
  readonly layers: readonly ProfiledLayer[];
  readonly total: {
    readonly macs: number;
    /** Median of whole runs, without copies of inputs and outputs. */
    readonly runMs: number;
    readonly sumOfLayersMs: number;
    /** All multiply-accumulates at the ceiling. */
    readonly floorMs: number;
    /** runMs / floorMs; null where nothing is multiplied. */
    readonly overFloor: number | null;
  };
}

type ProfileAnswer =
  | {
      readonly engine: Omit<Engine, "clockStepMs">;
      readonly variant: Variant;
      readonly repeats: readonly number[];
      readonly samples: readonly (readonly number[])[];
      readonly whole: readonly number[];
      readonly ceilingGflops: number;
      readonly bandwidth: readonly Bandwidth[];
      readonly error?: undefined;
    }
  | Failure;

export async function profilePackage(dir: string, options: ProfileOptions = {}): Promise<Profile> {
  const { runs = 200, warmupMs = 1000 } = options;
  const name = packageName(dir);
  const planned = plannedLayers(dir);
  const modules = [];
  for (const variant of options.variant ? [options.variant] : VARIANTS) {
    if (!existsSync(path.join(dir, `model.${variant}.wasm`))) continue;
    const { text, forms, pages } = ceilingSource(variant);
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
    const layers = base64(await compileLayers(dir, variant));
    modules.push({ variant, layers, ceiling: base64(await compileText(text, variant, pages)), forms });
  }
  const request = {
    dir: path.resolve(dir),
    modules,
    layers: planned.length,
    // Every size of buffer is timed in its share of the rounds.
    runs: Math.max(runs, BANDWIDTH_SIZES.length),
    warmupMs,
    minSampleMs: 0.002,
    sizes: BANDWIDTH_SIZES,
  };
  const answer = await runProgram<ProfileAnswer>(PROFILE_SOURCE, request, options);
  if (answer.error !== undefined) throw cannotBeTimed(answer);

  const { ceilingGflops, bandwidth, variant } = answer;
  const layers = planned.map((layer, i): ProfiledLayer => {
    const { index, kernel, shape, macs, bytes } = layer;
    const ms = summarize(answer.samples[i]!, 1).p50;
    const limits = { compute: (2 * macs) / ceilingGflops / 1e6, memory: transferMs(bytes, bandwidth) };
    const bound = limits.memory > limits.compute ? "memory" : "compute";
    const gflops = macs > 0 && ms > 0 ? (2 * macs) / ms / 1e6 : null;
    return {
      ...{ index, name: layer.name, kernel, tile: layer.tiles?.[variant] ?? null, shape, macs, bytes, ms },
      repeats: answer.repeats[i]!,
      gflops,
      ofCeiling: gflops === null ? null : gflops / ceilingGflops,
      gbps: ms > 0 ? (bytes.read + bytes.written) / ms / 1e6 : 0,
      bound,
      floorMs: limits[bound],
    };
  });
  const macs = layers.reduce((n, l) => n + l.macs, 0);
  const runMs = summarize(answer.whole, 1).p50;
  const floorMs = (2 * macs) / ceilingGflops / 1e6;
  return {
    package: name,
    dir,
    variant,
    engine: answer.engine,
    rounds: answer.whole.length,
    ceiling: { gflops: ceilingGflops, bandwidth },
    layers,
    total: {
      macs,
      runMs,
      sumOfLayersMs: layers.reduce((n, l) => n + l.ms, 0),
      floorMs,
      overFloor: macs > 0 ? runMs / floorMs : null,
    },
  };
}

/** Milliseconds to read and write so many bytes at the bandwidth of the smallest buffer that holds them. */
function transferMs(bytes: { read: number; written: number }, table: readonly Bandwidth[]): number {
  const { readGBps, writeGBps } = table.find((b) => b.bytes >= bytes.read + bytes.written) ?? table.at(-1)!;
  return (bytes.read / readGBps + bytes.written / writeGBps) / 1e6;
}

function plannedLayers(dir: string): z.infer<typeof plannedLayer>[] {
  const { plan } = readPassport(dir);
  const parsed = z.looseObject({ layers: z.array(plannedLayer) }).safeParse(plan);
  if (parsed.success) return parsed.data.layers;
  const issue = parsed.error.issues[0]!;
  throw new IdapError(
    "E_MEASURE",
    `${dir}: its passport does not list the layers as a profile needs them: ${issue.path.join(".") || "plan"}: ${issue.message}`,
    "Build the package again.",
  );
}
