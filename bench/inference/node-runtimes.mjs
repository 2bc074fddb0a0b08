// The runtimes as Node has them. Each is loaded once, when it is first asked for.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const nativeRequire = createRequire(new URL("./native/package.json", import.meta.url));

/** The files of a network's folder. */
export const filesOf = (dir) => ({
  read: async (name) => new Uint8Array(readFileSync(path.join(dir, name))),
  module: (name) => import(pathToFileURL(path.join(dir, name)).href),
});

function once(load) {
  let loaded = null;
  return () => (loaded ??= load());
}

export const runtimes = {
  ours: once(async () => ({ entry: "node.js" })),
  tfjs: once(async () => {
    const tf = require("@tensorflow/tfjs-core");
    const wasm = require("@tensorflow/tfjs-backend-wasm");
    require("@tensorflow/tfjs-backend-cpu");
    wasm.setWasmPaths(`${path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/dist/`);
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    await tf.setBackend("wasm");
    await tf.ready();
    if (tf.getBackend() !== "wasm") throw new Error(`tfjs fell back to ${tf.getBackend()}`);
    return {
      tf,
      get converter() {
        return require("@tensorflow/tfjs-converter");
      },
    };
  }),
  ort: once(async () => {
    const ort = require("onnxruntime-web");
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.proxy = false;
    return { ort };
  }),
  native: once(async () => {
    // Registered in one onnxruntime-common, the later runtime wins and "native" would be WebAssembly.
    const common = [require, nativeRequire].map((r) => r.resolve("onnxruntime-common"));
    if (common[0] === common[1]) throw new Error(`both ONNX runtimes share ${common[0]}`);
    return { native: nativeRequire("onnxruntime-node") };
  }),
};
