import { graphCost } from "../analyzer/cost.js";
import type { EmitResult } from "../emit/index.js";
import type { Measurement } from "../measure/measure.js";
import { analyzeCoupling } from "../model/coupling.js";
import type { Graph } from "../model/types.js";
import { shortName, unitName, type FilterCut, type LayerEntry, type LedgerEntry } from "../pruner/ledger.js";
import type { PruneResult } from "../pruner/prune.js";
import type { ReportData, ReportLatency, ReportLayer, ReportRemoval, ReportStep } from "../report/index.js";
import { memoryFigure } from "./memory-figure.js";
import type { BuildResult } from "./types.js";

interface Sources {
  readonly source: Graph;
  readonly graph: Graph;
  readonly pruning: PruneResult | null;
  readonly measured: readonly Measurement[] | null;
  readonly emitted: EmitResult;
}

const ends = (values: readonly number[]): [number, number] => [Math.min(...values), Math.max(...values)];

function removalOf(c: FilterCut): ReportRemoval {
  const { macs, params, predictedMs: ms } = c.saved;
  return {
    what: c.layers.map(shortName).join(" + "),
    which: `${c.channels.length} of ${c.width[0]} channels: ${c.channels.join(", ")}`,
    score: ends(c.scores),
    rank: ends(c.ranks),
    ...{ macs, params, ms },
  };
}

function unitRemoval(e: LayerEntry): ReportRemoval {
  const { macs, params, predictedMs: ms } = e.saved;
  const which = `${e.nodes.length} nodes: ${e.nodes.map(shortName).join(", ")}`;
  return { what: unitName(e), which, score: [e.score, e.score], rank: [e.rank, e.rank], ...{ macs, params, ms } };
}

/** A ledger line in the words of the report; the final fine-tuning counts to the stage that it finishes. */
function stepOf(e: LedgerEntry): ReportStep {
  const common = {
    accepted: e.accepted,
    macs: e.after.macs,
    params: e.after.params,
    predictedMs: e.after.predictedMs,
    ...(e.after.accuracy !== null && { metric: e.after.accuracy }),
  };
  switch (e.stage) {
    case "filters":
      return {
        stage: "filters",
        what: e.cuts
          .map((c) => `${c.layers.map(shortName).join(" + ")}: ${c.width[0]} → ${c.width[1]} channels`)
          .join("; "),
        why: `least score lost for the cost saved; ${(100 * e.rho).toFixed(1)} % of the channels asked for`,
        reason: e.reason,
        removals: e.cuts.map(removalOf),
        ...common,
      };
    case "layers":
      return {
        stage: "layers",
        what: unitName(e),
        why: `lowest flow of ${e.candidates}: ${e.score.toFixed(3)}`,
        reason: e.reason.replace(/^lowest flow[^;]*; /, ""),
        removals: [unitRemoval(e)],
        ...common,
      };
    case "final":
      return { stage: "layers", what: `final fine-tuning of step ${e.of}`, why: "", reason: e.reason, ...common };
  }
}

function layersOf(source: Graph, graph: Graph): ReportLayer[] {
  const left = new Map(graphCost(graph).nodes.map((n) => [n.node, n]));
  return graphCost(source)
    .nodes.filter((n) => n.params > 0 && n.macs > 0)
    .map((n): ReportLayer => {
      const now = left.get(n.node);
      return {
        name: shortName(n.node),
        op: n.op,
        macs: { dense: n.macs, pruned: now?.macs ?? null },
        params: { dense: n.params, pruned: now?.params ?? null },
      };
    });
}

function factsOf({ passport }: EmitResult): [string, string][] {
  const { source, profile, graphSha256, weights, error } = passport;
  return [
    ...Object.entries(source ?? {}).map(([k, v]): [string, string] => [`source ${k}`, String(v)]),
    ...Object.entries(profile ?? {}).map(([k, v]): [string, string] => [`device profile ${k}`, String(v)]),
    ["emitted network sha256", graphSha256],
    ["weights sha256", weights.sha256],
    [
      "error bound",
      error.bound === null
        ? "none: integers or comparisons jump"
        : `${error.roundings} roundings of 2^-24 (${error.bound.toExponential(1)}), relative to ${error.relativeTo}`,
    ],
  ];
}

/** Everything the report shows, from what a build knows. */
export function reportData(
  result: Omit<BuildResult, "seconds">,
  { source, graph, pruning, measured, emitted }: Sources,
): ReportData {
  const entries: ReportLatency[] = (measured ?? []).map((m, i) => ({
    label: measured!.length > 1 && i === 0 ? `dense, ${m.variant}` : `${pruning ? "pruned, " : ""}${m.variant}`,
    p50Ms: m.steady.p50,
    p90Ms: m.steady.p90,
    p99Ms: m.steady.p99,
  }));
  const { latency, metric, test, bytes } = result;
  const frozen = analyzeCoupling(source).frozen.map((g) => ({
    what: shortName(g.id),
    why: g.atoms.find((a) => a.frozen !== null)?.frozen ?? "",
  }));
  return {
    name: result.name,
    accepted: result.accepted,
    ...(result.reason !== undefined && { reason: result.reason }),
    ...(metric && {
      metric: {
        name: metric.name,
        dense: metric.dense,
        pruned: metric.pruned,
        ...(result.maxDropPoints !== null && { maxDropPoints: result.maxDropPoints }),
      },
    }),
    ...(test && pruning && { test }),
    macs: result.macs,
    params: result.params,
    bytes: { pruned: bytes, ...(bytes.dense && { dense: bytes.dense }) },
    arenaBytes: {
      pruned: result.arenaBytes,
      ...(result.denseArenaBytes !== null && { dense: result.denseArenaBytes }),
    },
    latency: {
      device: measured?.[0]
        ? `Node ${measured[0].engine.version} on ${measured[0].engine.cpu}; predicted for ${latency.device}`
        : `predicted for ${latency.device}`,
      entries: [
        ...entries,
        ...(pruning ? [{ label: "dense", p50Ms: latency.densePredictedMs, predicted: true }] : []),
        { label: pruning ? "pruned" : result.name, p50Ms: latency.predictedMs, predicted: true },
      ],
    },
    error: { measured: result.maxError, bound: emitted.passport.error.bound ?? undefined },
    layers: layersOf(source, graph),
    ledger: result.ledger.map(stepOf),
    memory: memoryFigure(emitted.kernelPlan, emitted.memoryPlan),
    facts: factsOf(emitted),
    ...(frozen.length > 0 && { refusals: frozen }),
  };
}
