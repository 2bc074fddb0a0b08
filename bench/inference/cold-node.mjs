// A cold start in a process of its own; prints one JSON document. Arguments: the job's file, the engine, the network.
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { coldStart } from "./cold.mjs";
import { filesOf, runtimes } from "./node-runtimes.mjs";

const [jobFile, engine, name] = process.argv.slice(2);
const network = JSON.parse(readFileSync(jobFile, "utf8")).networks.find((n) => n.name === name);
const out = path.join(fileURLToPath(new URL(".", import.meta.url)), "out");
const before = { rss: process.memoryUsage.rss(), cpu: process.cpuUsage() };
const result = await coldStart(network, engine, runtimes, filesOf(path.join(out, name)));
const { user, system } = process.cpuUsage(before.cpu);
const spent = { rssBytes: process.memoryUsage.rss() - before.rss, processorMs: (user + system) / 1000 };
console.log(JSON.stringify(result && { ...result, ...spent }));
process.exit(0);
