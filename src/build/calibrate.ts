import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { networkWork, workMs } from "../analyzer/latency.js";
import type { Work } from "../analyzer/work.js";
import { emitFiles } from "../emit/index.js";
import { writePackage } from "../emit/write-package.js";
import {
  describeEngine,
  measureInNode,
  type Engine,
  type Group,
  type Measurement,
  type TimingChoice,
  type Variant,
} from "../measure/index.js";
import { deviceProfile, type DeviceProfile } from "../model/device-profile.js";
import { calibrationNetworks, referenceNetwork, type CalibrationNetwork } from "./calibration-networks.js";
import { fitPieces, leftOut, type TimedWork } from "./fit-profile.js";

/** Times groups of packages, each in turns with its first; however and wherever that is done. */
export type TimeGroups = (
  groups: readonly Group[],
  choice: TimingChoice,
) => Promise<readonly (readonly Measurement[])[]>;

export interface TimeOptions {
  /** Default: the one that the packages' own glue takes. */
  readonly variant?: Variant;
  /** Timed samples of each network; default 60. */
  readonly runs?: number;
  /**
   * A sample lasts at least this long, in runs one after another; default 2 ms. In shorter ones every network finds the
   * caches full of its neighbours: those of Winograd's method, whose weights are long, then take half as long again.
   */
  readonly sampleMs?: number;
  readonly warmupMs?: number;
  /** Default: in a Node of its own. */
  readonly time?: TimeGroups;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

export interface CalibrateOptions extends TimeOptions {
  /** Name of the profile. */
  readonly name: string;
  /** How the device is imitated. */
  readonly simulated?: string;
}

/** Networks that are timed in turns with the reference: few, so that each sees its neighbours' moments. */
const GROUP = 12;

/** All of the work of one run. */
export function wholeWork(network: CalibrationNetwork, variant: Variant): Work {
  const { steps, cold, ports } = networkWork(network.graph, variant, network.winograd);
  const all: Record<string, number> = {};
  for (const work of [ports, ...cold, ...steps.map((s) => s.counts)])
    for (const [name, n] of Object.entries(work)) all[name] = (all[name] ?? 0) + n;
  return all;
}

export interface TimedNetwork {
  readonly network: CalibrationNetwork;
  /** Lower quartile, in units of the reference's. */
  readonly ofReference: number;
  readonly spread: number;
}

const quartile = (m: Measurement): number => m.steady.p25;
const spreadOf = ({ steady }: Measurement): number => (steady.p90 - steady.p25) / steady.p50;

/** The package of each network in a folder of its own, the reference's first. */
export async function emitNetworks(
  networks: readonly CalibrationNetwork[],
  folder: string,
  onProgress: TimeOptions["onProgress"] = undefined,
): Promise<string[]> {
  const dirs: string[] = [];
  for (const { graph, winograd } of [referenceNetwork(), ...networks]) {
    onProgress?.(dirs.length, networks.length + 1, `compiling ${graph.name}`);
    const name = `network-${dirs.length}`;
    // Without the figures of a build: packing weights to say how long they are takes longer than compiling.
    writePackage(path.join(folder, name), await emitFiles(graph, { name, winograd }), true);
    dirs.push(path.join(folder, name));
  }
  return dirs;
}

export interface TimedNetworks {
  readonly referenceMs: number;
  readonly timed: readonly TimedNetwork[];
  readonly engine: Engine;
  readonly variant: Variant;
}

/**
 * Times networks beside the reference: groups of a few in turns with it, each in units of its time in that group, since
 * a busy neighbour slows a shared machine by up to 40 %.
 * @param dirs packages as `emitNetworks` made them
 */
export async function timeNetworks(
  networks: readonly CalibrationNetwork[],
  [reference, ...dirs]: readonly string[],
  options: TimeOptions = {},
): Promise<TimedNetworks> {
  const { runs = 60, sampleMs = 2, warmupMs = 150, variant, time = measureInNode } = options;
  const groups: string[][] = [];
  for (let i = 0; i < dirs.length; i += GROUP) groups.push([reference!, ...dirs.slice(i, i + GROUP)]);
  const measured = await time(groups, { runs, sampleMs, warmupMs, ...(variant && { variant }) });
  const timed = measured.flatMap(([own, ...rest], g) =>
    rest.map((m, i): TimedNetwork => ({
      network: networks[g * GROUP + i]!,
      ofReference: quartile(m) / quartile(own!),
      spread: spreadOf(m),
    })),
  );
  const first = measured[0]![0]!;
  return {
    referenceMs: Math.min(...measured.map(([own]) => quartile(own!))),
    timed,
    engine: first.engine,
    variant: first.variant,
  };
}

const digits = (v: number, n = 4): number => Number(v.toPrecision(n));

/** Times the kernel families over the grid on a device, and returns its profile. */
export async function calibrate(options: CalibrateOptions): Promise<DeviceProfile> {
  const networks = calibrationNetworks();
  const folder = await mkdtemp(path.join(os.tmpdir(), "idap-calibrate-"));
  try {
    const dirs = await emitNetworks(networks, folder, options.onProgress);
    options.onProgress?.(networks.length + 1, networks.length + 1, "timing");
    return profileOf(options, await timeNetworks(networks, dirs, options));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The profile that explains the times. */
export function profileOf(
  { name, simulated: given }: Pick<CalibrateOptions, "name" | "simulated">,
  { referenceMs, timed, engine: where, variant }: TimedNetworks,
): DeviceProfile {
  const simulated =
    given ?? (where.throttle !== undefined && where.throttle > 1 ? `slowed ${where.throttle} times` : null);
  const engine = describeEngine(where);
  const rows = timed.map(({ network, ofReference }): TimedWork => ({
    work: wholeWork(network, variant),
    ns: ofReference * referenceMs * 1e6,
  }));
  const ns = fitPieces(rows, variant);
  const mixed = timed.flatMap((t, i) => (t.network.graph.name.startsWith("network: ") ? [i] : []));
  const ratios = leftOut(rows, mixed, variant).sort((a, b) => a - b);
  const errors = ratios.map((r) => Math.abs(r - 1)).sort((a, b) => a - b);
  const date = new Date().toISOString().slice(0, 10);
  return deviceProfile.parse({
    name,
    measuredOn: `${engine}, one thread, lower quartiles beside a reference, ${date}${simulated === null ? "" : `; simulated: ${simulated}`}`,
    date,
    engine,
    simulated,
    variant,
    referenceMs: digits(referenceMs),
    ns,
    error: {
      median: digits(errors[errors.length >> 1]!, 2),
      // Nine networks say little of the tails: their extremes, and never less than what repeated timings differ by.
      low: digits(Math.min(0.95, ratios[0]!), 3),
      high: digits(Math.max(1.05, ratios.at(-1)), 3),
    },
    table: timed.map(({ network, ofReference, spread }, i) => ({
      name: network.graph.name,
      ms: digits(ofReference * referenceMs),
      spread: digits(spread, 2),
      predictedMs: digits(workMs(rows[i]!.work, { ns, variant })),
    })),
  });
}

export { calibrationNetworks, referenceNetwork, type CalibrationNetwork } from "./calibration-networks.js";
