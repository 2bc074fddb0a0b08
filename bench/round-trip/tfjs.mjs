// What is written as a TensorFlow.js graph model, in tfjs-converter on the wasm backend, or cpu where wasm lacks a kernel.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs-core");
const wasm = require("@tensorflow/tfjs-backend-wasm");
require("@tensorflow/tfjs-backend-cpu");
const { loadGraphModel } = require("@tensorflow/tfjs-converter");
wasm.setWasmPaths(`${path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/dist/`);
tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);

/** A graph model from its folder: there is no fetch of files in Node. */
function fromFolder(folder) {
  const model = JSON.parse(readFileSync(path.join(folder, "model.json"), "utf8"));
  const parts = model.weightsManifest.flatMap((group) => group.paths.map((p) => readFileSync(path.join(folder, p))));
  const bytes = Uint8Array.from(Buffer.concat(parts));
  return {
    load: async () => ({
      modelTopology: model.modelTopology,
      format: model.format,
      signature: model.signature,
      weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
      weightData: bytes.buffer,
    }),
  };
}

/** @param inputs records by port name; returns records by output name, and the backend that ran */
export async function runTfjs(folder, inputs) {
  let first = null;
  for (const backend of ["wasm", "cpu"]) {
    await tf.setBackend(backend);
    await tf.ready();
    if (tf.getBackend() !== backend) throw new Error(`tfjs fell back to ${tf.getBackend()}`);
    try {
      return { backend, outputs: await run(folder, inputs) };
    } catch (error) {
      // "Kernel 'X' not registered for backend 'wasm'" is a gap of the backend and not of the file.
      first ??= error;
      if (backend === "cpu" || !/not registered|not supported|not yet/i.test(String(error))) throw first;
    }
  }
  throw first;
}

async function run(folder, inputs) {
  const model = await loadGraphModel(fromFolder(folder));
  const { inputs: ports, outputs: results } = signatureOf(model);
  const feeds = Object.entries(inputs).map(([name, { data, shape, dtype }]) => [
    ports[name],
    dtype === "f32"
      ? tf.tensor(data, shape, "float32")
      : tf.tensor(Int32Array.from(data, Number), shape, dtype === "bool" ? "bool" : "int32"),
  ]);
  const values = await model.executeAsync(Object.fromEntries(feeds), Object.values(results));
  const outputs = {};
  for (const [i, value] of [values].flat().entries()) {
    outputs[Object.keys(results)[i]] = { data: await value.data(), shape: value.shape };
  }
  model.dispose();
  return outputs;
}

/** Names of the interface and the tensors behind them. */
function signatureOf(model) {
  const { inputs, outputs } = model.modelSignature ?? {};
  const named = (ports, list) =>
    Object.fromEntries(ports ? Object.entries(ports).map(([k, v]) => [k, v.name]) : list.map((t) => [t.name, t.name]));
  return { inputs: named(inputs, model.inputs), outputs: named(outputs, model.outputs) };
}
