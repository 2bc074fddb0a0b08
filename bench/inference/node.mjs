// One process of the bench: all engines that run in Node, on all networks; prints one JSON document.
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { measureNetwork } from "./interleave.mjs";
import { filesOf, runtimes } from "./node-runtimes.mjs";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const out = path.join(fileURLToPath(new URL(".", import.meta.url)), "out");
const results = [];
const load = [];
for (const network of job.networks) {
  load.push(loadavg()[0]);
  results.push(await measureNetwork(network, job.engines, runtimes, filesOf(path.join(out, network.name)), job));
}
console.log(JSON.stringify({ node: process.versions.node, v8: process.versions.v8, load, results }));
process.exit(0);
