/** Timing packages on the device of a profile, where that is an engine of this machine. */
import {
  describeEngine,
  measureInChromium,
  measurePackages,
  type MeasureOptions,
  type Measurement,
} from "../measure/index.js";
import type { DeviceProfile } from "../model/device-profile.js";
import { IdapError } from "../model/errors.js";

export interface DeviceTimes {
  readonly measured: Measurement[];
  /** Whether these are times of the device itself, or of this Node in its place. */
  readonly onDevice: boolean;
  /** The engine, for people. */
  readonly engine: string;
}

/** A browser that is slowed on purpose is stopped for moments of its choice: a sample must hold many of them. */
export const SLOWED = { sampleMs: 20, warmupMs: 400, runs: 15 };

/** `slowed 4 times` -> 4; null for what is not slowed. */
export function throttleOf({ simulated }: Pick<DeviceProfile, "simulated">): number | null {
  const factor = /slowed (\d+(?:\.\d+)?) times/.exec(simulated ?? "")?.[1];
  return factor === undefined ? null : Number(factor);
}

async function inChromium(
  dirs: readonly string[],
  profile: DeviceProfile,
  runs: number,
): Promise<Measurement[] | null> {
  const throttle = throttleOf(profile);
  const slow = throttle === null ? { runs } : { ...SLOWED, throttle, runs: Math.min(runs, 2 * SLOWED.runs) };
  try {
    return (await measureInChromium([dirs], slow))[0]!;
  } catch (error) {
    // No browser here: the device is somewhere else.
    if (error instanceof IdapError && error.code === "E_MEASURE") return null;
    throw error;
  }
}

/** The packages in turns on the profile's device where it is here; else in this Node, which says so. */
export async function timeOnDevice(
  dirs: readonly string[],
  profile: DeviceProfile,
  options: MeasureOptions & { readonly runs: number },
): Promise<DeviceTimes> {
  const done = (measured: Measurement[], onDevice: boolean): DeviceTimes => ({
    measured,
    onDevice,
    engine: describeEngine(measured[0]!.engine),
  });
  if (profile.engine.startsWith("Chromium")) {
    const measured = await inChromium(dirs, profile, options.runs);
    if (measured) return done(measured, true);
  }
  return done(await measurePackages(dirs, options), profile.engine.startsWith("Node") && profile.simulated === null);
}
