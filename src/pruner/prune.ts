import { createHash } from "node:crypto";
import { measureFlow, type Flow } from "../analyzer/flow.js";
import { producersOf } from "../analyzer/producers.js";
import type { Split } from "../model/dataset.js";
import { IdapError } from "../model/errors.js";
import { graphToJson } from "../model/serialize.js";
import type { Graph } from "../model/types.js";
import type { RunStore } from "./checkpoint.js";
import { costFigures, foldedGraph, mixSeed, type PruneContext } from "./context.js";
import type { Engine } from "./engine.js";
import { filterStep } from "./filters.js";
import { finalStep } from "./final.js";
import { layerStep } from "./layers.js";
import type { Figures, LedgerEntry } from "./ledger.js";
import { allChannels, matchPoints, type KeptChannels } from "./match.js";
import { resolveOptions, type PruneOptions, type ResolvedOptions } from "./options.js";
import { prepareForRecovery } from "./prepare.js";
import { chooseAugmentation, type StepProgress } from "./recovery.js";
import { relabelled } from "./splits.js";
import type { PruneState, Snapshot } from "./state.js";

/** Samples for one run. Validation is seen by no score and no gradient. */
export interface PruneData {
  readonly train: Split;
  readonly validation: Split;
  readonly calibration: Split;
  /** Identifies the samples; part of the key that a resumed run must match. */
  readonly hash: string;
}

export interface PruneHooks {
  /** A new step began. */
  onProgress?(message: string, state: PruneState | null): void;
  onTraining?: StepProgress;
  /** A step was decided. */
  onEntry?(entry: LedgerEntry): void;
}

export interface PruneResult {
  /** The network to emit, batch norm folded; the dense one when nothing could be pruned. */
  readonly graph: Graph;
  readonly accepted: boolean;
  /** One sentence; null when accepted. */
  readonly reason: string | null;
  /** What the accuracy is: accuracy against labels, or agreement with the dense network. */
  readonly metric: "accuracy" | "agreement";
  readonly dense: Figures;
  readonly pruned: Figures;
  readonly ledger: readonly LedgerEntry[];
  readonly state: PruneState;
  readonly options: ResolvedOptions;
}

/** Prunes `dense` inside an accuracy budget: units, filters, final fine-tuning; resumes whatever `store` holds. */
export async function prune(
  dense: Graph,
  data: PruneData,
  given: PruneOptions,
  tools: { engine: Engine; store: RunStore; hooks?: PruneHooks },
): Promise<PruneResult> {
  const options = resolveOptions(given);
  const { engine, store, hooks = {} } = tools;
  const key = runKey(dense, data, options);
  const { validation, metric } = await validationOf(dense, data, engine);

  let state = await store.load();
  if (state && (state.format !== 1 || state.key !== key)) {
    throw new IdapError(
      "E_RESUME",
      "the run folder belongs to another model, data set or set of options",
      "Repeat the options of the interrupted run, or leave out --resume to start again.",
    );
  }
  if (!state) {
    hooks.onProgress?.("evaluating the dense network", null);
    state = await start(dense, { ...data, validation }, options, key, tools);
    await store.save(state);
  }
  const { augment } = state;
  const flow = await matchFlow(dense, data.calibration, options, engine);
  const graphs = new Map<string, Graph>();
  const context: PruneContext = {
    engine,
    options,
    calibration: data.calibration,
    validation,
    recovery: { engine, dense, train: data.train, options, augment, flow },
    store,
    originalChannels: new Map(producersOf(dense).map((p) => [p.node.name, p.channels])),
    async load(snapshot: Pick<Snapshot, "graph">) {
      const graph = graphs.get(snapshot.graph) ?? (await store.getGraph(snapshot.graph));
      graphs.clear(); // the current one only: earlier networks are read again when the run steps back
      graphs.set(snapshot.graph, graph);
      return graph;
    },
    seedOf: (s, phase) => mixSeed(options.seed, phase, s.ledger.length),
    progress: (message) => hooks.onProgress?.(message, state),
    onTraining: (p) => hooks.onTraining?.(p),
  };

  while (state.phase !== "done") {
    const next = await advance(state, context);
    await store.save(next);
    if (next.ledger.length > state.ledger.length) hooks.onEntry?.(next.ledger.at(-1)!);
    state = next;
  }
  return conclude(dense, state, options, metric, store);
}

/** Statistics of the dense network's match points: a function of model and data, so a resumed run measures the same. */
async function matchFlow(dense: Graph, calibration: Split, options: ResolvedOptions, engine: Engine): Promise<Flow> {
  const executor = engine.open(dense);
  const samples = Math.min(256, options.calibrationSamples);
  return measureFlow(dense, executor, calibration, { tensors: matchPoints(dense), samples }).finally(() =>
    executor.close(),
  );
}

