// One process of the bench: all candidates on all networks, interleaved; prints one JSON document.
import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { tfjsCandidate } from "./tfjs.mjs";
import { ortCandidate } from "./ort.mjs";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const fromDist = (file) => import(pathToFileURL(path.join(job.dist, file)).href);
const { readModel } = await fromDist("formats/index.js");
const { ReferenceExecutor } = await fromDist("host/reference.js");

/** The first recorded input of the network: real data. */
function recordedInput(folder) {
  const { cases } = JSON.parse(readFileSync(path.join(folder, "golden.json"), "utf8"));
  const { file } = cases[0].inputs[0];
  const raw = readFileSync(path.join(folder, file));
  return new Float32Array(new Uint8Array(file.endsWith(".gz") ? gunzipSync(raw) : raw).buffer);
}

const relativeError = (a, b) => {
  let most = 0,
    scale = 0;
  for (let i = 0; i < b.length; i++) {
    most = Math.max(most, Math.abs(a[i] - b[i]));
    scale = Math.max(scale, Math.abs(b[i]));
  }
  return a.length === b.length && !Number.isNaN(a[0]) ? most / scale : Infinity;
};

/** Our package as its user sees it: load(), run(), results copied. */
async function oursCandidate(dir, variant, input) {
  const { load } = await import(pathToFileURL(path.join(dir, "node.js")).href);
  let model;
  try {
    model = await load({ variant });
  } catch {
    return null; // this engine does not know the variant
  }
  const [port] = model.inputs;
  const [out] = model.outputs;
  const inputs = { [port.name]: input };
  return { name: variant, run: () => model.run(inputs)[out.name].data.slice() };
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

const results = [];
for (const network of job.networks) {
  const graph = await readModel(network.model);
  const input = recordedInput(network.golden);
  const [port] = graph.inputs;
  const exact = await new ReferenceExecutor(graph).run({
    [port.name]: { data: input, shape: graph.tensors.get(port.tensor).type.shape, dtype: "f32" },
  });
  const output = exact[graph.outputs[0].name].data;
  const candidates = [
    await oursCandidate(network.dir, "simd", input),
    await oursCandidate(network.dir, "relaxed", input),
    await tfjsCandidate(graph, input),
    await ortCandidate(readFileSync(network.onnx), graph, input),
  ].filter((c) => c !== null);
  const error = {};
  for (const c of candidates) {
    error[c.name] = relativeError(await c.run(), output);
    if (!(error[c.name] <= 1e-4))
      throw new Error(`${c.name} computes ${network.name} wrong: relative error ${error[c.name]}`);
  }
  // Warm up by time, since engines optimise in the background; then one run of each in turn, in an order that rotates.
  const samples = candidates.map(() => []);
  const start = performance.now();
  const warm = Math.min(1500, job.seconds * 250);
  for (let round = 0; performance.now() - start < warm + job.seconds * 1000 || samples[0].length < 20; round++) {
    for (let k = 0; k < candidates.length; k++) {
      const i = (k + round) % candidates.length;
      const c = candidates[i];
      const t0 = performance.now();
      if (c.isAsync) await c.run();
      else c.run();
      const ms = performance.now() - t0;
      if (t0 - start > warm) samples[i].push(ms);
    }
  }
  results.push({
    network: network.name,
    macs: network.macs,
    ms: Object.fromEntries(candidates.map((c, i) => [c.name, median(samples[i])])),
    rounds: samples[0].length,
    error,
  });
}
console.log(JSON.stringify({ node: process.versions.node, v8: process.versions.v8, results }));
process.exit(0);
