/**
 * A graph as two files: `<base>.json` (structure) and `<base>.safetensors` (constants). Equal graphs give equal bytes,
 * reading and writing again gives the same ones, and nothing that is read is trusted.
 */
import { createHash } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { z } from "zod";
import { IdapError } from "./errors.js";
import { getOp } from "./ops/index.js";
import { fromSafetensors, toSafetensors, type StoredTensor } from "./safetensors.js";
import type { Attrs, Graph, Tensor } from "./types.js";
import { verify } from "./verify.js";

export { fromSafetensors, toSafetensors, type StoredTensor } from "./safetensors.js";

const FORMAT = "idap-graph";
const VERSION = 1;

const dtype = z.enum(["f32", "i32", "i8", "u8", "bool", "i64"]);
const port = z.strictObject({ name: z.string(), tensor: z.string() });
const axis = z.int().nonnegative().nullable();
const quant = z.strictObject({
  dtype: z.enum(["i8", "u8", "i32"]),
  scale: z.array(z.number()),
  zeroPoint: z.array(z.int()),
  axis,
});
const document = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  name: z.string(),
  /** Of the safetensors file, so that a pair that does not belong together is found. */
  weightsSha256: z.string(),
  inputs: z.array(port),
  outputs: z.array(port),
  nodes: z.array(
    z.strictObject({
      name: z.string(),
      op: z.string(),
      inputs: z.array(z.string()),
      outputs: z.array(z.string()),
      attrs: z.record(z.string(), z.unknown()),
    }),
  ),
  tensors: z.array(
    z.strictObject({
      name: z.string(),
      dtype,
      shape: z.array(z.int().positive()),
      batchAxis: axis,
      constant: z.boolean(),
      quant: quant.optional(),
    }),
  ),
});

/** The constants of a graph as a safetensors file. */
export function weightsOf(graph: Graph): Uint8Array {
  const stored = new Map<string, StoredTensor>();
  for (const [name, { data, type }] of graph.tensors)
    if (data) stored.set(name, { dtype: type.dtype, shape: type.shape, data });
  return toSafetensors(stored);
}

/** The structure of a graph as JSON text: keys sorted, one node or tensor a line, a line feed at the end. */
export function graphToJson(graph: Graph, weights: Uint8Array = weightsOf(graph)): string {
  const lines = (items: readonly unknown[]): string =>
    items.length === 0 ? "[]" : `[\n${items.map((item) => `  ${canonical(item)}`).join(",\n")}\n]`;
  const tensors = [...graph.tensors.values()].map(({ name, type, data, quant }) => ({
    name,
    dtype: type.dtype,
    shape: type.shape,
    batchAxis: type.batchAxis,
    constant: data !== undefined,
    ...(quant && { quant }),
  }));
  const fields = [
    `"format": ${JSON.stringify(FORMAT)}`,
    `"version": ${VERSION}`,
    `"name": ${JSON.stringify(graph.name)}`,
    `"weightsSha256": ${JSON.stringify(sha256(weights))}`,
    `"inputs": ${lines(graph.inputs)}`,
    `"outputs": ${lines(graph.outputs)}`,
    `"nodes": ${lines(graph.nodes)}`,
    `"tensors": ${lines(tensors)}`,
  ];
  return `{\n${fields.join(",\n")}\n}\n`;
}

/** The graph that `graphToJson` and `weightsOf` wrote; throws E_GRAPH_FILE for anything else. */
export function graphFromJson(text: string, weights: Uint8Array, where = "graph"): Graph {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new IdapError("E_GRAPH_FILE", `${where} is no JSON`);
  }
  const parsed = document.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new IdapError(
      "E_GRAPH_FILE",
      `${where} is no graph of ours: ${issue.path.join(".") || "document"}: ${issue.message}`,
    );
  }
  const doc = parsed.data;
  if (doc.weightsSha256 !== sha256(weights)) {
    throw new IdapError(
      "E_GRAPH_FILE",
      `${where} and its .safetensors do not belong together`,
      "Copy both files from one place.",
    );
  }
  const stored = fromSafetensors(weights, where);
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape, batchAxis, constant, quant } of doc.tensors) {
    if (tensors.has(name)) throw new IdapError("E_GRAPH_FILE", `${where}: two tensors are called "${name}"`);
    const type = { dtype, shape, batchAxis };
    if (!constant) {
      tensors.set(name, { name, type, ...(quant && { quant }) });
      continue;
    }
    const value = stored.get(name);
    if (!value) throw new IdapError("E_GRAPH_FILE", `${where}: the constant "${name}" is not in the .safetensors`);
    if (value.dtype !== dtype || value.shape.join() !== shape.join()) {
      throw new IdapError(
        "E_GRAPH_FILE",
        `${where}: the constant "${name}" is ${dtype} [${shape}] but stored as ${value.dtype} [${value.shape}]`,
      );
    }
    tensors.set(name, { name, type, data: value.data, ...(quant && { quant }) });
  }
  const { name, inputs, outputs } = doc;
  const graph = verify({ name, inputs, outputs, nodes: doc.nodes, tensors });
  return { ...graph, nodes: graph.nodes.map((n) => ({ ...n, attrs: getOp(n.op).attrs.parse(n.attrs) as Attrs })) };
}

/** Writes `<base>.safetensors` and `<base>.json`, each under a temporary name first. */
export async function saveGraph(graph: Graph, basePath: string): Promise<void> {
  const weights = weightsOf(graph);
  await writeAtomically(`${basePath}.safetensors`, weights);
  await writeAtomically(`${basePath}.json`, graphToJson(graph, weights));
}

/** Reads what `saveGraph` wrote. */
export async function loadGraph(basePath: string): Promise<Graph> {
  const [text, weights] = await Promise.all([read(`${basePath}.json`), read(`${basePath}.safetensors`)]);
  return graphFromJson(text.toString("utf8"), weights, `${basePath}.json`);
}

/** Writes under a temporary name in the same folder and renames: a reader sees the old file or the new, never a part. */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, content);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new IdapError("E_WRITE", `cannot write ${file}: ${(error as Error).message}`);
  }
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new IdapError("E_FILE", `cannot read ${file}: ${(error as Error).message}`);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** JSON with the keys of every object sorted, so that the order in which attributes were set leaves no trace. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
