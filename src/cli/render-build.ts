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
  dense > 0 ? `${(100 * (1 - pruned / dense)).toFixed(1)} % fewer` : "";

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
  lines.push(
    `Largest error of the emitted module against the host: ${r.maxError.toExponential(1)} of the largest output.`,
  );
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
  const size = (what: "weights" | "code" | "glue", brotli: number): Row => {
    const dense = r.bytes.dense?.[what];
    const compared = dense === undefined ? "" : fewer({ dense, pruned: r.bytes[what] });
    return [
      what,
      dense === undefined ? "" : bytes(dense),
      bytes(r.bytes[what]),
      compared,
      `${bytes(brotli)} as brotli`,
    ];
  };
  rows.push(
    size("weights", r.bytes.weightsBrotli),
    size("code", r.bytes.codeBrotli),
    size("glue", r.bytes.glueBrotli),
    ["arena", "", bytes(r.arenaBytes), "", "fixed"],
    ["predicted", ms(latency.densePredictedMs), ms(latency.predictedMs), "", `on ${latency.device}`],
  );
  if (latency.measuredMs !== null) {
    const dense = latency.denseMs === null ? "" : ms(latency.denseMs);
    const compared = latency.speedup === null ? "" : `${latency.speedup.toFixed(2)} times as fast`;
    rows.push(["measured p50", dense, ms(latency.measuredMs), compared, `in Node ${process.version.slice(1)}`]);
  }
  return rows;
}

function verdict(r: BuildResult): string {
  if (r.accepted) return `accepted: ${r.package} (${r.seconds.toFixed(0)} s)`;
  return `refused: ${r.reason ?? "no reason given"}\nThe best model found is in ${r.package}.`;
}