/** The next state: one decision further. */
export function advance(state: PruneState, context: PruneContext): Promise<PruneState> {
  switch (state.phase) {
    case "filters":
      return filterStep(state, context);
    case "layers":
      return layerStep(state, context);
    case "final":
      return finalStep(state, context);
    case "done":
      return Promise.resolve(state);
  }
}

/** Without labels the dense network's own answers are the labels: accuracy is then fidelity. */
async function validationOf(
  dense: Graph,
  data: PruneData,
  engine: Engine,
): Promise<{ validation: Split; metric: PruneResult["metric"] }> {
  if (data.validation.labels) return { validation: data.validation, metric: "accuracy" };
  const scores = await engine.predict(dense, data.validation);
  const classes = scores.length / Math.max(1, data.validation.count);
  const labels = Int32Array.from({ length: data.validation.count }, (_, i) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (scores[i * classes + c]! > scores[i * classes + best]!) best = c;
    return best;
  });
  return { validation: relabelled(data.validation, labels, classes), metric: "agreement" };
}

async function start(
  dense: Graph,
  data: PruneData,
  options: ResolvedOptions,
  key: string,
  { engine, store }: { engine: Engine; store: RunStore },
): Promise<PruneState> {
  const { accuracy } = await engine.evaluate(dense, data.validation);
  const figures: Figures = { ...costFigures(dense, options), accuracy };
  const executor = engine.open(dense);
  const samples = Math.min(options.calibrationSamples, data.calibration.count);
  const prepared = await prepareForRecovery(dense, executor, data.calibration, samples).finally(() => executor.close());
  const augment = options.oneShot ? "none" : await chooseAugmentation(engine, dense, data.calibration, options.augment);
  await store.putGraph("step-000", prepared);
  return {
    format: 1,
    key,
    phase: "layers",
    augment,
    dense: figures,
    filters: { t: 0, rho0: options.rho0, failures: 0 },
    layers: { removed: 0, rejectsInRow: 0, essential: [] },
    accepted: [{ step: 0, figures, graph: "step-000", kept: trackedChannels(dense, options) }],
    tries: [],
    ledger: [],
    ends: {},
  };
}

/** The channels that a run keeps account of: those of match points, or of all layers where these are fitted to the dense ones. */
function trackedChannels(dense: Graph, options: ResolvedOptions): KeptChannels {
  return allChannels(dense, options.oneShot ? producersOf(dense).map((p) => p.raw) : matchPoints(dense));
}

/** Hash of everything that a run depends on besides the program itself. */
export function runKey(dense: Graph, data: PruneData, options: ResolvedOptions): string {
  const hash = createHash("sha256");
  hash.update(graphToJson(dense)); // holds the hash of the weights
  hash.update(data.hash);
  hash.update(`${data.train.count} ${data.validation.count} ${data.calibration.count}`);
  hash.update(JSON.stringify(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))));
  return hash.digest("hex");
}

async function conclude(
  dense: Graph,
  state: PruneState,
  options: ResolvedOptions,
  metric: PruneResult["metric"],
  store: RunStore,
): Promise<PruneResult> {
  const inside = state.tries.find((t) => t.within);
  const best = inside ?? [...state.tries].sort((a, b) => (b.figures.accuracy ?? 0) - (a.figures.accuracy ?? 0))[0];
  const graph = best ? foldedGraph(await store.getGraph(best.graph)) : dense;
  const pruned: Figures = best ? best.figures : state.dense;
  const saving = 1 - pruned.predictedMs / state.dense.predictedMs;
  let reason: string | null = null;
  if (!best) {
    reason = `nothing could be removed within ${options.maxDrop} points: ${state.ends.filters ?? "no iteration was accepted"}`;
  } else if (!inside) {
    const drop = 100 * ((state.dense.accuracy ?? 0) - (pruned.accuracy ?? 0));
    reason = `the best pruned network is ${drop.toFixed(2)} points below the dense one, the limit is ${options.maxDrop}`;
  } else if (saving < options.minSaving) {
    const macs = 100 * (1 - pruned.macs / state.dense.macs);
    reason =
      `only ${(100 * saving).toFixed(1)} % of the time on ${options.profile.name} would be saved ` +
      `(${macs.toFixed(1)} % of the MACs)`;
  }
  return {
    graph,
    accepted: reason === null,
    reason,
    metric,
    dense: state.dense,
    pruned,
    ledger: state.ledger,
    state,
    options,
  };
}
