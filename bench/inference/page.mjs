// The bench in a page: the runtimes as a page has them, and what the driver calls.
import { coldStart } from "./cold.mjs";
import { measureNetwork, runMore } from "./interleave.mjs";

const MODULES = "/bench/node_modules/";

function once(load) {
  let loaded = null;
  return () => (loaded ??= load());
}

/** A classic script, as tfjs's bundles are. */
function script(src) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = src;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`cannot load ${src}`));
    document.head.append(element);
  });
}

const runtimes = {
  ours: once(async () => ({ entry: "index.js" })),
  litert: once(async () => {
    const litert = await import("@litertjs/core");
    await litert.loadLiteRt(`${MODULES}@litertjs/core/wasm/`, { threads: false });
    return { litert };
  }),
  tfjs: once(async () => {
    await script(`${MODULES}@tensorflow/tfjs-core/dist/tf-core.min.js`);
    await script(`${MODULES}@tensorflow/tfjs-backend-cpu/dist/tf-backend-cpu.min.js`);
    await script(`${MODULES}@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js`);
    const { tf } = globalThis;
    tf.wasm.setWasmPaths(`${MODULES}@tensorflow/tfjs-backend-wasm/dist/`);
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    await tf.setBackend("wasm");
    await tf.ready();
    if (tf.getBackend() !== "wasm") throw new Error(`tfjs fell back to ${tf.getBackend()}`);
    return { tf };
  }),
  ort: once(async () => {
    const ort = await import(`${MODULES}onnxruntime-web/dist/ort.wasm.min.mjs`);
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.proxy = false;
    ort.env.wasm.wasmPaths = `${MODULES}onnxruntime-web/dist/`;
    return { ort };
  }),
};

/** The graph executor's converter is one more script; the direct calls do without. */
const withConverter = once(async () => {
  const { tf } = await runtimes.tfjs();
  await script(`${MODULES}@tensorflow/tfjs-converter/dist/tf-converter.min.js`);
  return { tf, converter: globalThis.tf };
});

const filesOf = (name) => ({
  async read(file) {
    const response = await fetch(`/bench/out/${name}/${file}`);
    if (!response.ok) throw new Error(`${name}/${file}: HTTP ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  },
  module: (file) => import(`/bench/out/${name}/${file}`),
});

const runtimesFor = (engines) => (engines.includes("tfjs-graph") ? { ...runtimes, tfjs: withConverter } : runtimes);

window.bench = (job) =>
  measureNetwork(job.network, job.engines, runtimesFor(job.engines), filesOf(job.network.name), job);

window.runMore = ({ engine, count }) => runMore(engine, count);

/** One cold start, and the runtime's files that it fetched. */
window.cold = async ({ network, engine }) => {
  const result = await coldStart(network, engine, runtimesFor([engine]), filesOf(network.name));
  const fetched = performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname);
  return result && { ...result, runtime: fetched.filter((file) => file.startsWith(MODULES)) };
};
