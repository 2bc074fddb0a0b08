/** A memory plan as the report and the picture of its own draw it. */
import { planEmission, type KernelPlan, type MemoryPlan } from "../emit/index.js";
import type { Graph } from "../model/types.js";
import { shortName } from "../pruner/ledger.js";
import { memorySvg, type ReportData } from "../report/index.js";

export function memoryFigure(kernels: KernelPlan, plan: MemoryPlan): NonNullable<ReportData["memory"]> {
  const last = kernels.layers.length - 1;
  return {
    bytes: plan.arenaBytes,
    steps: kernels.layers.map((l) => shortName(l.name)),
    buffers: plan.buffers.map((b) => ({
      name: shortName(b.name),
      offset: b.offset,
      bytes: b.bytes,
      from: Math.max(0, b.first),
      to: Math.min(last, b.last ?? last),
    })),
  };
}

/** Lifetimes over places of everything that an emitted network computes, as a standalone SVG. Throws E_NOT_EMITTED. */
export function memoryPlanSvg(graph: Graph): string {
  const { kernels, memory } = planEmission(graph);
  return memorySvg(`${graph.name}: memory plan`, memoryFigure(kernels, memory));
}
