import { GraphBuilder } from "../../../model/builder.js";
import { IdapError } from "../../../model/errors.js";
import { removeDeadNodes } from "../../../model/passes/dead-nodes.js";
import { cancelTransposes } from "../../../model/passes/transposes.js";
import { sizeOf, type Graph, type TensorType } from "../../../model/types.js";
import { parse } from "../../keras/topology.js";
import { checkWeight, type Weight } from "../../keras/weights.js";
import { withTracedBatch } from "../../shared/batch.js";
import { Budget } from "../../shared/bytes.js";
import { checkShape } from "../../shared/check.js";
import { Names } from "../../shared/names.js";
import { Refusals } from "../../shared/refusals.js";
import { decodeWeights, weightsManifest } from "../manifest.js";
import { PRODUCER } from "../producer.js";
import { GraphContext, parseReference, TfOp } from "./context.js";
import { dtypeOf, graphModelJson, type GraphModelJson, type NodeDef, type Signature } from "./graphdef.js";
import { converters } from "./operators/index.js";

interface Source {
  readonly name: string;
  readonly file: string;
  readonly batch: number;
  /** Written by our writer: -1 marks the batch, on whatever axis, and nothing else does. */
  readonly ours: boolean;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly signature: Signature | null;
  /** What outputs need, each node after its operands. */
  readonly nodes: readonly NodeDef[];
  readonly placeholders: readonly NodeDef[];
  readonly outputs: readonly string[];
  readonly weights: ReadonlyMap<string, Weight>;
  readonly bytes: number;
}

/**
 * Reads a TensorFlow.js graph model (a GraphDef in JSON with weights beside it). Ports are named as the placeholders and
 * the nodes that give the outputs.
 */
export function readGraphModel(
  json: unknown,
  name: string,
  file: string,
  readShard: (path: string) => Uint8Array,
  batch: number,
  shapes: Readonly<Record<string, readonly number[]>> = {},
): Graph {
  const model = parse(graphModelJson, json, file, "a TensorFlow.js graph model");
  const byName = indexed(model.modelTopology.node, file);
  const signature = signatureOf(model);
  const outputs = outputsOf(model, signature, file);
  const nodes = ordered(outputs, byName, file);
  refuseUnsupported(nodes, file);
  let bytes = 0;
  const manifest = parse(weightsManifest, model.weightsManifest, file, "the weights manifest");
  const weights = decodeWeights(manifest, file, (path) => {
    const shard = readShard(path);
    bytes += shard.length;
    return shard;
  });
  const placeholders = inputsOf(model, signature, byName);
  const ours = model.generatedBy === PRODUCER;
  const source = { name, file, batch, ours, shapes, signature, nodes, placeholders, outputs, weights, bytes };
  const graph = removeDeadNodes(withTracedBatch((traced) => build(source, traced)));
  return graph.nodes.some((n) => n.op === "transpose") ? cancelTransposes(graph) : graph;
}

function indexed(nodes: readonly NodeDef[], file: string): Map<string, NodeDef> {
  const byName = new Map<string, NodeDef>();
  for (const node of nodes) {
    if (byName.has(node.name)) throw new IdapError("E_FORMAT", `${file} has two nodes called "${node.name}"`);
    byName.set(node.name, node);
  }
  return byName;
}

/** Old converters keep the signature among the user's data, or have none. */
function signatureOf(model: GraphModelJson): Signature | null {
  const metadata = model.userDefinedMetadata;
  const kept =
    typeof metadata === "object" && metadata !== null && "signature" in metadata
      ? graphModelJson.shape.signature.safeParse(metadata.signature).data
      : null;
  return model.signature ?? kept ?? model.modelTopology.signature ?? null;
}

const isPlaceholder = (node: NodeDef): boolean => node.op === "Placeholder";

/** Outputs of the signature, else nodes that no other takes from. */
function outputsOf(model: GraphModelJson, signature: Signature | null, file: string): string[] {
  const stated = Object.values(signature?.outputs ?? {}).flatMap((o) => o.name ?? []);
  if (stated.length > 0) return [...new Set(stated)];
  const { node: nodes } = model.modelTopology;
  const taken = new Set(nodes.flatMap((n) => n.input.map((name) => parseReference(name.replace(/^\^/, "")).node)));
  const last = nodes.filter((n) => !taken.has(n.name) && !["Const", "NoOp", "Placeholder"].includes(n.op));
  if (last.length === 0) throw new IdapError("E_FORMAT", `${file} has no outputs`);
  return last.map((n) => n.name);
}

function inputsOf(model: GraphModelJson, signature: Signature | null, byName: ReadonlyMap<string, NodeDef>): NodeDef[] {
  const stated = Object.values(signature?.inputs ?? {}).flatMap((i) => i.name ?? []);
  const named = stated.flatMap((name) => byName.get(parseReference(name).node) ?? []).filter(isPlaceholder);
  const rest = model.modelTopology.node.filter((n) => isPlaceholder(n) && !named.includes(n));
  return [...named, ...rest];
}

