import type { Unit } from "../analyzer/units.js";
import { GraphPatch } from "../model/patch.js";
import { removeDeadNodes } from "../model/passes/index.js";
import type { Graph } from "../model/types.js";

/** The graph without a unit: whoever read its output reads the replacement. Nothing else changes. */
export function removeUnit(graph: Graph, unit: Unit): Graph {
  const patch = new GraphPatch(graph);
  for (const node of unit.nodes) patch.remove(node);
  patch.redirect(unit.output, unit.replacement);
  return removeDeadNodes(patch.apply());
}
