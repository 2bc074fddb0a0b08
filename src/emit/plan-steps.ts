/** The steps of a graph in memory, as they become code; without the compiler, for whoever only counts them. */
import type { Graph } from "../model/types.js";
import { layOut, type LaidOut } from "./layout.js";
import { lower } from "./lower.js";
import { chooseWinograd, type WinogradMode } from "./winograd.js";

/** Throws E_NOT_EMITTED. */
export function planSteps(graph: Graph, winograd: WinogradMode): LaidOut {
  return layOut(chooseWinograd(lower(graph), winograd));
}
