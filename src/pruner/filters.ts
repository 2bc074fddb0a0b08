import { getCriterion } from "../analyzer/criterion-registry.js";
import { measureFlow, type Flow } from "../analyzer/flow.js";
import { measureMoments, type Moments } from "../analyzer/moments.js";
import { logitsOf } from "../host/losses.js";
import { scoreGroups, tensorsFor, type GroupScores } from "../analyzer/scores.js";
import { analyzeCoupling } from "../model/coupling.js";
import { cutAtoms, type GroupCut } from "../model/cut.js";
import type { Graph } from "../model/types.js";
import { withinDrop } from "./budget.js";
import { compensate, compensatedTensors } from "./compensate.js";
import { costFigures, figuresOf, foldedMacs, type PruneContext } from "./context.js";
import { points, savingOf, type Figures, type FilterCut, type FilterEntry } from "./ledger.js";
import { keptAfter } from "./match.js";
import type { PruneTarget, ResolvedOptions } from "./options.js";
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
  step: { rho0: number; t: number; seed: number; denseMacs: number; goal: PruneTarget },
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
  const all = prunableChannels(scored);
  const paced = options.pace === "target" && hasTarget(options.target);
  const count = paced ? all : removals(schedule, step.t, all);
  const planning = {
    channelMultiple: options.channelMultiple,
    minShare: options.minShare,
    maxShareStep: options.maxShareStep,
    costUnit: options.costUnit,
    profile: options.profile,
    originalChannels: context.originalChannels,
    ...(hasTarget(step.goal) && { enough: (g: Graph) => isSmallEnough(g, step.denseMacs, step.goal, options) }),
  };
  const sensitivity =
    options.compareGroups === "output"
      ? await measureSensitivity(graph, scored, { flow, fitted: moments !== null }, planning, context)
      : undefined;
  const plan = planCut(graph, scored, count, { ...planning, ...(sensitivity && { sensitivity }) });
  return { plan, flow, rho: paced ? (plan.removed - plan.dead) / Math.max(1, all) : share(schedule, step.t) };
}

const hasTarget = ({ macs, ms }: PruneTarget): boolean => macs !== undefined || ms !== undefined;

/** As `meetsTarget`, without predicting a time that nobody asked for: this is called for many networks. */
function isSmallEnough(graph: Graph, denseMacs: number, { macs, ms }: PruneTarget, options: ResolvedOptions): boolean {
  if (macs !== undefined && foldedMacs(graph) <= macs * denseMacs) return true;
  return ms !== undefined && costFigures(graph, options).predictedMs <= ms;
}

/**
 * How far iteration t goes where the pace is the target's: an equal factor of the cost in each iteration that is left. An
 * iteration that failed makes all that follow half as bold.
 */
function paceGoal(
  now: Figures,
  denseMacs: number,
  state: PruneState["filters"],
  options: ResolvedOptions,
): PruneTarget {
  const { macs, ms } = options.target;
  const left = Math.max(1, options.iterations - state.t + state.failures) * 2 ** state.failures;
  const step = (from: number, to: number): number => from * Math.min(1, to / from) ** (1 / left);
  return {
    ...(macs !== undefined && { macs: left === 1 ? macs : step(now.macs / denseMacs, macs) }),
    ...(ms !== undefined && { ms: left === 1 ? ms : step(now.predictedMs, ms) }),
  };
}

/** The cuts with what each saves on top of those before it. */
function withSavings(graph: Graph, plan: PrunePlan, { options }: PruneContext): FilterCut[] {
  const groups = new Map(plan.cuts.map(({ group }) => [group.id, group]));
  const done: GroupCut[] = [];
  let before = costFigures(graph, options);
  return plan.ledger.map((cut) => {
    done.push({ group: groups.get(cut.group)!, atoms: cut.channels });
    const after = costFigures(cutAtoms(graph, done), options);
    const saved = savingOf(before, after);
    before = after;
    return { ...cut, saved };
  });
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
  if (t >= options.iterations * (hasTarget(options.target) ? 3 : 1))
    return end(`all ${options.iterations} iterations are done`);
  if (failures >= options.maxFailures) return end(`${failures} iterations broke the budget`);

  const before = await context.load(current(state));
  const seed = context.seedOf(state, "filters");
  const { plan, flow, rho } = await planIteration(before, context, {
    rho0,
    t: Math.min(t, options.iterations - 1),
    seed,
    denseMacs: state.dense.macs,
    goal:
      options.pace === "target"
        ? paceGoal(current(state).figures, state.dense.macs, state.filters, options)
        : options.target,
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
    cuts: withSavings(before, plan, context),
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
