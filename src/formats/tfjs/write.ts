import { IdapError } from "../../model/errors.js";
import { expandOps } from "../../model/passes/index.js";
import type { Graph } from "../../model/types.js";
import { PRODUCER } from "./producer.js";
import { attr, openShape, TF_TYPE, TfjsWriter, type TfWeight, type Writer } from "./write/context.js";
import { elementwise } from "./write/elementwise.js";
import { moves } from "./write/moves.js";
import { networks } from "./write/networks.js";
import { recurrent } from "./write/recurrent.js";

/** How each operator of the IR is written. */
export const writers: Readonly<Record<string, Writer>> = { ...elementwise, ...moves, ...networks, ...recurrent };

/** Shards of 4 MiB, which browsers keep in their caches. */
const SHARD = 4 << 20;

/**
 * The graph as a TensorFlow.js graph model: model.json and its weights in shards, by file name. Ports keep their names
 * (without what TensorFlow does not allow in them); the bytes depend on the graph alone.
 *
 * @throws IdapError E_UNSUPPORTED with all operators that have no form in TensorFlow.js
 */
export function tfjsFiles(given: Graph): Map<string, Uint8Array> {
  const graph = expandOps(given, ({ op }) => Object.hasOwn(writers, op));
  const unknown = graph.nodes.filter((n) => !Object.hasOwn(writers, n.op));
  if (unknown.length > 0) {
    throw new IdapError(
      "E_UNSUPPORTED",
      `graph "${graph.name}" cannot be written for TensorFlow.js: ${unknown.map((n) => `${n.op} (${n.name})`).join(", ")}`,
    );
  }
  const writer = new TfjsWriter(graph);
  for (const node of graph.nodes) {
    const result = writers[node.op]!(writer, node, node.attrs);
    (typeof result === "string" ? [result] : result).forEach((reference, i) => {
      writer.bind(node.outputs[i]!, reference);
    });
  }
  writer.finish();
  const shards = shardsOf(writer.weights);
  const paths = shards.map((_, i) => `group1-shard${i + 1}of${shards.length}.bin`);
  const model = {
    format: "graph-model",
    generatedBy: PRODUCER,
    convertedBy: PRODUCER,
    signature: { inputs: signatureOf(writer.inputs), outputs: signatureOf(writer.outputs) },
    modelTopology: { node: writer.nodes, library: {}, versions: { producer: 1 } },
    weightsManifest: [
      { paths, weights: writer.weights.map(({ name, shape, dtype }) => ({ name, shape: [...shape], dtype })) },
    ],
  };
  return new Map([
    ["model.json", new TextEncoder().encode(JSON.stringify(model))],
    ...shards.map((bytes, i) => [paths[i]!, bytes] as const),
  ]);
}

function signatureOf(ports: TfjsWriter["inputs"]): Record<string, object> {
  return Object.fromEntries(
    ports.map(({ port, node, type }) => [
      port,
      { name: `${node}:0`, dtype: TF_TYPE[type.dtype].type, tensorShape: attr.shape(openShape(type)).shape },
    ]),
  );
}

/** All weights one after another, cut into shards. */
function shardsOf(weights: readonly TfWeight[]): Uint8Array[] {
  const total = weights.reduce((n, w) => n + w.bytes.length, 0);
  const all = new Uint8Array(total);
  let at = 0;
  for (const { bytes } of weights) {
    all.set(bytes, at);
    at += bytes.length;
  }
  const count = Math.max(Math.ceil(total / SHARD), 1);
  return Array.from({ length: count }, (_, i) => all.slice(i * SHARD, (i + 1) * SHARD));
}
