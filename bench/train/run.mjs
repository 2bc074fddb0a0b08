// Training, measured: ResNet-20 at batch 128 in our wasm executor, with tfjs-wasm's forward pass of the same network as the
// yardstick.
//
//   npm run bench:train -- [--json] [--rounds 7] [--batch 128]
//
// Every candidate is a process of its own, all of them alive at once and given turns one after another, so that a busy
// machine slows all alike. With `taskset` the single-thread candidates are pinned to one processor. Medians.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = path.resolve(here, "../..");
const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    batch: { type: "string", default: "128" },
  },
});

/** Training images for each forward image of tfjs-wasm; bytes of our process; two workers against one. */
const REQUIRED = { ratio: 0.42, rssBytes: 0.35e9, workers: 1.6 };
/** Above this load, in processors that others use, two workers cannot show what they can do. */
const QUIET_LOAD = 0.5;

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  if (result.status === 0) return;
  process.stderr.write(
    `${command} ${args.join(" ")} failed\n${result.stdout ?? ""}${result.stderr ?? result.error ?? ""}`,
  );
  process.exit(1);
}

/** A child that does one unit of work at each `turn`, and says how many milliseconds it took. */
class Candidate {
  constructor(script, args, processors) {
    const node = [process.execPath, path.join(here, script), ...args];
    const [command, ...rest] = processors === null ? node : ["taskset", "-c", processors, ...node];
    this.child = spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.ms = [];
    this.last = null;
  }

  async answer() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`${this.child.spawnargs.join(" ")} ended before its turn`);
    this.last = JSON.parse(value);
    return this.last.ms;
  }

  async turn(count) {
    this.child.stdin.write("\n");
    const ms = await this.answer();
    if (count) this.ms.push(ms);
  }

  close() {
    this.child.stdin.end();
    this.child.kill();
  }
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const load = loadavg()[0];
if (!existsSync(path.join(here, "node_modules")))
  run("npm", ["ci", "--prefix", here, "--ignore-scripts", "--no-audit", "--no-fund"]);
if (!existsSync(path.join(root, "dist/host/train.js"))) run("npm", ["run", "-s", "build"]);
const canPin = process.platform === "linux" && spawnSync("taskset", ["-V"]).status === 0;
const cores = availableParallelism();
const one = canPin ? String(cores - 1) : null;

const [batch, rounds] = [Number(options.batch), Number(options.rounds)];
const candidates = {
  ours: new Candidate("ours.mjs", [batch, 1], one),
  tfjs: new Candidate("tfjs.mjs", [batch], one),
  ...(cores > 1 && { two: new Candidate("ours.mjs", [batch, 2], null) }),
};
try {
  // The first unit of work compiles and allocates; one more for the compilers that optimise in the background.
  for (const candidate of Object.values(candidates)) await candidate.answer();
  for (let round = -1; round < rounds; round++) {
    for (const candidate of Object.values(candidates)) await candidate.turn(round >= 0);
  }
} finally {
  for (const candidate of Object.values(candidates)) candidate.close();
}

const perSecond = ({ ms }) => (batch * 1000) / median(ms);
const result = {
  node: process.versions.node,
  network: "ResNet-20, 32x32x3",
  batch,
  rounds,
  pinned: canPin,
  cores,
  load,
  trainImagesPerSecond: perSecond(candidates.ours),
  tfjsForwardImagesPerSecond: perSecond(candidates.tfjs),
  ratio: median(candidates.tfjs.ms) / median(candidates.ours.ms),
  rssBytes: candidates.ours.last.rssBytes,
  ...(candidates.two && {
    trainImagesPerSecondTwoWorkers: perSecond(candidates.two),
    twoWorkers: median(candidates.ours.ms) / median(candidates.two.ms),
  }),
  required: REQUIRED,
};
const quiet = load < QUIET_LOAD && cores > 1;
const verdicts = [
  {
    rule: "training images for each tfjs-wasm forward image",
    value: result.ratio,
    required: REQUIRED.ratio,
    ok: result.ratio >= REQUIRED.ratio,
  },
  {
    rule: "resident bytes",
    value: result.rssBytes,
    required: REQUIRED.rssBytes,
    ok: result.rssBytes < REQUIRED.rssBytes,
  },
  {
    rule: quiet
      ? "two workers against one"
      : `two workers against one (load ${load.toFixed(2)}: reported, not required)`,
    value: result.twoWorkers ?? null,
    required: REQUIRED.workers,
    ok: !quiet || result.twoWorkers >= REQUIRED.workers,
  },
];
const ok = verdicts.every((v) => v.ok);
if (options.json) {
  console.log(JSON.stringify({ ...result, quiet, verdicts, ok }, null, 2));
} else {
  console.log(
    `ResNet-20, batch ${batch}, Node ${result.node}, load ${load.toFixed(2)}${canPin ? ", pinned" : ""}; medians of ${rounds}`,
  );
  console.log(
    `training, one thread     ${result.trainImagesPerSecond.toFixed(1)} images/s, ${(result.rssBytes / 1e6).toFixed(0)} MB`,
  );
  console.log(`tfjs-wasm, forward only  ${result.tfjsForwardImagesPerSecond.toFixed(1)} images/s`);
  if (candidates.two)
    console.log(`training, two threads    ${result.trainImagesPerSecondTwoWorkers.toFixed(1)} images/s`);
  for (const v of verdicts) {
    const number = (n) => (n === null ? "-" : n > 1000 ? `${(n / 1e6).toFixed(0)} MB` : n.toFixed(2));
    console.log(`${v.ok ? "ok  " : "MISS"} ${v.rule}: ${number(v.value)} (needs ${number(v.required)})`);
  }
}
process.exitCode = ok ? 0 : 2;
