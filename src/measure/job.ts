/** What is to be timed, as every engine gets it: packages in groups, and how samples are taken. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { IdapError } from "../model/errors.js";
import { VARIANTS, type Variant } from "./engine.js";
import type { Job, JobPackage, TimingOptions } from "./device/timing.mjs";

export interface TimingChoice {
  /** Timed samples of each package; default 200. */
  readonly runs?: number;
  /** Runs before the first sample; default 20, and at least 300 ms, since engines optimise in the background. */
  readonly warmup?: number;
  readonly warmupMs?: number;
  /** Keep sampling for at least this long; default 0. From one minute on, the first and the last minute are told apart. */
  readonly minMs?: number;
  /** A sample is the mean of as many runs as last this long; default 0.05 ms. */
  readonly sampleMs?: number;
  /** And as many as make the clock's step at most this part of a sample; default 0.02. */
  readonly precision?: number;
  /** Length of the first and the last "minute"; default 60,000 ms. */
  readonly minuteMs?: number;
  /** The module to time; default: the one that the package's own glue would take. */
  readonly variant?: Variant;
}

/** Packages that are timed in turns, so that their ratios mean something; the first is what others are compared with. */
export type Group = readonly string[];

export function timingOptions(choice: TimingChoice): TimingOptions {
  const { runs = 200, warmup = 20, warmupMs = 300, minMs = 0, sampleMs = 0.05, precision = 0.02 } = choice;
  if (!Number.isInteger(runs) || runs < 1) {
    throw new IdapError("E_OPTION", `the number of runs must be a whole number above 0, got ${runs}`);
  }
  return { runs, warmup, warmupMs, minMs, sampleMs, precision, minuteMs: choice.minuteMs ?? 60_000 };
}

const dtype = z.enum(["f32", "i32", "i8", "u8", "bool", "i64"]);

/** What timing needs of a passport. */
const timedPassport = z.looseObject({
  inputs: z.array(z.looseObject({ dtype })).min(1),
  outputs: z.array(z.looseObject({ dtype })).optional(),
  selfTest: z.looseObject({ scale: z.number(), offset: z.number(), sha256: z.string().nullable() }).optional(),
  memory: z.looseObject({ pages: z.int().positive() }).optional(),
  weights: z.looseObject({ inside: z.boolean().optional() }).optional(),
  files: z.record(z.string(), z.string()).optional(),
});
export type TimedPassport = z.infer<typeof timedPassport>;

/** Name of the package in `dir`; throws where there is no package of ours. */
export function packageName(dir: string): string {
  const file = path.join(dir, "package.json");
  const noPackage = (why: string): IdapError =>
    new IdapError("E_NO_PACKAGE", `${dir}: no package: ${why}`, "Name a folder that `idap build` wrote.");
  if (!existsSync(dir)) throw noPackage("the folder does not exist");
  if (!existsSync(file)) throw noPackage("it has no package.json");
  if (!existsSync(path.join(dir, "passport.json"))) throw noPackage("it has no passport.json");
  try {
    return String((JSON.parse(readFileSync(file, "utf8")) as { name: unknown }).name);
  } catch {
    throw noPackage("its package.json is not JSON");
  }
}

export function readTimedPassport(dir: string): TimedPassport {
  const wrong = (why: string): IdapError =>
    new IdapError("E_VERIFY", `passport.json of ${dir}: ${why}`, "Build the package again.");
  let raw: unknown;
  try {
    raw = JSON.parse(readFileSync(path.join(dir, "passport.json"), "utf8"));
  } catch (e) {
    throw wrong(`not JSON (${(e as Error).message})`);
  }
  const parsed = timedPassport.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw wrong(`not a passport that we know: ${issue.path.join(".") || "it"}: ${issue.message}`);
}

/** A package on this machine's disk, before an engine gets it. */
export interface LocalPackage {
  readonly name: string;
  /** As it was named. */
  readonly dir: string;
  readonly passport: TimedPassport;
  /** Candidates, best first. */
  readonly variants: readonly Variant[];
}

/** Whether the modules have their weights inside, so that there is no file of them. */
export const hasWeightsInside = ({ passport }: LocalPackage): boolean => passport.weights?.inside === true;

export function localPackage(dir: string, choice: TimingChoice): LocalPackage {
  const name = packageName(dir);
  const wanted: readonly Variant[] = choice.variant ? [choice.variant] : VARIANTS;
  const variants = wanted.filter((v) => existsSync(path.join(dir, `model.${v}.wasm`)));
  if (variants.length === 0) {
    throw new IdapError(
      "E_MEASURE",
      `${dir}: cannot be timed: the package has no variant ${wanted.join(" or ")}`,
      "Run `idap verify` on the package; it says which file is wrong.",
    );
  }
  return { name, dir, passport: readTimedPassport(dir), variants };
}

/** Reads the packages of all groups; throws before anything is timed if one of them is none. */
export function localGroups(groups: readonly Group[], choice: TimingChoice): LocalPackage[][] {
  if (groups.length === 0 || groups.some((g) => g.length === 0)) {
    throw new IdapError("E_MEASURE", "no package to measure", "Name at least one package folder.");
  }
  return groups.map((group) => group.map((dir) => localPackage(dir, choice)));
}

/** The job for an engine that finds package `i` of group `g` at `at(g, i)`. */
export function jobOf(
  groups: readonly (readonly LocalPackage[])[],
  options: TimingOptions,
  at: (pkg: LocalPackage, group: number, index: number) => string,
): Job {
  const item = (pkg: LocalPackage, g: number, i: number): JobPackage => {
    const { selfTest } = pkg.passport;
    return {
      at: at(pkg, g, i),
      name: pkg.name,
      variants: pkg.variants,
      weightsInside: hasWeightsInside(pkg),
      inputs: pkg.passport.inputs.map((p) => p.dtype),
      vector: selfTest === undefined ? null : { scale: selfTest.scale, offset: selfTest.offset },
    };
  };
  return { groups: groups.map((group, g) => group.map((pkg, i) => item(pkg, g, i))), options };
}
