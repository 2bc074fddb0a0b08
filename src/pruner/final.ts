import { stepBack, withinDrop, worthAnotherRound } from "./budget.js";
import { figuresOf, type PruneContext } from "./context.js";
import { points, type FinalEntry } from "./ledger.js";
import { recover } from "./recovery.js";
import { current, rateOf, withRate, type FinalTry, type PruneState, type Snapshot } from "./state.js";

/** What the next round starts from: a network in the run folder, of which accepted network it comes, and its number. */
interface Round {
  readonly candidate: Snapshot;
  readonly from: Pick<FinalTry, "graph" | "figures">;
  readonly number: number;
}

/** The round to run next; null when there is nothing left to try. */
function nextRound(state: PruneState, { options, validation }: PruneContext): Round | null {
  const fresh = (candidate: Snapshot): Round => ({ candidate, from: candidate, number: 1 });
  const last = state.tries.at(-1);
  if (!last) return current(state).step > 0 ? fresh(current(state)) : null;
  if (state.tries.length >= options.finalRounds) return null;

  const candidate = state.accepted.find((s) => s.step === last.of)!;
  const rounds = state.tries.filter((t) => t.of === last.of);
  const dense = state.dense.accuracy ?? 0;
  const before = (rounds.at(-2) ?? candidate).figures.accuracy ?? 0;
  const now = last.figures.accuracy ?? 0;
  const gained = { before, now, samples: validation.count };
  if (!options.oneShot && worthAnotherRound(gained, dense, options.maxDrop)) {
    return { candidate, from: last, number: rounds.length + 1 };
  }
  const left = options.finalAttempts - new Set(state.tries.map((t) => t.of)).size;
  const rung = left > 0 ? stepBack(state.accepted, candidate, now, dense, options.maxDrop, left === 1) : null;
  return rung ? fresh(state.accepted.find((s) => s.step === rung.step)!) : null;
}

/**
 * One round of fine-tuning: of the smallest accepted network; again of the same while that leads to the limit; else of
 * a bigger one. Every round is a cosine of its own, so that the run can end with the first one inside the limit.
 */
export async function finalStep(state: PruneState, context: PruneContext): Promise<PruneState> {
  const { options } = context;
  if (state.tries.at(-1)?.within) return { ...state, phase: "done" };
  const round = nextRound(state, context);
  if (!round) return { ...state, phase: "done" };

  const { candidate, from, number } = round;
  const before = await context.load(from);
  context.progress(`final fine-tuning of step ${candidate.step}, round ${number}`);
  const { graph: after, lr } = await recover(before, candidate.kept, context.recovery, {
    epochs: options.finalEpochs,
    lr: rateOf(state, "finalLr", options),
    samples: Infinity,
    cutMix: options.finalMix,
    seed: context.seedOf(state, "final"),
    onStep: context.onTraining,
  });
  const figures = await figuresOf(after, context);
  const within = figures.accuracy === null || withinDrop(state.dense.accuracy!, figures.accuracy, options.maxDrop);
  const drop = (state.dense.accuracy ?? 0) - (figures.accuracy ?? 0);
  const entry: FinalEntry = {
    stage: "final",
    step: state.ledger.length + 1,
    of: candidate.step,
    round: number,
    before: from.figures,
    after: figures,
    accepted: within,
    reason:
      figures.accuracy === null
        ? "nothing to check against"
        : `${points(drop)} below the dense network, limit is ${options.maxDrop}`,
  };
  const name = `final-${state.tries.length + 1}`;
  await context.store.putGraph(name, after);
  const result: FinalTry = { of: candidate.step, graph: name, figures, within };
  return {
    ...withRate(state, "finalLr", options, lr),
    tries: [...state.tries, result],
    ledger: [...state.ledger, entry],
  };
}
