/** Every network that a build accepted on its way: accuracy over predicted milliseconds, as figures and as a picture. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { PruneResult } from "../pruner/prune.js";
import { sweepSvg } from "./sweep-svg.js";
import type { BuildResult } from "./types.js";

/** One network. */
export interface SweptStep {
  /** Name of its files in the run folder. */
  readonly graph: string;
  /** `dense`: where it started; `step`: accepted on the way; `final`: fine-tuned. */
  readonly kind: "dense" | "step" | "final";
  readonly ms: number;
  readonly macs: number;
  readonly accuracy: number | null;
  /** Whether this is the network of the package. */
  readonly chosen: boolean;
}

export interface SweptBuild {
  readonly result: Omit<BuildResult, "seconds">;
  readonly steps: readonly SweptStep[];
}

/** All networks that a run accepted, the dense one first, and those that were fine-tuned. */
export function sweptSteps({ state, pruned }: PruneResult): SweptStep[] {
  const { accepted, tries } = state;
  const chosen = tries.find((t) => t.figures === pruned) ?? null;
  return [
    ...accepted.map(({ step, graph, figures }): SweptStep => ({
      graph,
      kind: step === 0 ? "dense" : "step",
      ms: figures.predictedMs,
      macs: figures.macs,
      accuracy: figures.accuracy,
      chosen: chosen === null && figures === pruned,
    })),
    ...tries.map((t): SweptStep => ({
      graph: t.graph,
      kind: "final",
      ms: t.figures.predictedMs,
      macs: t.figures.macs,
      accuracy: t.figures.accuracy,
      chosen: t === chosen,
    })),
  ];
}

/** `<out>-sweep.json` and `<out>-sweep.svg`: figures, and a picture with a panel for each device. */
export async function writeSweep(out: string, builds: readonly SweptBuild[]): Promise<void> {
  const base = `${path.resolve(out)}-sweep`;
  await mkdir(path.dirname(base), { recursive: true });
  const devices = builds.map(({ result, steps }) => ({
    device: result.latency.device,
    metric: result.metric?.name ?? null,
    budgetMs: result.latency.budgetMs,
    maxDropPoints: result.maxDropPoints,
    run: result.run,
    steps,
  }));
  await writeFile(`${base}.json`, `${JSON.stringify({ devices }, null, 2)}\n`);
  await writeFile(`${base}.svg`, sweepSvg(devices));
}
