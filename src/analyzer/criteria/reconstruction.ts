import { invariant } from "../../model/errors.js";
import { defineCriterion } from "../criterion.js";
import { readersOf } from "../readers.js";

/**
 * What the readers of a channel lose with it, as a share of the variance of their outputs, when their other weights and
 * biases are fitted again: channels are taken away one by one, the cheapest first, and a channel's score is what it cost
 * when its turn came. A channel that others can stand in for, or that is constant, costs nothing; of two that are alike the
 * second costs what both are worth. Nothing is trained in one-shot mode, so this is what is left of the damage there.
 */
export const reconstruction = defineCriterion({
  name: "reconstruction",
  summary: "what the readers lose when they are fitted again without the channel; one by one",
  source: "Hassibi and Stork 1993 for blocks; as He et al. 2017 choose channels",
  needsFlow: false,
  needsMoments: true,
  normaliser: "none",
  scoreGroup({ graph, group, moments }) {
    invariant(moments, "reconstruction: no moments");
    const readers = readersOf(graph, group, moments);
    const left = new Set(group.atoms.filter((a) => a.frozen === null).map((a) => a.id));
    const scores = new Float64Array(group.atoms.length).fill(NaN);
    if (readers.length === 0) return scores;
    const loss = (atom: number): number =>
      readers.reduce((s, { elimination, entries }) => {
        const own = entries.get(atom);
        return own && elimination.variance > 0 ? s + elimination.loss(own) / elimination.variance : s;
      }, 0);
    let highest = 0;
    while (left.size > 0) {
      let best = -1;
      let least = Infinity;
      for (const atom of left) {
        const cost = loss(atom);
        if (cost < least) [best, least] = [atom, cost];
      }
      if (best < 0) break; // not finite: keep
      for (const { elimination, entries } of readers) elimination.remove(entries.get(best) ?? []);
      highest = Math.max(highest, least); // in the order in which they go
      scores[best] = highest;
      left.delete(best);
    }
    return scores;
  },
});
