// Where packages are timed: each place has a profile of its own, and how its packages are timed.
import { spawnSync } from "node:child_process";

/** The executable of another Node, from npm's cache or registry. */
function nodeOf(version) {
  if (process.versions.node.split(".")[0] === version) return process.execPath;
  const args = ["-y", "-p", `node@${version}`, "node", "-p", "process.execPath"];
  const { stdout, status, stderr } = spawnSync("npx", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`Node ${version} is not to be had: ${stderr.trim().split("\n").at(-1)}`);
  return stdout.trim();
}

const node = (version) => (library) => {
  const nodePath = nodeOf(version);
  return (groups, choice) => library.measureInNode(groups, { ...choice, nodePath });
};

/** Long enough for a page under load. */
const PAGE_TIMEOUT = 15 * 60_000;

export const SLOWED = 4;

export const PLACES = {
  node20: { title: "Node 20", profile: "node-generic", choice: () => ({}), time: node("20") },
  node24: { title: "Node 24", profile: "node-24", choice: () => ({}), time: node("24") },
  chromium: {
    title: "Chromium",
    profile: "chromium",
    choice: () => ({}),
    time: (library) => (groups, choice) => library.measureInChromium(groups, { ...choice, timeoutMs: PAGE_TIMEOUT }),
  },
  throttled: {
    title: `Chromium, slowed ${SLOWED} times (simulated)`,
    profile: "chromium-throttled",
    choice: (library) => library.SLOWED,
    time: (library) => (groups, choice) =>
      library.measureInChromium(groups, { ...choice, throttle: SLOWED, timeoutMs: PAGE_TIMEOUT }),
  },
};
