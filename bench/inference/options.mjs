// The options of the bench.
import { parseArgs } from "node:util";
import { ENGINES } from "./engines.mjs";
import { SETS } from "./networks.mjs";

/** All but the second way to run tfjs, which is slower than the first wherever the two differ. */
const DEFAULT_ENGINES = Object.keys(ENGINES).filter((name) => name !== "tfjs-graph");

const SPEC = {
  json: { type: "string" },
  docs: { type: "boolean", default: false },
  from: { type: "string" },
  networks: { type: "string", default: "images" },
  engines: { type: "string", default: DEFAULT_ENGINES.join() },
  where: { type: "string", default: "chromium,node20,node24" },
  nodes: { type: "string" },
  rounds: { type: "string", default: "100" },
  seconds: { type: "string", default: "4" },
  repeats: { type: "string", default: "1" },
  cold: { type: "string", default: "3" },
  scaling: { type: "boolean", default: false },
  data: { type: "string" },
  library: { type: "string" },
};

/** `--json` alone prints; with a value it names a file. */
function withJsonValue(argv) {
  return argv.flatMap((arg, i) => {
    const isAlone = arg === "--json" && (argv[i + 1] === undefined || argv[i + 1].startsWith("--"));
    return isAlone ? ["--json", "-"] : [arg];
  });
}

function count(name, text, least) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`--${name} must be a whole number of at least ${least}, got ${text}`);
  return value;
}

/** @param sharedData where the real models are unless `--data` or IDAP_SHARED_DATA says otherwise */
export function parseOptions(argv, sharedData) {
  const { values } = parseArgs({ args: withJsonValue(argv), options: SPEC });
  const where = values.nodes === undefined ? values.where.split(",") : values.nodes.split(",").map((n) => `node${n}`);
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Error(`--seconds must be above 0, got ${values.seconds}`);
  return {
    json: values.json ?? null,
    docs: values.docs,
    from: values.from ?? null,
    networks: values.networks.split(",").flatMap((name) => SETS[name] ?? [name]),
    engines: values.engines.split(","),
    where,
    rounds: count("rounds", values.rounds, 1),
    seconds,
    repeats: count("repeats", values.repeats, 1),
    cold: count("cold", values.cold, 0),
    scaling: values.scaling,
    library: values.library ?? null,
    data: values.data ?? process.env.IDAP_SHARED_DATA ?? sharedData,
  };
}
