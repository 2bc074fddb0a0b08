import { stepBack, withinDrop } from "./budget.js";
import { figuresOf, type PruneContext } from "./context.js";
import { points, type FinalEntry } from "./ledger.js";
import { recover } from "./recovery.js";
import { current, type FinalTry, type PruneState, type Snapshot } from "./state.js";

/** The candidate to fine-tune next; null when there is nothing left to try. */
function nextCandidate(state: PruneState, context: PruneContext): Snapshot | null {
  const last = state.tries.at(-1);
  if (!last) return current(state).step > 0 ? current(state) : null;
  const left = context.options.finalAttempts - state.tries.length;
  if (left <= 0) return null;
  const tried = state.accepted.find((s) => s.step === last.of)!;
  const rung = stepBack(
    state.accepted,
    tried,
    last.figures.accuracy ?? 0,
    state.dense.accuracy ?? 0,
    context.options.maxDrop,
    left === 1,
  );
  return rung ? state.accepted.find((s) => s.step === rung.step)! : null;
}

/** Fine-tunes the smallest accepted network; outside the limit it climbs back to a bigger one. */
export async function finalStep(state: PruneState, context: PruneContext): Promise<PruneState> {
  const { options } = context;
  if (state.tries.at(-1)?.within) return { ...state, phase: "done" };
  const candidate = nextCandidate(state, context);
  if (!candidate) return { ...state, phase: "done" };

  const before = await context.load(candidate);
  context.progress(`final fine-tuning of step ${candidate.step}`);
  const after = await recover(before, candidate.kept, context.recovery, {
    epochs: options.finalEpochs,
    lr: options.finalLr,
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
    before: candidate.figures,
    after: figures,
    accepted: within,
    reason:
      figures.accuracy === null
        ? "nothing to check against"
        : `${points(drop)} below the dense network, limit is ${options.maxDrop}${within ? "" : "; stepping back"}`,
  };
  const name = `final-${state.tries.length + 1}`;
  await context.store.putGraph(name, after);
  const result: FinalTry = { of: candidate.step, graph: name, figures, within };
  return { ...state, tries: [...state.tries, result], ledger: [...state.ledger, entry] };
}
