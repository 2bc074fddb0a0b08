// Everything that the engines read, written once per run: our package, the rivals' files, the input, the exact output.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { tfjsCalls } from "./calls.mjs";
import { NETWORKS, macsOf } from "./networks.mjs";

/** The same network with an interface in channels-first order, as files for ONNX Runtime have it. */
export function channelsFirst(graph) {
  const [port] = graph.inputs;
  const { type } = graph.tensors.get(port.tensor);
  if (type.shape.length !== 4) return graph;
  const [n, h, w, c] = type.shape;
  const tensor = `${port.tensor}/nchw`;
  const transpose = {
    op: "transpose",
    name: tensor,
    inputs: [tensor],
    outputs: [port.tensor],
    attrs: { perm: [0, 2, 3, 1] },
  };
  return {
    ...graph,
    inputs: [{ ...port, tensor }],
    nodes: [transpose, ...graph.nodes],
    tensors: new Map([...graph.tensors, [tensor, { name: tensor, type: { ...type, shape: [n, c, h, w] } }]]),
  };
}

const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** The library's modules that the bench uses beside its index. */
export async function loadLibrary(dist) {
  const from = (file) => import(path.join(dist, file));
  const files = ["index.js", "formats/index.js", "emit/index.js", "host/reference.js", "model/passes/index.js"];
  return Object.assign({}, ...(await Promise.all(files.map(from))));
}

/** One network's folder: `package`, `model.onnx`, `model.tflite`, `tfjs`, `calls.json`, `calls.bin`, `input.bin`, `exact.bin`. */
export async function prepareNetwork(library, name, { out, data }) {
  const { title, pruned = false, tokens = false, ...network } = NETWORKS[name];
  const graph = await network.graph(library, data);
  const input = network.input(library, graph, data);
  const [port] = graph.inputs;
  const [result] = graph.outputs;
  const { shape, dtype } = graph.tensors.get(port.tensor).type;

  const dir = path.join(out, name);
  rmSync(dir, { recursive: true, force: true });
  const write = (file, bytes) => {
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    writeFileSync(path.join(dir, file), bytes);
  };
  const started = performance.now();
  const files = await library.emitFiles(tokens ? library.canonicalise(graph) : graph, { name });
  const emitMs = performance.now() - started;
  for (const [file, bytes] of files) write(path.join("package", file), bytes);

  const reference = new library.ReferenceExecutor(graph);
  const exact = (await reference.run({ [port.name]: { data: input, shape, dtype } }))[result.name].data;
  write("input.bin", bytesOf(input));
  write("exact.bin", bytesOf(exact));

  const onnx = library.onnxBytes(channelsFirst(graph));
  const tflite = library.tfliteBytes(graph);
  write("model.onnx", onnx);
  write("model.tflite", tflite);
  await library.writeModel(graph, path.join(dir, "tfjs"), "tfjs");
  const { list, weights } = tfjsCalls(graph);
  write("calls.json", JSON.stringify(list));
  write("calls.bin", weights);
  return {
    name,
    title,
    pruned,
    macs: macsOf(library, graph),
    input: { name: port.name, shape, dtype },
    output: result.name,
    emitMs,
    bytes: { onnx: onnx.length, tflite: tflite.length },
  };
}
