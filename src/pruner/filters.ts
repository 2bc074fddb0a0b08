import { getCriterion } from "../analyzer/criterion-registry.js";
import { measureFlow, type Flow } from "../analyzer/flow.js";
import { measureMoments, type Moments } from "../analyzer/moments.js";
import { logitsOf } from "../host/losses.js";
import { scoreGroups, tensorsFor, type GroupScores } from "../analyzer/scores.js";
import { analyzeCoupling } from "../model/coupling.js";
import { cutAtoms } from "../model/cut.js";
import type { Graph } from "../model/types.js";
import { withinDrop } from "./budget.js";
import { compensate, compensatedTensors } from "./compensate.js";
import { costFigures, figuresOf, type PruneContext } from "./context.js";
import { points, type Figures, type FilterEntry } from "./ledger.js";
import { keptAfter } from "./match.js";
import type { PruneTarget } from "./options.js";
import { firstSteps, planCut, prunableChannels, type PlanOptions, type PrunePlan } from "./plan.js";
import { recover } from "./recovery.js";
import { repairLayers } from "./repair.js";
import { removals, share } from "./schedule.js";
import { sampled } from "./splits.js";
import { accept, current, rateOf, withRate, type PruneState } from "./state.js";

/** Statistics that one iteration needs: what the criterion reads, and the means of what consumers read. */
async function observe(graph: Graph, context: PruneContext): Promise<Flow> {
  const criterion = getCriterion(context.options.criterion);
  const tensors = new Set([...compensatedTensors(graph), ...tensorsFor(graph, criterion)]);
  const executor = context.engine.open(graph);
  try {
    return await measureFlow(graph, executor, context.calibration, {
      tensors: [...tensors],
      samples: context.options.calibrationSamples,
    });
  } finally {
    await executor.close();
  }
}

/** Movements of the output below this are rounding: f32, a few hundred layers' worth. */
const ROUNDING = 1e-6;

async function momentsOf(graph: Graph, context: PruneContext, seed: number): Promise<Map<string, Moments>> {
  const executor = context.engine.open(graph);
  return measureMoments(graph, executor, context.calibration, seed).finally(() => executor.close());
}

/**
 * How far the first step of each group moves the network's output: E‖z' - z‖² / E‖z‖² over calibration samples, z being
 * what the first output's softmax reads. One forward pass for each group. Readers get the means of what they lose.
 */
async function measureSensitivity(
  graph: Graph,
  scored: readonly GroupScores[],
  { flow, fitted }: { flow: Flow; fitted: boolean },
  planning: PlanOptions,
  context: PruneContext,
): Promise<Map<string, number>> {
  const samples = sampled(context.calibration, context.options.sensitivitySamples, 0);
  const logits = (g: Graph): Promise<Float32Array> => context.engine.predict(withLogits(g), samples);
  const whole = await logits(graph);
  const size = whole.reduce((s, v) => s + v * v, 0);
  const result = new Map<string, number>();
  for (const { key, cut } of firstSteps(graph, scored, planning)) {
    const now = await logits(cutAtoms(compensate(graph, [cut], flow), [cut]));
    const moved = now.reduce((s, v, i) => s + (v - whole[i]!) ** 2, 0) / Math.max(size, 1e-30);
    // A first step that costs nothing says nothing of the others; scores of what fitting cannot give back, which are shares
    // of variance too, then stand as they are.
    if (moved > ROUNDING || !fitted) result.set(key, moved);
  }
  return result;
}

/** The graph with what goes into a final softmax as its first output. */
function withLogits(graph: Graph): Graph {
  const [first, ...others] = graph.outputs;
  return { ...graph, outputs: [{ ...first!, tensor: logitsOf(graph) }, ...others] };
}

