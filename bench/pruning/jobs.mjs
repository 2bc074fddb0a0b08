// What is to be run, in order: seed by seed, so that a bench that is cut short has whole comparisons.

/** It ranks where nothing is trained, and cannot see behind layers as wide as those of the CNN: one-shot.mjs has it. */
const ELSEWHERE = "reconstruction";

/** Criteria of a network, divergence first. */
export function criteriaOf(network, all, only) {
  const others = all.filter((c) => c !== "divergence" && c !== ELSEWHERE);
  const known = network.criteria === "all" ? ["divergence", ...others] : network.criteria;
  return only === null ? known : known.filter((c) => only.includes(c));
}

/**
 * Runs that `done` has no row of, in calls of at most `perCall` criteria.
 * @param done predicate on { network, criterion, target, seed }
 */
export function jobsOf(name, network, criteria, { seeds, firstSeed }, done) {
  const jobs = [];
  for (let seed = firstSeed; seed < firstSeed + (seeds ?? network.seeds); seed++)
    for (const target of network.targets) {
      const left = criteria.filter((criterion) => !done({ network: name, criterion, target, seed }));
      for (let i = 0; i < left.length; i += network.perCall)
        jobs.push({ network: name, seed, target, criteria: left.slice(i, i + network.perCall) });
    }
  return jobs;
}
