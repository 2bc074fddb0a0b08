// Criteria side by side: the networks of networks.mjs pruned with every criterion and several seeds to the same MACs.
//
//   node bench/pruning/run.mjs [--quick] [--minutes 50] [--networks ...] [--table] [--docs]
//
// A call works until its minutes are over and goes on the next time; README.md says what the options do.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { denseCheckpoint, shortHash } from "./dense.mjs";
import { loadNamed } from "./data.mjs";
import { criteriaOf, jobsOf } from "./jobs.mjs";
import { networksOf } from "./networks.mjs";
import { parseOptions } from "./options.mjs";
import { appendRow, fileOf, keyOf, readRows } from "./rows.mjs";
import { renderPage, renderTables } from "./tables.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = path.resolve(here, "../..");
const options = parseOptions(
  process.argv.slice(2),
  path.resolve(root, "../shared/data"),
  path.join(here, "out"),
  path.join(here, "results"),
);
const dist = options.library === null ? path.join(root, "dist") : path.resolve(options.library);
const out = path.resolve(options.out, ...(options.quick ? ["quick"] : []));
const rowsFile = (network) => fileOf(path.resolve(options.results), network);
const say = (text) => process.stderr.write(`${text}\n`);
const started = performance.now();
const minutesSpent = () => (performance.now() - started) / 60_000;

async function loadLibrary() {
  if (!existsSync(path.join(dist, "index.js"))) throw new Error(`${dist} holds no build; run npm run build`);
  const from = (file) => import(path.join(dist, file));
  const [index, serialize, spread] = await Promise.all(["index.js", "model/serialize.js", "build/spread.js"].map(from));
  return { ...index, graphToJson: serialize.graphToJson, spreadOf: spread.spreadOf, hash: codeHash() };
}

/** Says which code a row is of: hash of what scores, prunes and trains. */
function codeHash() {
  const folders = ["analyzer", "host", "kernels", "model", "pruner"];
  const files = folders.flatMap((folder) =>
    readdirSync(path.join(dist, folder), { recursive: true, withFileTypes: true }),
  );
  const code = files
    .filter((f) => f.isFile() && /\.(m?js|wasm)$/.test(f.name))
    .map((f) => path.join(f.parentPath, f.name));
  return shortHash(...code.sort().map((file) => readFileSync(file)));
}

/** Everything of one network; false when the time was over before its end. */
async function runNetwork(library, name, network) {
  const criteria = criteriaOf(network, library.criterionNames(), options.criteria);
  const data = await loadNamed(library, network.data, options.data, path.resolve(options.out));
  const dense = await denseCheckpoint(library, name, network, data, { out, threads: options.threads, say });
  const settings = shortHash(dense.hash, JSON.stringify(network.pruning));
  const known = new Set(readRows(rowsFile(name)).map(keyOf));
  const done = (run) => known.has(keyOf({ ...run, settings }));
  const jobs = jobsOf(name, network, criteria, options, done);
  for (const [i, job] of jobs.entries()) {
    if (minutesSpent() >= options.minutes) return false;
    say(
      `${name}: call ${i + 1} of ${jobs.length}, seed ${job.seed}, ${job.target} of the MACs, ${job.criteria.join()}`,
    );
    await runJob(library, name, network, data, dense, settings, job);
  }
  return true;
}

async function runJob(library, name, network, data, dense, settings, { seed, target, criteria }) {
  const work = path.join(out, "compare", `${name}-${settings}`);
  const began = performance.now();
  const result = await library.compare({
    model: dense.file,
    data,
    out: work,
    criteria,
    seed,
    seeds: 1,
    macs: [target],
    pruning: network.pruning,
    measure: options.measure,
    resume: true,
    ...(options.threads !== null && { threads: options.threads }),
  });
  const seconds = (performance.now() - began) / 1000 / result.runs.length;
  for (const run of result.runs) {
    appendRow(rowsFile(name), {
      network: name,
      ...run,
      settings,
      library: library.hash,
      dense: result.dense,
      seconds: Math.round(seconds),
      cpu: cpus()[0].model.trim(),
      node: process.version,
      load: loadavg()[0],
    });
    const points = (share) => (share === null ? "-" : `${(100 * share).toFixed(2)} %`);
    say(
      `  ${run.criterion}: ${points(run.macs)} of the MACs, validation ${points(run.validation)}, ${Math.round(seconds)} s`,
    );
  }
  // The rows hold what counts; the library's own files of finished runs are for resuming a call that was cut short.
  rmSync(work, { recursive: true, force: true });
}

async function measure(library) {
  mkdirSync(out, { recursive: true });
  const networks = networksOf(options.quick);
  for (const name of options.networks) {
    if (!Object.hasOwn(networks, name)) continue;
    if (!(await runNetwork(library, name, networks[name]))) {
      say(`${minutesSpent().toFixed(0)} minutes are over; the same command goes on from here`);
      return;
    }
  }
  say("everything that was asked for is done");
}

const library = await loadLibrary();
if (!options.table && !options.docs) await measure(library);
const rows = options.networks.flatMap((name) => readRows(rowsFile(name)));
if (options.docs) writeFileSync(path.join(root, "docs/pruning-figures.md"), renderPage(rows, library, options));
else process.stdout.write(renderTables(rows, library, options));