/** Scores all groups and picks the channels of iteration t. */
export async function planIteration(
  graph: Graph,
  context: PruneContext,
  step: { rho0: number; t: number; seed: number; denseMacs: number },
): Promise<{ plan: PrunePlan; flow: Flow; rho: number }> {
  const { options } = context;
  const flow = await observe(graph, context);
  const criterion = getCriterion(options.criterion);
  const gradients = criterion.needsGradients
    ? await context.engine.gradients(graph, context.calibration, options.calibrationSamples)
    : null;
  const moments = criterion.needsMoments ? await momentsOf(graph, context, step.seed) : null;
  const scored = scoreGroups(graph, analyzeCoupling(graph).groups, criterion, {
    flow,
    gradients,
    moments,
    seed: step.seed,
    normaliser: options.normaliser,
  });
  const schedule = { rho0: step.rho0, alpha: options.alpha, iterations: Math.max(1, options.iterations) };
  const count = removals(schedule, step.t, prunableChannels(scored));
  const planning = {
    channelMultiple: options.channelMultiple,
    minShare: options.minShare,
    maxShareStep: options.maxShareStep,
    costUnit: options.costUnit,
    profile: options.profile,
    originalChannels: context.originalChannels,
    enough: (g: Graph) => meetsTarget(costFigures(g, options), step.denseMacs, options.target) !== null,
  };
  const sensitivity =
    options.compareGroups === "output"
      ? await measureSensitivity(graph, scored, { flow, fitted: moments !== null }, planning, context)
      : undefined;
  const plan = planCut(graph, scored, count, { ...planning, ...(sensitivity && { sensitivity }) });
  return { plan, flow, rho: share(schedule, step.t) };
}

/** Which of the user's targets a network meets, as a sentence; null for none. */
function meetsTarget(now: Omit<Figures, "accuracy">, denseMacs: number, { macs, ms }: PruneTarget): string | null {
  if (macs !== undefined && now.macs <= macs * denseMacs) {
    return `the target of ${(100 * macs).toFixed(0)} % of the MACs is reached`;
  }
  if (ms !== undefined && now.predictedMs <= ms) return `the target of ${ms} ms is predicted to be reached`;
  return null;
}

/** Whether a target of the user's is reached, so that pruning can end. */
export function targetReached(context: PruneContext, state: PruneState): string | null {
  return meetsTarget(current(state).figures, state.dense.macs, context.options.target);
}

/** One iteration of stage 1: plan, cut, recover, evaluate, accept or roll back. */
export async function filterStep(state: PruneState, context: PruneContext): Promise<PruneState> {
  const { options } = context;
  const { t, rho0, failures } = state.filters;
  const end = (why: string): PruneState => ({ ...state, phase: "final", ends: { ...state.ends, filters: why } });
  const reached = targetReached(context, state);
  if (reached) return end(reached);
  // With a target the schedule goes on at its last pace until the target is reached.
  const hasTarget = options.target.macs !== undefined || options.target.ms !== undefined;
  if (t >= options.iterations * (hasTarget ? 3 : 1)) return end(`all ${options.iterations} iterations are done`);
  if (failures >= options.maxFailures) return end(`${failures} iterations broke the budget`);

  const before = await context.load(current(state));
  const seed = context.seedOf(state, "filters");
  const { plan, flow, rho } = await planIteration(before, context, {
    rho0,
    t: Math.min(t, options.iterations - 1),
    seed,
    denseMacs: state.dense.macs,
  });
  if (plan.removed === 0) return end("no group has channels left above its floor that would save time");

  const plain = cutAtoms(compensate(before, plan.cuts, flow), plan.cuts);
  context.progress(`stage 1, iteration ${t + 1}: ${plan.removed} channels out, recovering`);
  const kept = keptAfter(current(state).kept, plan.cuts);
  const cut = options.repair
    ? await repairLayers(before, plain, plan.cuts, context.engine, context.calibration, {
        seed,
        ...(options.oneShot && { reference: { graph: await context.store.getGraph("step-000"), kept } }),
      })
    : plain;
  const { graph: after, lr } = await recover(cut, kept, context.recovery, {
    epochs: options.recoveryEpochs,
    lr: rateOf(state, "lr", options),
    seed,
    onStep: context.onTraining,
  });
  const figures = await figuresOf(after, context);
  const limit = options.maxDrop * options.filterShare;
  const drop = (state.dense.accuracy ?? 0) - (figures.accuracy ?? 0);
  const accepted = figures.accuracy === null || withinDrop(state.dense.accuracy!, figures.accuracy, limit);
  const verdict =
    figures.accuracy === null
      ? "nothing to check against"
      : `${points(drop)} below the dense network after recovery, limit of stage 1 is ${limit.toFixed(2)}`;
  const entry: FilterEntry = {
    stage: "filters",
    step: state.ledger.length + 1,
    iteration: t,
    rho,
    cuts: plan.ledger,
    before: current(state).figures,
    after: figures,
    accepted,
    reason: accepted ? verdict : `${verdict}; rolled back, share halved`,
  };
  const next: PruneState = {
    ...withRate(state, "lr", options, lr),
    filters: accepted ? { t: t + 1, rho0, failures } : { t: t + 1, rho0: rho0 / 2, failures: failures + 1 },
    ledger: [...state.ledger, entry],
  };
  return accepted ? accept(next, context, after, figures, kept) : next;
}
