// Damaged model files through `readModel`: each must end in a graph or in one clear error. See README.md.
//
//   node bench/fuzz/run.mjs [--count 10000] [--first 0] [--formats onnx,tflite,...] [--workers 2] [--library dist]
//                           [--case FORMAT:NUMBER [--keep FOLDER]]
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { FORMATS } from "./mutate.mjs";

const SECONDS = 5;
const BYTES = 2 ** 30;
/** Processes are renewed so that what earlier cases left in memory is not held against later ones. */
const CASES_EACH = 2000;

const { values: options } = parseArgs({
  options: {
    count: { type: "string", default: "10000" },
    first: { type: "string", default: "0" },
    formats: { type: "string", default: FORMATS.join(",") },
    workers: { type: "string", default: "2" },
    library: { type: "string", default: fileURLToPath(new URL("../../dist", import.meta.url)) },
    models: { type: "string", default: fileURLToPath(new URL("../../../shared/data/models", import.meta.url)) },
    case: { type: "string" },
    keep: { type: "string", default: "" },
  },
});
const work = mkdtempSync(path.join(os.tmpdir(), "idap-fuzz-"));

/** A process that reads one case at a time under a watch. */
class Reader {
  cases = 0;

  async start() {
    this.child = fork(new URL("./worker.mjs", import.meta.url), [options.library, options.models, work, options.keep], {
      execArgv: ["--no-warnings"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.errors = "";
    this.child.stderr.on("data", (text) => (this.errors = (this.errors + text).slice(-2000)));
    await new Promise((resolve, reject) => {
      this.child.once("message", resolve);
      this.child.once("exit", () => reject(new Error(`the reader did not start: ${this.errors}`)));
    });
    this.child.removeAllListeners("exit");
    return this;
  }

  stop() {
    this.child.removeAllListeners("exit");
    this.child.kill("SIGKILL");
  }

  /** What came of a case; `alive` says whether the process can read another. */
  read(format, number) {
    this.cases++;
    return new Promise((resolve) => {
      let description = "";
      let timer;
      const done = (result, alive) => {
        clearTimeout(timer);
        this.child.removeAllListeners("message");
        this.child.removeAllListeners("exit");
        resolve({ format, number, description, alive, ...result });
      };
      this.child.on("message", (message) => {
        if (message.started) {
          description = message.description;
          timer = setTimeout(
            () => done({ outcome: "failure", fault: `not done after ${SECONDS} s` }, false),
            1000 * SECONDS,
          );
          return;
        }
        if (message.seconds > SECONDS) done({ outcome: "failure", fault: `took ${message.seconds} s` }, false);
        else if (message.bytes > BYTES) done({ outcome: "failure", fault: `took ${message.bytes} bytes` }, false);
        else done(message, true);
      });
      this.child.once("exit", (code, signal) => {
        done({ outcome: "failure", fault: `the process ended (${signal ?? code}): ${this.errors}` }, false);
      });
      this.child.send({ format, number });
    });
  }
}

/** Reads a case in a process of its own: what a busy machine or an earlier case may have caused does not come twice. */
async function alone(format, number) {
  const reader = await new Reader().start();
  const result = await reader.read(format, number);
  reader.stop();
  return result;
}

async function worker(cases, report) {
  let reader = await new Reader().start();
  for (const { format, number } of cases) {
    let result = await reader.read(format, number);
    if (!result.alive || reader.cases >= CASES_EACH) {
      reader.stop();
      if (result.outcome === "failure" && !result.alive) result = await alone(format, number);
      reader = await new Reader().start();
    }
    report(result);
  }
  reader.stop();
}

function* allCases() {
  const first = Number(options.first);
  for (const format of options.formats.split(",")) {
    if (!FORMATS.includes(format)) throw new Error(`there is no format ${format}; there are ${FORMATS.join(", ")}`);
    for (let n = first; n < first + Number(options.count); n++) yield { format, number: n };
  }
}

function table(counts) {
  for (const [format, outcomes] of counts) {
    const sorted = [...outcomes].sort((a, b) => b[1] - a[1]).map(([outcome, n]) => `${outcome} ${n}`);
    console.log(`${format.padEnd(12)} ${sorted.join(", ")}`);
  }
}

if (options.case) {
  const [format, number] = options.case.split(":");
  console.log(await alone(format, Number(number)));
} else {
  const counts = new Map();
  const failures = [];
  let slowest = { seconds: 0 };
  let largest = { bytes: 0 };
  const cases = allCases();
  const report = (result) => {
    const { format, outcome } = result;
    const outcomes = counts.get(format) ?? new Map();
    counts.set(format, outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1));
    if (result.seconds > slowest.seconds) slowest = result;
    if (result.bytes > largest.bytes) largest = result;
    if (outcome !== "failure") return;
    failures.push(result);
    console.log(`FAILURE ${format}:${result.number} (${result.description})\n${result.fault}\n`);
  };
  await Promise.all(Array.from({ length: Number(options.workers) }, () => worker(cases, report)));
  table(counts);
  console.log(
    `longest ${slowest.seconds.toFixed(2)} s (${slowest.format}:${slowest.number}), most memory ${Math.round(largest.bytes / 2 ** 20)} MiB`,
  );
  console.log(
    failures.length === 0 ? "no failures" : `failures: ${failures.map((f) => `${f.format}:${f.number}`).join(" ")}`,
  );
  process.exitCode = failures.length === 0 ? 0 : 1;
}
rmSync(work, { recursive: true, force: true });
