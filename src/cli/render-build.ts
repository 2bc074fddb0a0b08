import type { BuildResult } from "../build/types.js";
import { describeEntry } from "../pruner/ledger.js";
import { bytes, count, table } from "./table.js";

const percent = (x: number): string => `${(100 * x).toFixed(2)} %`;
const fewer = (d: { dense: number; pruned: number }): string =>
  d.dense > 0 ? `${(100 * (1 - d.pruned / d.dense)).toFixed(1)} % fewer` : "";

/** What a build came to, for people. */
export function renderBuild(r: BuildResult): string {
  const rows: string[][] = [];
  if (r.metric !== null) {
    rows.push([`${r.metric.name} (validation)`, percent(r.metric.dense), percent(r.metric.pruned), drop(r.metric)]);
  }
  if (r.test !== null) rows.push(["accuracy (test)", percent(r.test.dense), percent(r.test.pruned), drop(r.test)]);
  rows.push(
    ["MACs", count(r.macs.dense), count(r.macs.pruned), fewer(r.macs)],
    ["parameters", count(r.params.dense), count(r.params.pruned), fewer(r.params)],
  );
  const size = (what: "weights" | "code" | "glue", brotli: number): string[] => [
    what,
    r.bytes.dense === null ? "" : bytes(r.bytes.dense[what]),
    bytes(r.bytes[what]),
    `${bytes(brotli)} as brotli`,
  ];
  rows.push(
    size("weights", r.bytes.weightsBrotli),
    size("code", r.bytes.codeBrotli),
    size("glue", r.bytes.glueBrotli),
    ["memory", "", bytes(r.arenaBytes), "fixed"],
  );
  const { latency } = r;
  const ms = (x: number): string => `${x.toFixed(4)} ms`;
  rows.push(["predicted", ms(latency.densePredictedMs), ms(latency.predictedMs), latency.device]);
  if (latency.measuredMs !== null) {
    rows.push([
      "measured p50",
      latency.denseMs === null ? "" : ms(latency.denseMs),
      ms(latency.measuredMs),
      latency.speedup === null ? "" : `${latency.speedup.toFixed(2)} times as fast`,
    ]);
  }
  const lines = [table(["", "dense", "pruned", ""], rows)];
  if (r.test !== null) {
    const { dropPoints, low, high, samples, emitted } = r.test;
    lines.push(
      "",
      `On ${count(samples)} test samples the drop is ${dropPoints.toFixed(2)} points (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}); the emitted module scores ${percent(emitted)}.`,
    );
  }
  lines.push(
    `Largest error of the emitted module against the host: ${r.maxError.toExponential(1)} of the largest output.`,
  );
  if (r.ledger.length > 0) lines.push("", ...r.ledger.map(describeEntry));
  lines.push(
    "",
    r.accepted
      ? `accepted: ${r.package} (${r.seconds.toFixed(0)} s)`
      : `refused: ${r.reason ?? "no reason given"}\nthe best model found is in ${r.package}`,
  );
  return lines.join("\n");
}

function drop(m: { dense: number; pruned: number }): string {
  const points = 100 * (m.dense - m.pruned);
  return points >= 0 ? `${points.toFixed(2)} points less` : `${(-points).toFixed(2)} points more`;
}
