/** Type inference over a whole graph, and the verifier that runs after every pass. */
import { IdapError } from "./errors.js";
import { dataFault } from "./graph.js";
import { getOp, hasOp, opNames } from "./ops/index.js";
import { showType } from "./ops/shared/checks.js";
import { sameShape, type Graph, type Node, type Tensor, type TensorType } from "./types.js";

/** `node "conv1" (conv2d of "x": f32 [batch*1, 8, 8, 3], "w": f32 [3, 3, 3, 16])`: how errors call a node. */
export function describeNode(node: Node, typeOf: (name: string) => TensorType | undefined): string {
  const inputs = node.inputs.map((name) => `"${name}": ${showType(typeOf(name))}`).join(", ");
  return `node "${node.name}" (${node.op}${inputs ? ` of ${inputs}` : ""})`;
}

/**
 * Output types of one node. Throws with the node's name and its inputs when the operator is unknown, an attribute is
 * wrong, an operand is missing or the operands do not fit.
 */
export function inferNode(node: Node, typeOf: (name: string) => TensorType | undefined): TensorType[] {
  const where = describeNode(node, typeOf);
  if (!hasOp(node.op)) {
    throw new IdapError("E_OP", `${where}: there is no operator "${node.op}"`, `Known: ${opNames.join(", ")}.`);
  }
  const op = getOp(node.op);
  const last = op.inputs[op.inputs.length - 1];
  const most = last?.endsWith("...") ? Infinity : op.inputs.length;
  const least = op.inputs.filter((name) => !name.endsWith("?")).length;
  if (node.inputs.length < least || node.inputs.length > most) {
    throw new IdapError(
      "E_ARITY",
      `${where}: ${node.op} takes (${op.inputs.join(", ")}), got ${node.inputs.length} inputs`,
    );
  }
  const attrs = op.attrs.safeParse(node.attrs);
  if (!attrs.success) {
    const issue = attrs.error.issues[0]!;
    const path = issue.path.length > 0 ? `attribute "${issue.path.join(".")}"` : "attributes";
    throw new IdapError("E_ATTRS", `${where}: ${path}: ${issue.message}`);
  }
  const types: TensorType[] = [];
  for (const name of node.inputs) {
    const type = typeOf(name);
    if (!type) throw new IdapError("E_TENSOR", `${where}: its input "${name}" does not exist before it`);
    types.push(type);
  }
  try {
    return op.infer(types, attrs.data);
  } catch (error) {
    if (error instanceof IdapError) throw new IdapError(error.code, `${where}: ${error.message}`, error.hint);
    throw error;
  }
}

/** The same graph with every type that nodes produce inferred anew. Nodes must be in topological order. */
export function inferTypes(graph: Graph): Graph {
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of graph.tensors) if (tensor.data) tensors.set(name, tensor);
  for (const { tensor } of graph.inputs) {
    const known = graph.tensors.get(tensor);
    if (known) tensors.set(tensor, known);
  }
  const typeOf = (name: string): TensorType | undefined => tensors.get(name)?.type;
  for (const node of graph.nodes) {
    const types = inferNode(node, typeOf);
    node.outputs.forEach((name, i) => {
      const type = types[i];
      if (type) tensors.set(name, { ...graph.tensors.get(name), name, type });
    });
  }
  return { ...graph, tensors };
}

/**
 * Checks a whole graph and returns it: names, ports, topological order, arity, attributes, constants, and that every
 * stored type is the inferred one. The first fault is thrown, with the node or tensor it is in.
 */