/** Nodes that the outputs need, operands first; without recursion, as chains may be long. */
function ordered(outputs: readonly string[], byName: ReadonlyMap<string, NodeDef>, file: string): NodeDef[] {
  const state = new Map<NodeDef, "open" | "done">();
  const order: NodeDef[] = [];
  const find = (reference: string, by: string): NodeDef => {
    const node = byName.get(parseReference(reference).node);
    if (node) return node;
    throw new IdapError("E_FORMAT", `${file}: ${by} takes "${reference}", which does not exist`);
  };
  for (const output of outputs) {
    const stack = [find(output, "the signature")];
    while (stack.length > 0) {
      const node = stack[stack.length - 1]!;
      if (state.get(node) === "done") {
        stack.pop();
        continue;
      }
      const first = !state.has(node);
      state.set(node, "open");
      const needed = operandsOf(node)
        .map((name) => find(name, `node "${node.name}"`))
        .filter((n) => state.get(n) !== "done");
      if (needed.length === 0) {
        state.set(node, "done");
        order.push(node);
        stack.pop();
      } else if (!first || needed.some((n) => state.get(n) === "open" && stack.includes(n))) {
        // Loops of control flow are refused by name, which says more.
        refuseUnsupported(stack, file);
        throw new IdapError("E_FORMAT", `${file}: node "${node.name}" waits for its own result`);
      } else stack.push(...needed);
    }
  }
  return order;
}

function operandsOf(node: NodeDef): string[] {
  return node.op === "Placeholder" || node.op === "Const" ? [] : node.input.filter((name) => !name.startsWith("^"));
}

function refuseUnsupported(nodes: readonly NodeDef[], file: string): void {
  const refusals = new Refusals(file);
  const context = new GraphContext(file, new GraphBuilder("unused"), new Names(), new Budget(file, 0));
  for (const node of nodes) {
    if (node.op === "Const" || node.op === "Placeholder") continue;
    if (!Object.hasOwn(converters, node.op)) refusals.add(node.op, node.name);
    else {
      const reason = converters[node.op]!.refuse?.(new TfOp(context, node)) ?? null;
      if (reason !== null) refusals.add(node.op, node.name, reason);
    }
  }
  refusals.throwIfAny();
}

function build(source: Source, traced: boolean): Graph {
  const { file, nodes, weights } = source;
  const builder = new GraphBuilder(source.name);
  const context = new GraphContext(file, builder, new Names(), new Budget(file, source.bytes));
  for (const node of source.placeholders) {
    const port = context.names.fresh(node.name);
    context.bind(node.name, 0, { tensor: builder.input(port, inputType(node, source, traced)) });
  }
  for (const node of nodes) {
    if (node.op === "Placeholder") continue;
    if (node.op === "Const") {
      bindConstant(context, node, weights);
      continue;
    }
    const result = converters[node.op]!.convert(new TfOp(context, node));
    (typeof result === "string" ? [result] : result).forEach((tensor, i) => context.bind(node.name, i, { tensor }));
  }
  const ports = new Names();
  for (const reference of source.outputs) {
    const { node, index } = parseReference(reference);
    const value = context.get(reference);
    if (!value || !("tensor" in value) || context.probe(value.tensor)) {
      throw new IdapError("E_BATCH", `${file}: the output "${reference}" is no tensor that a sample has`);
    }
    builder.output(value.tensor, ports.fresh(index === 0 ? node : `${node}:${index}`));
  }
  return builder.build();
}

function bindConstant(context: GraphContext, { name }: NodeDef, weights: ReadonlyMap<string, Weight>): void {
  const weight = weights.get(name);
  if (!weight) throw new IdapError("E_FORMAT", `${context.file}: the file holds no weight "${name}"`);
  const { shape, dtype, data } = checkWeight(weight, `${context.file}: weight "${name}"`);
  if (sizeOf(shape) === 0) context.bind(name, 0, { empty: { dtype, shape } });
  else context.bind(name, 0, { tensor: context.constant(name, dtype, shape, data) });
}

/** Axis 0 is the batch when it is open or has the extent that stands for the batch. */
function inputType(node: NodeDef, source: Source, traced: boolean): TensorType {
  const what = `${source.file}: input "${node.name}"`;
  const dtype = dtypeOf(node.attr.dtype?.type ?? "DT_FLOAT");
  if (dtype === null) throw new IdapError("E_DTYPE", `${what} takes ${node.attr.dtype!.type}, which cannot be read`);
  const stated = node.attr.shape?.shape;
  const signed = Object.values(source.signature?.inputs ?? {}).find(
    (i) => i.name !== undefined && parseReference(i.name).node === node.name,
  )?.tensorShape;
  const dims = (stated?.unknownRank !== true && stated?.dim.length ? stated : signed)?.dim.map((d) => d.size);
  const given = source.shapes[node.name];
  if (!dims && !given) throw new IdapError("E_SHAPE", `${what} states no shape`, "Export the model with fixed sizes.");
  const open = (dims ?? given!).map((d, axis) => (d < 0 && axis > 0 ? (given?.[axis] ?? -1) : d));
  const marked = source.ours ? open.findIndex((d) => d < 0) : 0;
  const free = open.findIndex((d, axis) => axis !== Math.max(marked, 0) && d < 0);
  if (free > 0) {
    throw new IdapError(
      "E_SHAPE",
      `${what} leaves axis ${free} open; only axis 0, the batch, may be`,
      "Give the input's shape, or export the model with a fixed input size.",
    );
  }
  const shape = [
    ...checkShape(
      open.map((d) => (d < 0 ? 1 : d)),
      what,
    ),
  ];
  if (!traced || shape.length === 0) return { dtype, shape, batchAxis: null };
  if (source.ours) return { dtype, shape, batchAxis: marked < 0 ? null : marked };
  if (open[0]! >= 0 && shape[0] !== source.batch) return { dtype, shape, batchAxis: null };
  shape[0] = 1;
  return { dtype, shape, batchAxis: 0 };
}
