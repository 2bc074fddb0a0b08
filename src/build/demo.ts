import { fileURLToPath } from "node:url";
import { glyphs } from "../data/glyphs.js";
import { build } from "./build.js";
import type { BuildOptions, BuildResult } from "./types.js";

export interface DemoOptions {
  /** The folder of the package; default `out/glyphs`. */
  readonly out?: string;
  readonly seed?: number;
  readonly threads?: number;
  readonly resume?: boolean;
  readonly measure?: boolean;
  /** Less of everything, for tests. */
  readonly pruning?: BuildOptions["pruning"];
  readonly onProgress?: BuildOptions["onProgress"];
  readonly onEntry?: BuildOptions["onEntry"];
}

export interface DemoResult extends BuildResult {
  readonly data: string;
  readonly model: string;
}

/** The committed model of examples/glyphs; the path is the same from `src/build` and from `dist/build`. */
export const DEMO_MODEL = fileURLToPath(new URL("../../examples/glyphs/model.onnx", import.meta.url));

/**
 * Settings of the demo: enough for half of the work to go within a point of accuracy, in a minute or two on two cores.
 * No mirrored images: a mirrored hook is no hook.
 */
const PRUNING = {
  maxDrop: 1,
  rho0: 0.08,
  iterations: 8,
  batch: 64,
  recoverySamples: 6000,
  filterShare: 0.75,
  layerShare: 1,
  layerSteps: 120,
  finalEpochs: 4,
  augment: "none",
} as const satisfies BuildOptions["pruning"];

/** The embedded example end to end: the committed network, glyphs drawn from a seed, pruned, emitted, certified, timed. */
export async function runDemo(options: DemoOptions = {}): Promise<DemoResult> {
  const { out = "out/glyphs", seed = 0, pruning, ...rest } = options;
  const data = glyphs(seed);
  const result = await build({ model: DEMO_MODEL, data, out, seed, pruning: { ...PRUNING, ...pruning }, ...rest });
  return { ...result, data: data.description, model: "examples/glyphs/model.onnx" };
}
