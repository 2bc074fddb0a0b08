import { defineCriterion } from "../criterion.js";

/** Uniform numbers from the seed: the floor that every criterion has to beat. */
export const random = defineCriterion({
  name: "random",
  summary: "uniform random numbers (sanity floor)",
  source: "sanity floor",
  needsFlow: false,
  normaliser: "group-mean",
  score: ({ producer, random: source }) => Float64Array.from({ length: producer.channels }, () => source.next()),
});
