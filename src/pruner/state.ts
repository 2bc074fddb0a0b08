import type { Graph } from "../model/types.js";
import type { Figures, LedgerEntry } from "./ledger.js";
import type { Rung } from "./budget.js";
import type { KeptChannels } from "./match.js";

/** A network that the run accepted, with the name of its file in the run folder. */
export interface Snapshot extends Rung {
  readonly graph: string;
  /** Which channels of the dense network's match points are left. */
  readonly kept: KeptChannels;
}

/** A fine-tuned candidate for the result. */
export interface FinalTry {
  readonly of: number;
  readonly graph: string;
  readonly figures: Figures;
  readonly within: boolean;
}

/**
 * Everything a run has decided. The next step is a function of this state, the stored graphs, the data and the
 * options; nothing else is remembered. Random numbers are drawn from (seed, number of the step).
 */
export interface PruneState {
  readonly format: 1;
  /** Hash of model, data and options: a run is resumed only with the same. */
  readonly key: string;
  /**
   * In this order. Whole units go first: they are judged best while everything around them is whole. On a
   * ResNet-8 without its first block (38 % of the MACs), 0.878 of the validation images were right after as much training
   * as left 0.833 of them right with 40 % cut from the filters.
   */
  readonly phase: "layers" | "filters" | "final" | "done";
  readonly augment: "none" | "shift-flip";
  /** Learning rates that were found, each by the first training of its kind; a resumed run goes on with them. */
  readonly rates?: { readonly lr?: number; readonly finalLr?: number };
  readonly dense: Figures;
  /** Stage 1: next iteration, current share, failures so far. */
  readonly filters: { readonly t: number; readonly rho0: number; readonly failures: number };
  /** Stage 2. */
  readonly layers: { readonly removed: number; readonly rejectsInRow: number; readonly essential: readonly string[] };
  /** Accepted networks, the dense one (step 0) first. */
  readonly accepted: readonly Snapshot[];
  readonly tries: readonly FinalTry[];
  readonly ledger: readonly LedgerEntry[];
  /** Why stage 1 and stage 2 ended, for people. */
  readonly ends: { readonly filters?: string; readonly layers?: string };
}

/** The network that the next step starts from. */
export function current(state: PruneState): Snapshot {
  return state.accepted[state.accepted.length - 1]!;
}

/** The learning rate for the next training of a kind: what the user says, or what was found before, or to be found. */
export function rateOf(
  state: PruneState,
  kind: "lr" | "finalLr",
  options: { readonly lr: number | "auto"; readonly finalLr: number | "auto" },
): number | "auto" {
  return options[kind] === "auto" ? (state.rates?.[kind] ?? "auto") : options[kind];
}

/** The state with a rate that was found; one that was given is not kept. */
export function withRate(
  state: PruneState,
  kind: "lr" | "finalLr",
  options: { readonly lr: number | "auto"; readonly finalLr: number | "auto" },
  found: number | null,
): PruneState {
  return options[kind] === "auto" && found !== null ? { ...state, rates: { ...state.rates, [kind]: found } } : state;
}

/** Stores an accepted network and makes it the current one; its step is the last of the ledger. */
export async function accept(
  state: PruneState,
  context: { store: { putGraph(name: string, graph: Graph): Promise<void> } },
  graph: Graph,
  figures: Figures,
  kept: KeptChannels = current(state).kept,
): Promise<PruneState> {
  const step = state.ledger.length;
  const name = `step-${String(step).padStart(3, "0")}`;
  await context.store.putGraph(name, graph);
  return { ...state, accepted: [...state.accepted, { step, figures, graph: name, kept }] };
}
