// The ONNX standard's own tests of its operators, through the library's public calls. How to get them: README.md.
//
//   node bench/onnx-nodes/run.mjs DATA [--executor reference|wasm|package] [--filter REGEX] [--list] [--json FILE]
//
// A test passes when outputs have the names, shapes, element types and values that the standard records. Operands that
// the library wants as constants (shapes, axes, weights) are given as such where the test passes them as inputs.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { describeModel, readTensor, withConstants } from "./protobuf.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    executor: { type: "string", default: "reference" },
    filter: { type: "string", default: "" },
    library: { type: "string", default: path.join(root, "dist/index.js") },
    list: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const data = positionals[0];
if (!data || !existsSync(data)) {
  process.stderr.write("Give the folder of the node tests; README.md says how to get it.\n");
  process.exit(1);
}
const { readModel, createExecutor, emit } = await import(pathToFileURL(path.resolve(options.library)).href);
const work = mkdtempSync(path.join(os.tmpdir(), "onnx-nodes-"));
/** The standard's tolerances, and what f32 leaves of a sum that cancels; half floats are computed in f32 here. */
const RELATIVE = { 1: 1e-3, 10: 2e-3, 11: 1e-3, 16: 1e-2 };
const ABSOLUTE = 2e-6;
/** The reference executor rounds nothing to f32, so that a quotient half way between two integers is none there. */
const STEP = options.executor === "reference" ? 1 : 0;

function difference(got, want) {
  if (!got) return "the output is missing";
  if (got.dtype !== want.dtype) return `${got.dtype} instead of ${want.dtype}`;
  if (got.shape.join() !== want.shape.join()) return `[${got.shape}] instead of [${want.shape}]`;
  for (let i = 0; i < want.data.length; i++) {
    const [a, b] = [Number(got.data[i]), Number(want.data[i])];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const allowed =
      want.dtype === "f32" ? ABSOLUTE + RELATIVE[want.type] * Math.abs(b) : want.dtype === "u8" ? STEP : 0;
    if (!(Math.abs(a - b) <= allowed)) return `element ${i} is ${a} instead of ${b}`;
  }
  return null;
}

async function outputsOf(graph, inputs) {
  if (options.executor !== "package") {
    const executor = createExecutor(options.executor, graph, { threads: 1 });
    try {
      return await executor.run(inputs);
    } finally {
      await executor.close();
    }
  }
  const out = mkdtempSync(path.join(work, "package-"));
  await emit(graph, { out });
  const { load } = await import(pathToFileURL(path.join(out, "node.js")).href);
  const model = await load();
  return await model.run(inputs);
}

/** Reads the model with the inputs `baked` as constants and runs one data set. */
async function attempt(test, baked) {
  const { model, bytes, inputs, outputs } = test;
  const file = path.join(work, "model.onnx");
  writeFileSync(
    file,
    baked.length > 0
      ? withConstants(
          bytes,
          baked.map((i) => [model.inputs[i], inputs[i]]),
        )
      : bytes,
  );
  const graph = await readModel(file);
  const record = {};
  model.inputs.forEach((name, i) => {
    if (baked.includes(i) || !graph.inputs.some((p) => p.name === name)) return;
    const value = readTensor(inputs[i]);
    if (!value) throw Object.assign(new Error(`input ${name} has another element type`), { name: "IdapError" });
    const { data: values, shape, dtype } = value;
    record[name] = { data: values, shape, dtype };
  });
  const got = await outputsOf(graph, record);
  for (const [i, name] of model.outputs.entries()) {
    const want = readTensor(outputs[i]);
    if (!want) return `output ${name} has another element type`;
    const wrong = difference(got[name], want);
    if (wrong) return `${name}: ${wrong}`;
  }
  return null;
}

function loadTest(name) {
  const folder = path.join(data, name);
  const bytes = new Uint8Array(readFileSync(path.join(folder, "model.onnx")));
  const set = path.join(folder, "test_data_set_0");
  if (!existsSync(set)) return null;
  const model = describeModel(bytes);
  const ports = (kind, list) => list.map((_, i) => path.join(set, `${kind}_${i}.pb`));
  model.inputs = model.inputs.filter((n) => !model.constants.has(n));
  const files = { inputs: ports("input", model.inputs), outputs: ports("output", model.outputs) };
  if (![...files.inputs, ...files.outputs].every((f) => existsSync(f))) return null;
  const read = (list) => list.map((f) => new Uint8Array(readFileSync(f)));
  return { model, bytes, inputs: read(files.inputs), outputs: read(files.outputs) };
}

async function runTest(name) {
  const test = loadTest(name);
  if (!test) return { status: "no data", reason: "its data are no tensors" };
  const operators = [...test.model.operators];
  const all = test.inputs.map((_, i) => i);
  // As it is, then with all but the first input as constants, then with all.
  const plans = [[], all.slice(1), all].filter((p, i, list) => list.findIndex((q) => q.length === p.length) === i);
  let result = null;
  for (const baked of plans) {
    try {
      const wrong = await attempt(test, baked);
      // What stands in the way of giving every input at run time is of use even where the test passes with constants.
      const withConstants = result && { reason: result.reason };
      if (!wrong) return { status: "passed", constants: baked.length, ...withConstants, operators };
      return { status: "wrong", reason: wrong, operators };
    } catch (error) {
      // A package has no class of errors of its own: its glue names the input that does not fit.
      const refused = error?.name === "IdapError" || /^input "/.test(error?.message ?? "");
      result ??= { status: refused ? "refused" : "crashed", reason: refused ? error.message : error?.stack, operators };
      if (!refused) return { status: "crashed", reason: error?.stack, operators };
    }
  }
  return result;
}

const wanted = new RegExp(options.filter);
const names = readdirSync(data).filter((n) => wanted.test(n) && existsSync(path.join(data, n, "model.onnx")));
const results = {};
for (const name of names.sort()) results[name] = await runTest(name);
rmSync(work, { recursive: true, force: true });

const counts = {};
for (const { status } of Object.values(results)) counts[status] = (counts[status] ?? 0) + 1;
const passed = Object.values(results).filter((r) => r.status === "passed");
const asConstants = passed.filter((r) => r.constants > 0).length;
const lines = Object.entries(results).filter(([, r]) => options.list || ["wrong", "crashed"].includes(r.status));
for (const [name, { status, reason = "", constants }] of lines) {
  const note =
    status === "passed"
      ? constants
        ? `${constants} inputs as constants: ${reason.split("\n")[0]}`
        : ""
      : reason.split("\n").slice(0, 2).join(" ");
  process.stdout.write(`${status.padEnd(8)} ${name.padEnd(60)} ${note}\n`);
}
const how = `${passed.length - asConstants} with every input at run time, ${asConstants} with some as constants`;
process.stdout.write(`${JSON.stringify(counts)} of ${names.length}, on ${options.executor}; passed: ${how}\n`);
if (options.json) writeFileSync(options.json, JSON.stringify(results, null, 1));
process.exitCode = (counts.wrong ?? 0) + (counts.crashed ?? 0) > 0 ? 1 : 0;
