// How long emission takes and how large code becomes, in a process of its own; prints one JSON document.
//
// Arguments: the folder of the built library, then `network NAME DATA` or `scaling`.
import path from "node:path";
import { loadLibrary } from "./prepare.mjs";
import { NETWORKS, layers } from "./networks.mjs";

/** Layers of the networks that show how emission scales. */
const COUNTS = [10, 20, 50, 100, 200, 300];

const [dist, what, ...rest] = process.argv.slice(2);
const library = await loadLibrary(path.resolve(dist));

/** Wall and processor time of emitting both variants, and the bytes of their code. */
async function emitTimed(graph) {
  const cpu = process.cpuUsage();
  const started = performance.now();
  const files = await library.emitFiles(graph, { name: graph.name });
  const ms = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  const size = (variant) => files.get(`model.${variant}.wasm`).length;
  return { ms, cpuMs: (user + system) / 1000, codeBytes: { simd: size("simd"), relaxed: size("relaxed") } };
}

// The compiler is loaded by the first emission: that is start-up.
const startUp = (await emitTimed(layers(library, 1))).ms;
if (what === "scaling") {
  const points = [];
  for (const count of COUNTS) points.push({ layers: count, ...(await emitTimed(layers(library, count))) });
  console.log(JSON.stringify({ startUp, points }));
} else {
  const [network, data] = rest;
  const graph = await NETWORKS[network].graph(library, data);
  console.log(JSON.stringify({ network, startUp, ...(await emitTimed(graph)) }));
}
process.exit(0);
