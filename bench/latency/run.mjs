// Predicted against measured time of networks that no calibration has seen, in each place by its own profile.
//
//   npm run build && node bench/latency/run.mjs [--where node24,chromium] [--networks a,b] [--calibrate] [--docs]
//
// The exit code is 1 where the median error is above 8 %, or fewer than 90 % of the networks are within 20 %.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath, pathToFileURL } from "node:url";
import { NETWORKS } from "./networks.mjs";
import { PLACES } from "./places.mjs";
import { figuresOf, MARKS, table, verdictOf } from "./figures.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values: options } = parseArgs({
  options: {
    where: { type: "string", default: Object.keys(PLACES).join() },
    networks: { type: "string", default: Object.keys(NETWORKS).join() },
    runs: { type: "string" },
    calibrate: { type: "boolean", default: false },
    docs: { type: "boolean", default: false },
    json: { type: "string" },
    data: { type: "string", default: process.env.IDAP_SHARED_DATA ?? path.join(root, "../shared/data") },
    library: { type: "string", default: path.join(root, "dist") },
  },
});
const from = (file) => import(pathToFileURL(path.resolve(options.library, file)).href);
const library = {
  ...(await from("index.js")),
  ...(await from("measure/index.js")),
  ...(await from("build/calibrate.js")),
  ...(await from("build/time-on.js")),
};

const profileFile = (name) => path.join(root, "targets/devices", `${name}.json`);

async function profileOf(place, networks, dirs) {
  if (!options.calibrate) return JSON.parse(readFileSync(profileFile(place.profile), "utf8"));
  const time = place.time(library);
  const timed = await library.timeNetworks(networks, dirs, { time, ...place.choice(library) });
  return library.profileOf({ name: place.profile }, timed);
}

const folder = mkdtempSync(path.join(os.tmpdir(), "idap-bench-latency-"));
try {
  const names = options.networks.split(",");
  const networks = [];
  for (const name of names) {
    if (!NETWORKS[name]) throw new Error(`there is no network ${name}; there are ${Object.keys(NETWORKS).join(", ")}`);
    const graph = await NETWORKS[name].graph(library, options.data);
    networks.push({ graph: { ...graph, name }, winograd: "auto" });
  }
  const dirs = await library.emitNetworks(networks, path.join(folder, "networks"));
  const grid = options.calibrate ? library.calibrationNetworks() : [];
  const gridDirs = options.calibrate ? await library.emitNetworks(grid, path.join(folder, "grid")) : [];

  const results = [];
  for (const where of options.where.split(",")) {
    const place = PLACES[where];
    if (!place) throw new Error(`there is no place ${where}; there are ${Object.keys(PLACES).join(", ")}`);
    const profile = await profileOf(place, grid, gridDirs);
    if (options.calibrate) writeFileSync(profileFile(place.profile), `${JSON.stringify(profile, null, 2)}\n`);
    const load = os.loadavg()[0];
    const { timed, engine } = await library.timeNetworks(networks, dirs, {
      time: place.time(library),
      runs: 100,
      ...place.choice(library),
      ...(options.runs && { runs: Number(options.runs) }),
      variant: profile.variant,
    });
    const rows = timed.map(({ network, ofReference, spread }) => {
      const { ms, low, high } = library.predictLatency(network.graph, profile);
      const { name } = network.graph;
      return {
        name,
        kind: NETWORKS[name].kind,
        predicted: ms,
        low,
        high,
        measured: ofReference * profile.referenceMs,
        spread,
      };
    });
    const result = {
      where,
      title: place.title,
      profile: profile.name,
      engine: library.describeEngine(engine),
      load,
      rows,
    };
    results.push({ ...result, ...figuresOf(rows) });
    console.log(`\n${table(results.at(-1))}`);
  }
  if (options.json) writeFileSync(options.json, JSON.stringify(results, null, 1));
  if (options.docs) {
    const readme = fileURLToPath(new URL("README.md", import.meta.url));
    const text = readFileSync(readme, "utf8");
    const [start, end] = MARKS;
    const date = new Date().toISOString().slice(0, 10);
    const body = [`Run on ${date}.`, ...results.map(table)].join("\n\n");
    writeFileSync(
      readme,
      `${text.slice(0, text.indexOf(start) + start.length)}\n\n${body}\n\n${text.slice(text.indexOf(end))}`,
    );
  }
  const missed = results.map(verdictOf).filter((v) => v !== null);
  for (const v of missed) console.error(v);
  process.exitCode = missed.length > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
