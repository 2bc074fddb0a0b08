import { measureFlow } from "../analyzer/flow.js";
import { removableUnits, type Unit } from "../analyzer/units.js";
import type { Graph } from "../model/types.js";
import { withinDrop } from "./budget.js";
import { costFigures, figuresOf, type PruneContext } from "./context.js";
import { targetReached } from "./filters.js";
import { points, savingOf, shortName, type LayerEntry } from "./ledger.js";
import { recover } from "./recovery.js";
import { removeUnit } from "./remove-unit.js";
import { repairLayers } from "./repair.js";
import { accept, current, rateOf, withRate, type PruneState } from "./state.js";

/** A unit with its flow and what its removal saves. */
export interface ScoredUnit {
  readonly unit: Unit;
  /** D_res for a branch, relative change for a layer. */
  readonly score: number;
  /** Share of the predicted time that is saved; at most 0 where nothing is. */
  readonly saving: number;
}

/** Removable units, least flow for each saved share of time first; ties by name. */
export async function rankUnits(graph: Graph, context: PruneContext): Promise<ScoredUnit[]> {
  const { options } = context;
  const units = removableUnits(graph);
  if (units.length === 0) return [];
  const executor = context.engine.open(graph);
  try {
    const flow = await measureFlow(graph, executor, context.calibration, {
      tensors: [],
      pairs: units.map((u) => ({ name: u.name, from: u.replacement, to: u.compared })),
      samples: Math.min(256, options.calibrationSamples),
    });
    const whole = costFigures(graph, options).predictedMs;
    const ranked = units.map((unit): ScoredUnit => {
      const { ratio, change } = flow.pairs.get(unit.name)!;
      const saving = 1 - costFigures(removeUnit(graph, unit), options).predictedMs / whole;
      return { unit, score: unit.kind === "branch" ? ratio : change, saving };
    });
    const price = (u: ScoredUnit): number => (u.saving > 0 ? u.score / u.saving : Infinity);
    const order = (a: number, b: number): number => (a === b ? 0 : a - b);
    return ranked.sort((a, b) => order(price(a), price(b)) || (a.unit.name < b.unit.name ? -1 : 1));
  } finally {
    await executor.close();
  }
}

/** One try of stage 2: take out the unit with the least flow for the time it takes, recover, accept or put it back. */
export async function layerStep(state: PruneState, context: PruneContext): Promise<PruneState> {
  const { options } = context;
  const { removed, rejectsInRow, essential } = state.layers;
  const end = (why: string): PruneState => ({ ...state, phase: "filters", ends: { ...state.ends, layers: why } });
  if (removed >= options.maxRemovals) return end(`${removed} units are removed, the most allowed`);
  if (rejectsInRow >= options.patience) return end(`${rejectsInRow} units in a row turned out essential`);
  // A target that is reached ends stage 2 too, but not before it has looked at one unit.
  const reached = state.ledger.some((e) => e.stage === "layers") ? targetReached(context, state) : null;
  if (reached) return end(reached);

  const before = await context.load(current(state));
  const ranked = await rankUnits(before, context);
  const candidates = ranked.filter((r) => !essential.includes(r.unit.name));
  const first = candidates[0];
  if (!first)
    return end(ranked.length === 0 ? "there is no unit that shapes allow to remove" : "every unit left is essential");
  const { unit, score, saving } = first;

  const without = removeUnit(before, unit);
  const cost = costFigures(without, options);
  const seed = context.seedOf(state, "layers");
  const now = current(state).figures;
  const entry = (after: LayerEntry["after"], accepted: boolean, reason: string): LayerEntry => ({
    stage: "layers",
    step: state.ledger.length + 1,
    unit: unit.name,
    kind: unit.kind,
    score,
    rank: ranked.findIndex((r) => r.unit === unit) + 1,
    candidates: candidates.length,
    nodes: unit.nodes,
    saved: savingOf(now, cost),
    before: now,
    after,
    accepted,
    reason,
  });
  const rejected = (e: LayerEntry): PruneState => ({
    ...state,
    layers: { removed, rejectsInRow: rejectsInRow + 1, essential: [...essential, unit.name] },
    ledger: [...state.ledger, e],
  });

  const flow = `flow ${score.toFixed(3)} for ${(100 * saving).toFixed(0)} % of the time, least of ${candidates.length}`;
  if (cost.predictedMs >= now.predictedMs) {
    return rejected(entry({ ...cost, accuracy: null }, false, `${flow}, but no time would be saved`));
  }
  context.progress(`stage 2: without ${unit.kind} ${shortName(unit.name)}, recovering`);
  const { kept } = current(state);
  const repaired = options.repair
    ? await repairLayers(before, without, [], context.engine, context.calibration, {
        seed,
        changed: [unit.replacement],
        ...(options.oneShot && { reference: { graph: await context.store.getGraph("step-000"), kept } }),
      })
    : without;
  const { graph: after, lr } = await recover(repaired, kept, context.recovery, {
    epochs: Math.max(1, Math.ceil((options.layerSteps * options.batch) / context.recovery.train.count)),
    maxSteps: options.layerSteps,
    samples: Infinity,
    lr: rateOf(state, "lr", options),
    seed,
    onStep: context.onTraining,
  });
  const figures = await figuresOf(after, context);
  const limit = options.maxDrop * options.layerShare;
  const total = (state.dense.accuracy ?? 0) - (figures.accuracy ?? 0);
  const verdict =
    figures.accuracy === null
      ? flow
      : `${flow}; ${points((now.accuracy ?? 0) - figures.accuracy)} lost here, ${points(total)} in all, limit of stage 2 is ${limit.toFixed(2)}`;
  if (figures.accuracy !== null && !withinDrop(state.dense.accuracy!, figures.accuracy, limit)) {
    return withRate(rejected(entry(figures, false, `${verdict}; put back, the unit is essential`)), "lr", options, lr);
  }
  const next: PruneState = {
    ...withRate(state, "lr", options, lr),
    layers: { removed: removed + 1, rejectsInRow: 0, essential },
    ledger: [...state.ledger, entry(figures, true, verdict)],
  };
  return accept(next, context, after, figures);
}
