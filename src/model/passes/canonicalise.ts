import { equalGraphs } from "../equal.js";
import type { Graph } from "../types.js";
import { recogniseActivations } from "./activations.js";
import { normaliseArithmetic } from "./arithmetic.js";
import { recogniseBounds } from "./bounds.js";
import { absorbChannelConstants } from "./channel-affine.js";
import { sliceConstantGathers } from "./constant-gathers.js";
import { removeDeadNodes } from "./dead-nodes.js";
import { foldConstants } from "./fold-constants.js";
import { removeIdentities } from "./identities.js";
import { mergeDuplicates } from "./merge-duplicates.js";
import { recogniseNormalisation } from "./normalisation.js";
import { recogniseSlopes } from "./slopes.js";
import { recogniseSoftmax } from "./softmax.js";
import { cancelTransposes } from "./transposes.js";

/** In this order each pass sees what the ones before it have tidied. */
const PASSES: readonly ((graph: Graph) => Graph)[] = [
  removeDeadNodes,
  foldConstants,
  sliceConstantGathers,
  removeIdentities,
  normaliseArithmetic,
  mergeDuplicates,
  movedTransposes,
  recogniseBounds,
  recogniseSlopes,
  recogniseSoftmax,
  recogniseNormalisation,
  recogniseActivations,
  absorbChannelConstants,
];

/** Every round takes nodes out or makes them simpler; more rounds than this would be two passes that undo each other. */
const MOST_ROUNDS = 8;

/**
 * The lean form of a graph as it was read: constants computed, transposes cancelled, what computes nothing or the same
 * twice taken out, and operators recognised that the file spells out. Values change by rounding alone. Running it
 * again changes nothing.
 */
export function canonicalise(graph: Graph): Graph {
  let current = graph;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const before = current;
    for (const pass of PASSES) current = pass(current);
    if (current === before) break;
  }
  return current;
}

/** The pass builds a graph anew; where it comes to the same, the old one stays. */
function movedTransposes(graph: Graph): Graph {
  const moved = cancelTransposes(graph);
  return moved === graph || equalGraphs(moved, graph) === null ? graph : moved;
}
