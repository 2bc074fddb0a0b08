// The network as the ONNX file we write, in onnxruntime-web's wasm backend, one thread.
import { createRequire } from "node:module";

const ort = createRequire(import.meta.url)("onnxruntime-web");
ort.env.wasm.numThreads = 1;
ort.env.wasm.proxy = false;

export async function ortCandidate(model, graph, input) {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const [name] = session.inputNames;
  const [out] = session.outputNames;
  const dims = [...graph.tensors.get(graph.inputs[0].tensor).type.shape];
  return {
    name: "ort-web",
    isAsync: true,
    async run() {
      const result = await session.run({ [name]: new ort.Tensor("float32", input, dims) });
      return result[out].data;
    },
  };
}
