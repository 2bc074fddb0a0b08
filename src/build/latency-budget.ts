/** Whether a build keeps to its budget in milliseconds: predicted, measured, and what holds the time where it does not. */
import { predictLatency } from "../analyzer/latency.js";
import type { DeviceProfile } from "../model/device-profile.js";
import type { Graph } from "../model/types.js";
import { shortName } from "../pruner/ledger.js";

/** A package may measure so many times its budget: what repeated measurements differ by. */
export const SLACK = 1.05;

export interface BudgetFacts {
  readonly budgetMs: number;
  /** Of the pruned and of the dense network on the device, by its profile as it was measured. */
  readonly predictedMs: number;
  readonly densePredictedMs: number;
  /** Measured pruned / dense, alternating; null where the device is not here. */
  readonly measuredShare: number | null;
}

const inside = (predictedMs: number, { budgetMs }: BudgetFacts): boolean => predictedMs <= budgetMs * (1 + 1e-9);

/** The pruned package's time in the profile's milliseconds: the dense network's prediction by the measured share. */
export function measuredAs({ densePredictedMs, measuredShare }: BudgetFacts): number | null {
  return measuredShare === null ? null : densePredictedMs * measuredShare;
}

/**
 * By what the predictions must be multiplied so that the measured package would have been predicted as it is; null where
 * it keeps to the budget, where nothing was measured, and where not even the prediction is inside: there the accuracy
 * limit ended the pruning, and another try would end at the same network.
 */
export function correction(facts: BudgetFacts): number | null {
  if (!inside(facts.predictedMs, facts)) return null;
  const ms = measuredAs(facts);
  if (ms === null || ms <= facts.budgetMs * SLACK) return null;
  return ms / facts.predictedMs;
}

/** A profile whose every time is `factor` times as long. */
export function correctedProfile(profile: DeviceProfile, factor: number): DeviceProfile {
  const ns = Object.fromEntries(Object.entries(profile.ns).map(([name, v]) => [name, v * factor]));
  return { ...profile, ns, corrected: (profile.corrected ?? 1) * factor };
}

/** The layers that hold most of the predicted time: "conv2d_3 (31 %), conv2d_5 (22 %)". */
export function timeHolders(graph: Graph, profile: DeviceProfile, count = 3): string {
  const { nodes, ms } = predictLatency(graph, profile);
  const slowest = [...nodes].sort((a, b) => b.ms - a.ms).slice(0, count);
  return slowest
    .filter((n) => n.ms > 0)
    .map((n) => `${shortName(n.node)} (${((100 * n.ms) / ms).toFixed(0)} %)`)
    .join(", ");
}

const ms = (v: number): string => `${v.toPrecision(3)} ms`;

/** Why the budget is not kept, in one sentence; null where it is. */
export function overBudget(facts: BudgetFacts, device: string, maxDrop: number, holders: string): string | null {
  const { budgetMs, predictedMs } = facts;
  const measured = measuredAs(facts);
  const now = measured ?? predictedMs;
  if (measured === null ? inside(predictedMs, facts) : measured <= budgetMs * SLACK) return null;
  return (
    `${ms(budgetMs)} on ${device} cannot be met within ${maxDrop} points: the nearest network takes ${ms(now)} ` +
    `(${measured === null ? "predicted" : "measured"}); most of it in ${holders}`
  );
}
