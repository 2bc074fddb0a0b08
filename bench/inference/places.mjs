// The places that the bench measures in: `chromium`, and `node20`, `node24`, ... as processes of that major version.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { coldInChromium, measureInChromium } from "./chromium.mjs";
import { coldEngines } from "./cold.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

/** Runs a command to its end; what it printed, or an error that holds what it said. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: "utf8", maxBuffer: 2 ** 28, ...options });
  if (result.status === 0) return result.stdout;
  const said = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error ?? ""}`;
  throw new Error(`${command} ${args.join(" ")} failed\n${said}`);
}

/** The JSON document that a script prints under a major version of Node; another than ours comes from npm. */
function runNode(place, script, args) {
  const major = place.slice("node".length);
  const command = [path.join(here, script), ...args];
  const current = process.versions.node.split(".")[0] === major;
  const out = current ? run(process.execPath, command) : run("npx", ["-y", "-p", `node@${major}`, "node", ...command]);
  return JSON.parse(out.slice(out.search(/^(\{|null)/m)));
}

export function checkPlace(place) {
  if (!/^(chromium|node\d+)$/.test(place)) throw new Error(`unknown place "${place}"; give chromium, node20, node24`);
}

/** Steady times of all networks in one page or process. */
export const measureIn = async (place, job, jobFile) =>
  place === "chromium" ? measureInChromium(job) : runNode(place, "node.mjs", [jobFile]);

/** Cold starts, each in a page or process of its own. */
export async function coldIn(place, job, jobFile) {
  const engines = coldEngines(job.engines);
  if (place === "chromium") return coldInChromium({ networks: job.networks, rounds: job.cold }, engines);
  const results = [];
  for (let round = 0; round < job.cold; round++) {
    for (const { name: network } of job.networks) {
      for (const engine of engines) {
        const result = runNode(place, "cold-node.mjs", [jobFile, engine, network]);
        if (result) results.push({ engine, network, ...result });
      }
    }
  }
  return results;
}
