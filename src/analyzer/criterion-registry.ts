import { IdapError } from "../model/errors.js";
import { criteria } from "./criteria/index.js";
import type { Criterion } from "./criterion.js";

/** Names of all criteria, in alphabetical order. */
export function criterionNames(): string[] {
  return criteria.map((c) => c.name).sort();
}

/** The criterion of that name; throws E_CRITERION with the names that exist. */
export function getCriterion(name: string): Criterion {
  const found = criteria.find((c) => c.name === name);
  if (!found) {
    throw new IdapError("E_CRITERION", `unknown criterion "${name}"`, `Use one of ${criterionNames().join(", ")}.`);
  }
  return found;
}
