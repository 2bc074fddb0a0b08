// Inference, side by side: our packages against LiteRT.js, tfjs-backend-wasm, onnxruntime-web and native onnxruntime-node.
//
//   node bench/inference/run.mjs [--json [FILE]] [--docs] [--networks ...] [--engines ...] [--where chromium,node20,node24]
//
// README.md says what the options do and how the figures come about.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, loadavg, platform, release, totalmem } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { combineCold, combinePlace } from "./combine.mjs";
import { ENGINES } from "./engines.mjs";
import { NETWORKS } from "./networks.mjs";
import { parseOptions } from "./options.mjs";
import { checkPlace, coldIn, measureIn, run } from "./places.mjs";
import { loadLibrary, prepareNetwork } from "./prepare.mjs";
import { renderPage, renderTable } from "./render.mjs";
import { brotliLengths, packageBytes, runtimeBytes } from "./sizes.mjs";
import { fitLine } from "./statistics.mjs";
import { compareWithTargets, floorVerdicts } from "./targets.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = path.resolve(here, "../..");
const out = path.join(here, "out");
const page = path.join(root, "docs/benchmarks.md");

const options = parseOptions(process.argv.slice(2), path.resolve(root, "../shared/data"));
const dist = options.library === null ? path.join(root, "dist") : path.resolve(options.library);
const say = (text) => process.stderr.write(`${text}\n`);

function check(names, known, what) {
  const unknown = names.find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined)
    throw new Error(`unknown ${what} "${unknown}"; there are ${Object.keys(known).join(", ")}`);
}

/** The bench's own packages; the native runtime lives in a tree of its own. */
function install() {
  for (const folder of [here, path.join(here, "native")]) {
    if (existsSync(path.join(folder, "node_modules"))) continue;
    run("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"]);
  }
  if (!existsSync(path.join(dist, "emit/index.js"))) run("npm", ["run", "-s", "build"], { cwd: root });
}

const versionOf = (folder, name) =>
  JSON.parse(readFileSync(path.join(here, folder, "node_modules", name, "package.json"), "utf8")).version;

function versions() {
  return {
    idap: JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")).version,
    "@litertjs/core": versionOf(".", "@litertjs/core"),
    "@tensorflow/tfjs-backend-wasm": versionOf(".", "@tensorflow/tfjs-backend-wasm"),
    "onnxruntime-web": versionOf(".", "onnxruntime-web"),
    "onnxruntime-node": versionOf("native", "onnxruntime-node"),
  };
}

const machine = () => ({
  cpu: cpus()[0].model.trim(),
  cores: cpus().length,
  memoryBytes: totalmem(),
  system: `${platform()} ${release()} ${arch()}`,
  load: loadavg(),
});

/** Figures of emission come from a process of their own, in which nothing else has run. */
const emissionOf = (...args) => JSON.parse(run(process.execPath, [path.join(here, "emission.mjs"), dist, ...args]));

function scaling() {
  const figures = emissionOf("scaling");
  const line = (key) => fitLine(figures.points.map((p) => [p.layers, key(p)]));
  return { ...figures, time: line((p) => p.cpuMs), size: line((p) => p.codeBytes.simd) };
}

async function measure() {
  check(options.networks, NETWORKS, "network");
  check(options.engines, ENGINES, "engine");
  options.where.forEach(checkPlace);
  install();
  mkdirSync(out, { recursive: true });
  const started = {
    date: new Date().toISOString(),
    machine: machine(),
    versions: versions(),
    repeats: options.repeats,
  };

  const library = await loadLibrary(dist);
  const networks = [];
  for (const name of options.networks) {
    say(`prepare ${name}`);
    networks.push(await prepareNetwork(library, name, { out, data: options.data }));
  }
  const { engines, rounds, seconds, cold: coldRounds } = options;
  const job = { networks, engines, rounds, seconds, cold: coldRounds };
  const jobFile = path.join(out, "job.json");
  writeFileSync(jobFile, JSON.stringify(job));

  const repeats = {};
  for (let repeat = 0; repeat < options.repeats; repeat++) {
    for (const place of options.where) {
      say(`measure in ${place}${options.repeats > 1 ? `, ${repeat + 1} of ${options.repeats}` : ""}`);
      (repeats[place] ??= []).push(await measureIn(place, job, jobFile));
    }
  }
  const places = Object.fromEntries(options.where.map((place) => [place, combinePlace(repeats[place])]));

  const coldResults = {};
  for (const place of coldRounds > 0 ? options.where : []) {
    say(`cold starts in ${place}`);
    coldResults[place] = await coldIn(place, job, jobFile);
  }
  const cold = Object.fromEntries(Object.entries(coldResults).map(([place, list]) => [place, combineCold(list)]));

  say("sizes");
  const brotli = brotliLengths(path.join(out, "brotli.json"));
  const sized = networks.map(({ bytes, ...network }) => ({
    ...network,
    bytes: { ...bytes, ...packageBytes(path.join(out, network.name, "package"), brotli) },
  }));
  const runtimes = runtimeBytes(coldResults.chromium ?? [], brotli);
  const emission = options.networks.includes("mobilenetv2") ? emissionOf("network", "mobilenetv2", options.data) : null;
  const report = {
    ...started,
    loadAtEnd: loadavg(),
    networks: sized,
    places,
    cold,
    runtimes,
    emission,
    scaling: options.scaling ? scaling() : null,
  };
  return report;
}

/** The times of Node by engine, and the verdicts on what no change may fall below. */
function floor(places) {
  const runs = Object.values(places)
    .filter((place) => place.node)
    .map(({ node, v8, networks }) => ({
      node,
      v8,
      results: networks.map(({ network, macs, rounds, engines }) => ({
        network,
        macs,
        rounds,
        ms: Object.fromEntries(Object.entries(engines).map(([name, e]) => [name, e.median])),
        error: Object.fromEntries(Object.entries(engines).map(([name, e]) => [name, e.error])),
      })),
    }));
  const verdicts = floorVerdicts(places);
  return { runs, verdicts, ok: verdicts.every((v) => v.ok) };
}

const figures = options.from ? JSON.parse(readFileSync(options.from, "utf8")) : await measure();
const report = { ...figures, targets: compareWithTargets(figures), ...floor(figures.places) };
const text = JSON.stringify(report, null, 2);
if (options.json === "-") console.log(text);
else {
  if (options.json !== null) writeFileSync(options.json, `${text}\n`);
  console.log(renderTable(report));
  for (const v of report.verdicts) {
    const met = v.ok ? "ok  " : "MISS";
    console.log(
      `${met} Node ${v.node} ${v.network}: ${v.ratio.toFixed(2)} x tfjs-wasm with the ${v.rule} (needs ${v.required})`,
    );
  }
}
if (options.docs) {
  const { format, resolveConfig } = await import("prettier");
  writeFileSync(page, await format(renderPage(report), { ...(await resolveConfig(page)), filepath: page }));
}
process.exitCode = report.ok ? 0 : 2;
