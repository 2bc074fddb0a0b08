import { sizeOf, type Graph } from "../types.js";
import { recogniseActivations } from "./activations.js";
import { normaliseArithmetic } from "./arithmetic.js";
import { recogniseAttention } from "./attention.js";
import { recogniseBounds } from "./bounds.js";
import { absorbChannelConstants } from "./channel-affine.js";
import { sliceConstantGathers } from "./constant-gathers.js";
import { removeDeadNodes } from "./dead-nodes.js";
import { recogniseDense } from "./dense-products.js";
import { foldConstants } from "./fold-constants.js";
import { removeIdentities } from "./identities.js";
import { mergeDuplicates } from "./merge-duplicates.js";
import { recogniseNormalisation } from "./normalisation.js";
import { delayRowReshapes } from "./row-reshapes.js";
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
  recogniseDense,
  recogniseBounds,
  recogniseSlopes,
  recogniseSoftmax,
  recogniseNormalisation,
  recogniseActivations,
  delayRowReshapes,
  recogniseAttention,
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

/** Among two operands of equal size the pass may turn either, for ever; what costs as much is therefore left. */
function movedTransposes(graph: Graph): Graph {
  const moved = cancelTransposes(graph);
  return moved !== graph && isLess(costOf(moved), costOf(graph)) ? moved : graph;
}

/** Elements that transposes move, their number, and the number of nodes. */
function costOf({ nodes, tensors }: Graph): readonly number[] {
  const transposes = nodes.filter((node) => node.op === "transpose");
  const moved = transposes.map((node) => sizeOf(tensors.get(node.outputs[0]!)!.type.shape));
  return [moved.reduce((sum, size) => sum + size, 0), transposes.length, nodes.length];
}

/** The first place in which two lists differ decides. */
function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((v, i) => v !== b[i]);
  return at >= 0 && a[at]! < b[at]!;
}
