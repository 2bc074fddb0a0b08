import type { LedgerEntry, Saving } from "./ledger.js";
import type { PruneState } from "./state.js";

/**
 * A run that ended, to go on with filters from its last accepted network by a profile whose every time is `factor` times
 * as long: what was predicted before is told in the new profile's times, and no network has been fine-tuned yet.
 * @param key of the run with the new profile (`runKey`)
 */
export function continuedState(state: PruneState, key: string, factor: number): PruneState {
  const slower = <F extends Saving>(f: F): F => ({ ...f, predictedMs: f.predictedMs * factor });
  const entry = (e: LedgerEntry): LedgerEntry => {
    const figures: Pick<LedgerEntry, "before" | "after"> = { before: slower(e.before), after: slower(e.after) };
    if (e.stage === "final") return { ...e, ...figures };
    if (e.stage === "layers") return { ...e, ...figures, saved: slower(e.saved) };
    return { ...e, ...figures, cuts: e.cuts.map((c) => ({ ...c, saved: slower(c.saved) })) };
  };
  return {
    ...state,
    key,
    phase: "filters",
    dense: slower(state.dense),
    accepted: state.accepted.map((s) => ({ ...s, figures: slower(s.figures) })),
    ledger: state.ledger.map(entry),
    filters: { ...state.filters, failures: 0 },
    tries: [],
    ends: {},
  };
}
