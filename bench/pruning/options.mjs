// The options of the bench.
import path from "node:path";
import { parseArgs } from "node:util";
import { NETWORKS } from "./networks.mjs";

const SPEC = {
  quick: { type: "boolean", default: false },
  minutes: { type: "string", default: "50" },
  networks: { type: "string", default: Object.keys(NETWORKS).join() },
  criteria: { type: "string" },
  seeds: { type: "string" },
  "first-seed": { type: "string", default: "1" },
  threads: { type: "string" },
  measure: { type: "boolean", default: true },
  out: { type: "string" },
  results: { type: "string" },
  data: { type: "string" },
  library: { type: "string" },
  table: { type: "boolean", default: false },
  split: { type: "string", default: "test" },
  docs: { type: "boolean", default: false },
};

function number(name, text, least, whole = true) {
  const value = Number(text);
  if (!(value >= least) || (whole && !Number.isInteger(value)))
    throw new Error(`--${name} must be a ${whole ? "whole " : ""}number of at least ${least}, got ${text}`);
  return value;
}

/**
 * @param sharedData where the data sets are unless `--data` or IDAP_SHARED_DATA says otherwise
 * @param out default folder of what can be made again; @param results of what is kept
 */
export function parseOptions(argv, sharedData, out, results) {
  const { values } = parseArgs({ args: argv, options: SPEC, allowNegative: true });
  const networks = values.networks.split(",");
  const unknown = networks.find((name) => !Object.hasOwn(NETWORKS, name));
  if (unknown !== undefined)
    throw new Error(`unknown network "${unknown}"; there are ${Object.keys(NETWORKS).join(", ")}`);
  if (!["test", "validation"].includes(values.split))
    throw new Error(`--split must be test or validation, got ${values.split}`);
  return {
    quick: values.quick,
    minutes: number("minutes", values.minutes, 0, false),
    networks,
    criteria: values.criteria?.split(",") ?? null,
    seeds: values.seeds === undefined ? null : number("seeds", values.seeds, 1),
    firstSeed: number("first-seed", values["first-seed"], 0),
    threads: values.threads === undefined ? null : number("threads", values.threads, 1),
    measure: values.measure,
    out: values.out ?? out,
    // What a quick run shows is not worth keeping.
    results: values.results ?? (values.quick ? path.join(values.out ?? out, "quick-results") : results),
    data: values.data ?? process.env.IDAP_SHARED_DATA ?? sharedData,
    library: values.library ?? null,
    table: values.table,
    split: values.split,
    docs: values.docs,
  };
}
