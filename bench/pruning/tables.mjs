// Rows become tables in Markdown, and the comparison of divergence with the best classical criterion.
import { NETWORKS, isClassical } from "./networks.mjs";

const points = (share, digits = 2) => (100 * share).toFixed(digits);
const mean = (values) => values.reduce((s, v) => s + v, 0) / values.length;

/** Runs of one network and budget, by criterion and seed. Rows of several settings are never mixed: the newest count. */
export function group(rows) {
  const newest = new Map(rows.map((row) => [row.network, row.settings]));
  const groups = new Map();
  for (const row of rows) {
    if (row.settings !== newest.get(row.network)) continue;
    const key = `${row.network} ${row.target}`;
    let g = groups.get(key);
    if (!g) groups.set(key, (g = { network: row.network, target: row.target, criteria: new Map(), dense: row.dense }));
    let runs = g.criteria.get(row.criterion);
    if (!runs) g.criteria.set(row.criterion, (runs = new Map()));
    runs.set(row.seed, row);
  }
  return [...groups.values()];
}

/** Networks are compared that differ by no more than this share of the dense network's MACs. */
const SAME_COST = 0.0105;

/** Runs of two criteria with the same seed and as much recovery, at the same cost. */
function comparable(g, first, second) {
  const b = g.criteria.get(second);
  return [...(g.criteria.get(first) ?? [])].flatMap(([seed, one]) => {
    const other = b?.get(seed);
    const same =
      other && Math.abs(one.macs - other.macs) <= SAME_COST && (one.recoveries ?? 0) === (other.recoveries ?? 0);
    return same ? [[one, other]] : [];
  });
}

/** Accuracies of two criteria where their runs are comparable: differences in points, first - second. */
export function pairs(g, first, second, split) {
  return comparable(g, first, second).map(([one, other]) => 100 * (one[split] - other[split]));
}

/** Pairs of one seed that are not comparable: told, never counted. */
function unequal(g, first, second) {
  const b = g.criteria.get(second);
  const both = [...(g.criteria.get(first) ?? [])].filter(([seed]) => b?.has(seed)).length;
  return both - comparable(g, first, second).length;
}

/**
 * The one classical criterion that is best on average: over all networks and budgets, the mean of its distance to
 * divergence, of those criteria that were run everywhere; null where there is none.
 */
export function bestClassical(rows, split) {
  const groups = group(rows);
  const names = [...new Set(rows.map((r) => r.criterion))].filter(isClassical);
  const lead = (name) => groups.map((g) => pairs(g, name, "divergence", split));
  const everywhere = names.filter((name) => lead(name).every((d) => d.length > 0));
  const score = (name) => mean(lead(name).map(mean));
  return everywhere.sort((a, b) => score(b) - score(a))[0] ?? null;
}

const withSign = (v) => `${v >= 0 ? "+" : "−"}${Math.abs(v).toFixed(2)}`;
const range = (spread) =>
  spread.interval === null ? "" : ` (${withSign(spread.interval[0])} to ${withSign(spread.interval[1])})`;

function tableOf(g, { spreadOf }, split) {
  const title = NETWORKS[g.network]?.title ?? g.network;
  const lines = [
    `### ${title}, ${points(g.target, 0)} % of the MACs`,
    "",
    `Dense: ${points(g.dense[split])} % on ${split}, ${(g.dense.macs / 1e6).toFixed(2)} M MACs, ` +
      `${g.dense.predictedMs.toFixed(3)} ms predicted.`,
    "",
    `| criterion | ${split}, % | seeds | MACs, % | predicted ms | measured time | divergence is better by |`,
    "| --- | --- | --- | --- | --- | --- | --- |",
  ];
  const summary = [...g.criteria].map(([criterion, bySeed]) => {
    const runs = [...bySeed.values()];
    const times = runs.flatMap((r) => (r.measuredShare === null ? [] : [r.measuredShare]));
    const differences = criterion === "divergence" ? [] : pairs(g, "divergence", criterion, split);
    return { criterion, runs, times, accuracy: spreadOf(runs.map((r) => r[split])), differences };
  });
  summary.sort((a, b) => b.accuracy.mean - a.accuracy.mean);
  for (const { criterion, runs, times, accuracy, differences } of summary) {
    const behind = differences.length === 0 ? "" : spreadOf(differences);
    const apart = criterion === "divergence" ? 0 : unequal(g, "divergence", criterion);
    const remark = apart === 0 ? "" : ` (${apart} of other cost left out)`;
    const costs = runs.map((r) => 100 * r.macs);
    const [least, most] = [Math.min(...costs).toFixed(1), Math.max(...costs).toFixed(1)];
    const cells = [
      `\`${criterion}\``,
      `${points(accuracy.mean)} ± ${points(accuracy.sd)}`,
      accuracy.n,
      least === most ? least : `${least} to ${most}`,
      mean(runs.map((r) => r.predictedMs)).toFixed(3),
      times.length > 0 ? `${points(mean(times), 0)} %` : "",
      (behind === "" ? "" : `${withSign(behind.mean)}${range(behind)}`) + remark,
    ];
    lines.push(`| ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

function verdict(rows, library, split) {
  const best = bestClassical(rows, split);
  if (best === null)
    return "No classical criterion was run on every network and budget here, so none is the best of them.";
  const groups = group(rows);
  const lines = [
    `Over all networks and budgets the best classical criterion is \`${best}\`. Divergence against it, paired by seed, in points:`,
    "",
    "| network | pairs | difference | 95 % interval |",
    "| --- | --- | --- | --- |",
  ];
  const means = [];
  for (const network of new Set(groups.map((g) => g.network))) {
    const differences = groups.filter((g) => g.network === network).flatMap((g) => pairs(g, "divergence", best, split));
    const spread = library.spreadOf(differences);
    means.push(spread.mean);
    const interval =
      spread.interval === null ? "" : `${withSign(spread.interval[0])} to ${withSign(spread.interval[1])}`;
    lines.push(`| ${NETWORKS[network]?.title ?? network} | ${spread.n} | ${withSign(spread.mean)} | ${interval} |`);
  }
  lines.push("", `Mean over the networks: ${withSign(mean(means))}.`);
  return lines.join("\n");
}

/** All tables of the rows; a sentence where there are none. */
export function renderTables(rows, library, { split }) {
  const known = rows.filter((row) => row[split] !== null);
  if (known.length === 0) return `no rows with accuracy on ${split} yet\n`;
  return `${[...group(known).map((g) => tableOf(g, library, split)), verdict(known, library, split)].join("\n\n")}\n`;
}

/** The page of the docs. */
export function renderPage(rows, library, options) {
  const cpu = [...new Set(rows.map((r) => r.cpu))].join(", ");
  const hours = rows.reduce((s, r) => s + r.seconds, 0) / 3600;
  return `<!-- Generated by \`node bench/pruning/run.mjs --docs\`; do not edit. -->

# Criteria side by side

${rows.length} pruning runs of ${bestWord(rows)} on ${cpu}, ${hours.toFixed(1)} hours, by \`bench/pruning\`; its README says what one
run spends. All criteria of a network start from the same dense checkpoint and have the same recovery. The mean and the
standard deviation are over seeds, which vary the pruning and its training, not the checkpoint or the splits. Measured time
is the share of the dense package's, timed in turns. Intervals are Student's t over pairs of one seed and budget.

${renderTables(rows, library, options)}`;
}

function bestWord(rows) {
  const n = new Set(rows.map((r) => r.network)).size;
  return n === 1 ? "one network" : `${n} networks`;
}
