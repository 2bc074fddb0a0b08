/**
 * The program that times packages, as text for `node --input-type=module`: the same from `dist` and from a test, with
 * no file to find and none of our modules in the timed process. It reads one JSON request from stdin and writes one
 * JSON answer to stdout. Packages run alternately, in an order that turns every round; one run is: copy the inputs in,
 * `run()`, copy the outputs out.
 *
 * Warm-up is by time as well as by count, since V8 compiles a module again, optimised, in the background.
 */
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
  new Uint8Array(e.memory.buffer, e.weights_ptr(), e.weights_bytes()).set(weights);
  e.setup();
};

const cpus = os.cpus();
const engine = { runtime: "node", version: process.versions.node, v8: process.versions.v8, cpu: cpus[0]?.model.trim() ?? "unknown", cores: cpus.length, arch: process.arch, os: process.platform };
`;

export const RUNNER_SOURCE =
  COMMON_SOURCE +
  String.raw`
async function load({ dir, variants }) {
  for (const variant of variants) {
    const file = path.join(dir, "model." + variant + ".wasm");
    if (!existsSync(file)) continue;
    const code = readFileSync(file);
    const weights = readFileSync(path.join(dir, "weights.bin"));
    if (!WebAssembly.validate(code)) continue;
    const t0 = now();
    const module = await WebAssembly.compile(code);
    const t1 = now();
    const { exports: e } = await WebAssembly.instantiate(module, {});
    const t2 = now();
    setWeights(e, weights);
    const t3 = now();
    if (!e.selftest()) continue;
    const t4 = now();
    const inputs = inputsOf(e, dir);
    const outputs = [];
    for (let i = 0; i < e.output_count(); i++) {
      const view = new Float32Array(e.memory.buffer, e.output_ptr(i), e.output_bytes(i) >> 2);
      outputs.push([view, new Float32Array(view.length)]);
    }
    const run = () => {
      for (const [view, values] of inputs) view.set(values);
      e.run();
      for (const [view, values] of outputs) values.set(view);
    };
    const t5 = now();
    run();
    const firstRunMs = now() - t5;
    return {
      dir, variant, run, firstRunMs, samples: [], batch: 1,
      memoryBytes: e.memory.buffer.byteLength,
      load: { compileMs: t1 - t0, instantiateMs: t2 - t1, weightsMs: t3 - t2, selftestMs: t4 - t3 },
    };
  }
  fail(dir, "none of the variants " + variants.join(", ") + " is in the package, validates here and passes its self-test");
}

const timed = (p, batch) => {
  const t = now();
  for (let i = 0; i < batch; i++) p.run();
  return (now() - t) / batch;
};

try {
  const list = [];
  for (const p of request.packages) list.push(await load(p));
  const { runs, warmup, warmupMs, minBatchMs, minMs } = request;
  for (const p of list) {
    const end = now() + warmupMs;
    let quickest = Infinity;
    for (let i = 0; i < warmup || now() < end; i++) quickest = Math.min(quickest, timed(p, 1));
    // The clock ticks in about 50 ns steps here, and reading it costs as much: a sample is long enough for neither to show.
    p.batch = Math.max(1, Math.ceil(minBatchMs / Math.max(quickest, 1e-4)));
  }
  const started = now();
  for (let round = 0; round < runs || now() - started < minMs; round++) {
    for (let i = 0; i < list.length; i++) {
      const p = list[(i + round) % list.length];
      p.samples.push(timed(p, p.batch));
    }
  }
  process.stdout.write(JSON.stringify({
    engine,
    packages: list.map(({ run, ...rest }) => rest),
  }));
} catch (e) {
  process.stdout.write(JSON.stringify({ error: e.message, dir: e.dir ?? null }));
}
`;
