// What is written as ONNX, in onnxruntime-web's wasm backend.
import { createRequire } from "node:module";

const ort = createRequire(import.meta.url)("onnxruntime-web");
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

const TYPES = { f32: "float32", i32: "int32", i64: "int64", i8: "int8", u8: "uint8", bool: "bool" };

/** @param inputs records by port name; returns records by output name */
export async function runOrt(file, inputs) {
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "disabled",
  });
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape, dtype }]) => [name, new ort.Tensor(TYPES[dtype], data, shape)]),
  );
  const results = await session.run(feeds);
  const outputs = Object.fromEntries(
    session.outputNames.map((name) => [name, { data: results[name].data, shape: [...results[name].dims] }]),
  );
  await session.release();
  return outputs;
}
