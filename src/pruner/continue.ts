import type { Figures } from "./ledger.js";
import type { PruneState } from "./state.js";

/**
 * A run that ended, to go on with filters from its last accepted network by a profile whose every time is `factor` times
 * as long: what was predicted before is told in the new profile's times, and no network has been fine-tuned yet.
 * @param key of the run with the new profile (`runKey`)
 */
export function continuedState(state: PruneState, key: string, factor: number): PruneState {
  const slower = (f: Figures): Figures => ({ ...f, predictedMs: f.predictedMs * factor });
  return {
    ...state,
    key,
    phase: "filters",
    dense: slower(state.dense),
    accepted: state.accepted.map((s) => ({ ...s, figures: slower(s.figures) })),
    ledger: state.ledger.map((e) => ({ ...e, before: slower(e.before), after: slower(e.after) })),
    filters: { ...state.filters, failures: 0 },
    tries: [],
    ends: {},
  };
}