export function verify(graph: Graph): Graph {
  const ready = new Set<string>();
  for (const [name, tensor] of graph.tensors) {
    verifyTensor(name, tensor);
    if (tensor.data) ready.add(name);
  }
  verifyPorts(graph, ready);

  const typeOf = (name: string): TensorType | undefined =>
    ready.has(name) ? graph.tensors.get(name)?.type : undefined;
  const names = new Set<string>();
  for (const node of graph.nodes) {
    if (names.has(node.name)) throw new IdapError("E_NAME", `two nodes are called "${node.name}"`);
    names.add(node.name);
    const types = inferNode(node, typeOf);
    const where = describeNode(node, typeOf);
    if (node.outputs.length !== types.length) {
      throw new IdapError(
        "E_ARITY",
        `${where}: ${node.op} has ${types.length} outputs, the node names ${node.outputs.length}`,
      );
    }
    node.outputs.forEach((name, i) => {
      if (ready.has(name)) {
        throw new IdapError(
          "E_NAME",
          `${where}: its output "${name}" is already a constant, an input or another node's output`,
        );
      }
      const stored = graph.tensors.get(name);
      if (!stored) throw new IdapError("E_TENSOR", `${where}: its output "${name}" is not among the graph's tensors`);
      if (!sameType(stored.type, types[i]!)) {
        throw new IdapError(
          "E_TYPE",
          `${where}: its output "${name}" is stored as ${showType(stored.type)} but is ${showType(types[i])}`,
        );
      }
      ready.add(name);
    });
  }
  for (const name of graph.tensors.keys()) {
    if (!ready.has(name))
      throw new IdapError("E_DANGLING", `tensor "${name}" is no constant, no input, and no node produces it`);
  }
  for (const port of graph.outputs) {
    if (!ready.has(port.tensor)) {
      throw new IdapError("E_TENSOR", `output "${port.name}" is the tensor "${port.tensor}", which does not exist`);
    }
  }
  return graph;
}

function verifyTensor(name: string, { name: own, type, data, quant }: Tensor): void {
  if (name !== own) throw new IdapError("E_NAME", `tensor "${own}" is filed under "${name}"`);
  if (type.shape.some((d) => !Number.isSafeInteger(d) || d < 1)) {
    throw new IdapError(
      "E_SHAPE",
      `tensor "${name}" has shape [${type.shape}]; every extent must be a positive integer`,
    );
  }
  if (type.batchAxis !== null && !(type.batchAxis in type.shape)) {
    throw new IdapError("E_BATCH", `tensor "${name}" of shape [${type.shape}] has no batch axis ${type.batchAxis}`);
  }
  if (data) {
    const fault = dataFault(type, data);
    if (fault) throw new IdapError("E_CONSTANT", `constant "${name}": ${fault}`);
    if (type.batchAxis !== null) throw new IdapError("E_BATCH", `constant "${name}" cannot have a batch axis`);
  }
  if (quant) {
    const length = quant.axis === null ? 1 : (type.shape[quant.axis] ?? 0);
    if (quant.scale.length !== length || (quant.zeroPoint.length !== length && quant.zeroPoint.length !== 1)) {
      throw new IdapError(
        "E_QUANT",
        `tensor "${name}" [${type.shape}] has ${quant.scale.length} scales and ${quant.zeroPoint.length} zero points for axis ${quant.axis}`,
      );
    }
  }
}

function verifyPorts(graph: Graph, ready: Set<string>): void {
  const ports = new Set<string>();
  for (const { name, tensor } of graph.inputs) {
    if (ports.has(name)) throw new IdapError("E_NAME", `two inputs are called "${name}"`);
    ports.add(name);
    if (!graph.tensors.has(tensor)) {
      throw new IdapError("E_TENSOR", `input "${name}" is the tensor "${tensor}", which does not exist`);
    }
    if (ready.has(tensor))
      throw new IdapError("E_NAME", `input "${name}" is the tensor "${tensor}", a constant or another input`);
    ready.add(tensor);
  }
  if (graph.outputs.length === 0) throw new IdapError("E_OUTPUTS", `graph "${graph.name}" has no outputs`);
  ports.clear();
  for (const { name } of graph.outputs) {
    if (ports.has(name)) throw new IdapError("E_NAME", `two outputs are called "${name}"`);
    ports.add(name);
  }
}

function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && a.batchAxis === b.batchAxis && sameShape(a.shape, b.shape);
}
