import { IdapError } from "../../model/errors.js";
import type { Graph } from "../../model/types.js";

/**
 * Builds a graph with the batch axis marked; where an operator mixes samples so that the mark cannot be carried on,
 * builds it again for the fixed size of the file (its inputs then have no batch axis).
 * When both fail, the first error is the one to show.
 */
export function withTracedBatch(build: (traced: boolean) => Graph): Graph {
  try {
    return build(true);
  } catch (error) {
    if (!(error instanceof IdapError) || error.code === "E_UNSUPPORTED" || error.code === "E_FORMAT") throw error;
    try {
      return build(false);
    } catch {
      throw error;
    }
  }
}
