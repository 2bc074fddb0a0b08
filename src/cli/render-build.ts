import type { BuildResult } from "../build/types.js";
import { describeEntry } from "../pruner/ledger.js";
import { bytes, count, table } from "./table.js";

interface Pair {
  readonly dense: number;
  readonly pruned: number;
}

const percent = (x: number): string => `${(100 * x).toFixed(2)} %`;
const ms = (x: number): string => `${x.toFixed(4)} ms`;
const fewer = ({ dense, pruned }: Pair): string =>
  dense <= 0 || dense === pruned
    ? ""
    : `${Math.abs(100 * (1 - pruned / dense)).toFixed(1)} % ${pruned <= dense ? "fewer" : "more"}`;

function drop({ dense, pruned }: Pair): string {
  const points = 100 * (dense - pruned);
  return points >= 0 ? `${points.toFixed(2)} points less` : `${(-points).toFixed(2)} points more`;
}

/** A row of figures: what, dense, pruned, comparison, remark. */
type Row = readonly [what: string, dense: string, pruned: string, compared: string, remark?: string];

/** What a build came to, for people. */
export function renderBuild(r: BuildResult): string {
  const rows = figures(r);
  // Without pruning there is one network, and nothing to compare.
  const lines = [
    r.bytes.dense === null
      ? table(
          ["", r.name, ""],
          rows.map(([what, , value, , remark]) => [what, value, remark ?? ""]),
        )
      : table(
          ["", "dense", "pruned", "", ""],
          rows.map(([what, dense, pruned, compared, remark]) => [what, dense, pruned, compared, remark ?? ""]),
        ),
  ];
  if (r.test !== null && r.bytes.dense !== null) {
    const { dropPoints, low, high, samples } = r.test;
    lines.push(
      "",
      `On ${count(samples)} test samples the drop is ${dropPoints.toFixed(2)} points (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}).`,
    );
  }
  if (r.ledger.length > 0) lines.push("", ...r.ledger.map(describeEntry));
  lines.push("", verdict(r));
  return lines.join("\n");
}

function figures(r: BuildResult): Row[] {
  const rows: Row[] = [];
  const { metric, test, latency } = r;
  if (metric !== null) {
    rows.push([`${metric.name} (validation)`, percent(metric.dense), percent(metric.pruned), drop(metric)]);
  }
  if (test !== null) {
    rows.push([
      "accuracy (test)",
      percent(test.dense),
      percent(test.pruned),
      drop(test),
      `module ${percent(test.emitted)}`,
    ]);
  }
  rows.push(
    ["MACs", count(r.macs.dense), count(r.macs.pruned), fewer(r.macs)],
    ["parameters", count(r.params.dense), count(r.params.pruned), fewer(r.params)],
  );
  const size = (what: "weights" | "code" | "glue", packed: `${typeof what}Brotli`): Row[] => {
    const dense = r.bytes.dense;
    const row = (label: string, key: typeof what | typeof packed): Row => [
      label,
      dense === null ? "" : bytes(dense[key]),
      bytes(r.bytes[key]),
      dense === null ? "" : fewer({ dense: dense[key], pruned: r.bytes[key] }),
    ];
    return [row(what, what), row(`${what}, brotli`, packed)];
  };
  rows.push(
    ...size("weights", "weightsBrotli"),
    ...size("code", "codeBrotli"),
    ...size("glue", "glueBrotli"),
    ["arena", r.denseArenaBytes === null ? "" : bytes(r.denseArenaBytes), bytes(r.arenaBytes), "", "fixed"],
    [
      "max error",
      r.denseMaxError === null ? "" : r.denseMaxError.toExponential(1),
      r.maxError.toExponential(1),
      "",
      "against the host, of the largest output",
    ],
    [
      "predicted",
      ms(latency.densePredictedMs),
      ms(latency.predictedMs),
      "",
      `on ${latency.device}${corrected(latency)}`,
    ],
  );
  if (latency.measuredMs !== null) {
    const dense = latency.denseMs === null ? "" : ms(latency.denseMs);
    const compared = latency.speedup === null ? "" : `${latency.speedup.toFixed(2)} times as fast`;
    rows.push(["measured p50", dense, ms(latency.measuredMs), compared, `in ${latency.measuredOn ?? "?"}`]);
  }
  if (latency.budgetMs !== null) {
    const how = latency.onDevice ? "measured" : "by prediction: measure on the device with idap measure --serve";
    rows.push(["budget", "", ms(latency.budgetMs), "", how]);
  }
  return rows;
}

const corrected = ({ corrected: factor }: BuildResult["latency"]): string =>
  factor === null ? "" : `, corrected by ${factor.toFixed(3)} after measuring`;

function verdict(r: BuildResult): string {
  if (r.accepted) return `accepted: ${r.package} (${r.seconds.toFixed(0)} s)`;
  return `refused: ${r.reason ?? "no reason given"}\nThe best model found is in ${r.package}.`;
}
