/**
 * The program that times packages in a Node of its own, as text for `node --input-type=module`: the same from `dist` and
 * from a test, and nothing but the timing code in the timed process. It reads one JSON request from stdin and writes one
 * JSON answer to stdout, progress to stderr.
 */
import type { Engine } from "./engine.js";
import type { Failure } from "./run-program.js";
import type { TimedJob } from "./device/timing.mjs";

/** What the timing programs have in common: the request, the clock, a package's inputs, what is said of the engine. */
export const COMMON_SOURCE = String.raw`
import { readFileSync, existsSync } from "node:fs";
import path from "node:path";
import os from "node:os";
import process from "node:process";

// Not readFileSync(0): on a pipe that its writer has not closed yet that fails with EAGAIN.
let text = "";
for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
const request = JSON.parse(text);
const now = () => Number(process.hrtime.bigint()) / 1e6;
const fail = (dir, message) => { throw Object.assign(new Error(message), { dir }); };

// Inputs: pseudo-random numbers between 0 and 1, bytes, or for other integers bits (indices must exist); the same for
// every package and run. Pairs of a view and the values that belong there.
function inputsOf(e, dir) {
  const ports = JSON.parse(readFileSync(path.join(dir, "passport.json"), "utf8")).inputs;
  const inputs = [];
  let s = 1;
  const random = () => (s = (Math.imul(s, 1664525) + 1013904223) >>> 0);
  for (let i = 0; i < e.input_count(); i++) {
    const { dtype } = ports[i];
    const View = dtype === "f32" ? Float32Array : Int32Array;
    const view = new View(e.memory.buffer, e.input_ptr(i), e.input_bytes(i) >> 2);
    const next =
      dtype === "f32" ? () => random() / 4294967296
      : dtype === "u8" ? () => random() >>> 24
      : dtype === "i8" ? () => random() >> 24
      : () => random() >>> 31;
    inputs.push([view, View.from(view, next)]);
  }
  return inputs;
}

const setWeights = (e, weights) => {
  new Uint8Array(e.memory.buffer, e.weights_ptr(), weights.length).set(weights);
  e.setup();
};

const cpus = os.cpus();
const engine = { runtime: "node", version: process.versions.node, v8: process.versions.v8, cpu: cpus[0]?.model.trim() ?? "unknown", cores: cpus.length, arch: process.arch, os: process.platform };
`;

/** What the runner writes to its standard output. */
export type NodeAnswer =
  { readonly engine: Omit<Engine, "clockStepMs">; readonly timed: TimedJob; readonly error?: undefined } | Failure;

/** The timing itself is the code that every engine loads, from its place beside this file. */
export const RUNNER_SOURCE =
  COMMON_SOURCE +
  String.raw`
const { timeJob } = await import(${JSON.stringify(new URL("./device/timing.mjs", import.meta.url).href)});
try {
  const timed = await timeJob(request, {
    now,
    read: async ({ at }, file) => ({ bytes: readFileSync(path.join(at, file)) }),
    pause: () => new Promise(setImmediate),
    memory: () => process.memoryUsage.rss(),
    report: (progress) => process.stderr.write("progress " + JSON.stringify(progress) + "\n"),
  });
  process.stdout.write(JSON.stringify({ engine, timed }));
} catch (e) {
  process.stdout.write(JSON.stringify({ error: e.message, dir: e.at ?? null }));
}
`;
