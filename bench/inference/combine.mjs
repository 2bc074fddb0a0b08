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

/**
 * rival / ours of one repeat. `ratio` is of medians; `quiet`, of tenth percentiles, and `processor`, of processor time
 * (null in a page), say what a busy machine hides.
 */
const ratio = (rival, ours) => ({
  ratio: rival.median / ours.median,
  quiet: rival.p10 / ours.p10,
  processor: ours.processor === null ? null : rival.processor / ours.processor,
});

const FIGURES = ["ratio", "quiet", "processor"];

/** The shorter of our variants, for each figure by itself. */
function shortest(variants) {
  const least = (key) => Math.min(...variants.map((v) => v[key]));
  const processor = variants[0].processor === null ? null : least("processor");
  return { median: least("median"), p10: least("p10"), processor };
}

/** Each figure of a list of ratios made one by `mean`. */
export const each = (ratios, mean) =>
  Object.fromEntries(FIGURES.map((f) => [f, ratios[0][f] === null ? null : mean(ratios.map((r) => r[f]))]));

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
      const processor = values[0].processor === null ? null : over(values, "processor");
      return [
        name,
        { ...Object.fromEntries(["median", "p10", "p90"].map((k) => [k, over(values, k)])), processor, error },
      ];
    }),
  );
  const variants = OURS.filter((name) => engines[name]);
  const ratios = {};
  for (const rival of variants.length === 0 ? [] : names.filter((name) => !isOurs(name))) {
    const against = (ours) =>
      each(
        repeats.map((r) => ratio(r.engines[rival], ours(r.engines))),
        median,
      );
    ratios[rival] = {
      ...Object.fromEntries(variants.map((v) => [v, against((e) => e[v])])),
      best: against((e) => shortest(variants.map((v) => e[v]))),
    };
  }
  const rounds = repeats.reduce((sum, r) => sum + r.rounds, 0);
  return {
    network: first.network,
    macs: first.macs,
    rounds,
    engines,
    best: best(engines) ?? null,
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
      means[rival][key] = each(
        networks.map((n) => n.ratios[rival][key]),
        geometricMean,
      );
    }
  }
  return { ...engine, load: repeats.map((r) => r.load), networks, means };
}

/** Cold starts by network and engine: medians; `answerMs` is load and first run, `leastMs` the shortest of these. */
export function combineCold(results) {
  const keys = ["loadMs", "firstMs", "wasmBytes", "rssBytes", "processorMs"];
  const table = {};
  for (const { network, engine } of results) {
    const same = results.filter((r) => r.network === network && r.engine === engine);
    const known = keys.filter((k) => same[0][k] !== undefined);
    const answers = same.map((r) => r.loadMs + r.firstMs);
    (table[network] ??= {})[engine] = {
      ...Object.fromEntries(known.map((k) => [k, median(same.map((r) => r[k]))])),
      answerMs: median(answers),
      leastMs: Math.min(...answers),
    };
  }
  return table;
}
