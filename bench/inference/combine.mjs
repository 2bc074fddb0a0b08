// From repeats to one table: medians over repeats, and ratios that are formed inside each repeat.
import { ENGINES } from "./engines.mjs";
import { geometricMean, median } from "./statistics.mjs";

export const isOurs = (name) => ENGINES[name].runtime === "ours";

const OURS = ["simd", "relaxed"];

/** The variant with the shorter median, by name. */
function best(engines) {
  const present = OURS.filter((name) => engines[name]);
  return present.reduce((a, b) => (engines[b].median < engines[a].median ? b : a), present[0]);
}

/** rival / ours of one repeat: medians, and the tenths of the samples that nothing disturbed. */
const ratio = (rival, ours) => ({ ratio: rival.median / ours.median, quiet: rival.p10 / ours.p10 });

/**
 * One network in one place.
 * @param repeats what `measureNetwork` gave, once per repeat
 * @returns engines: ms; best: our faster variant; ratios: rival -> { simd, relaxed, best }, each rival's time over ours
 */
export function combineNetwork(repeats) {
  const [first] = repeats;
  const names = Object.keys(first.engines);
  const over = (values, key) => median(values.map((v) => v[key]));
  const engines = Object.fromEntries(
    names.map((name) => {
      const values = repeats.map((r) => r.engines[name]);
      const error = Math.max(...values.map((v) => v.error));
      return [name, { median: over(values, "median"), p10: over(values, "p10"), p90: over(values, "p90"), error }];
    }),
  );
  const chosen = best(engines);
  const ratios = {};
  for (const rival of chosen === undefined ? [] : names.filter((name) => !isOurs(name))) {
    ratios[rival] = {};
    for (const [key, ours] of [...OURS.filter((v) => engines[v]).map((v) => [v, v]), ["best", chosen]]) {
      const each = repeats.map((r) => ratio(r.engines[rival], r.engines[ours]));
      ratios[rival][key] = { ratio: over(each, "ratio"), quiet: over(each, "quiet") };
    }
  }
  const rounds = repeats.reduce((sum, r) => sum + r.rounds, 0);
  return {
    network: first.network,
    macs: first.macs,
    rounds,
    engines,
    best: chosen ?? null,
    ratios,
    missing: first.missing,
  };
}

/** All networks in one place, with the geometric means of every ratio over the networks. */
export function combinePlace(repeats) {
  const [{ results, load, ...engine }] = repeats;
  const networks = results.map((_, i) => combineNetwork(repeats.map((r) => r.results[i])));
  const means = {};
  for (const rival of Object.keys(networks[0].ratios)) {
    means[rival] = {};
    for (const key of Object.keys(networks[0].ratios[rival])) {
      const each = (which) => networks.map((n) => n.ratios[rival][key][which]);
      means[rival][key] = { ratio: geometricMean(each("ratio")), quiet: geometricMean(each("quiet")) };
    }
  }
  return { ...engine, load: repeats.map((r) => r.load), networks, means };
}

/** Cold starts by network and engine: medians. */
export function combineCold(results) {
  const keys = ["loadMs", "firstMs", "wasmBytes", "rssBytes"];
  const table = {};
  for (const { network, engine } of results) {
    const same = results.filter((r) => r.network === network && r.engine === engine);
    const values = keys.filter((k) => same[0][k] !== undefined).map((k) => [k, median(same.map((r) => r[k]))]);
    const answers = median(same.map((r) => r.loadMs + r.firstMs));
    (table[network] ??= {})[engine] = { ...Object.fromEntries(values), answerMs: answers };
  }
  return table;
}
