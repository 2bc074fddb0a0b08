/** Questions to a graph and small edits that keep its structure. */
import { IdapError, invariant } from "./errors.js";
import { getOp } from "./ops/index.js";
import {
  allocate,
  sizeOf,
  type Graph,
  type Node,
  type Port,
  type Tensor,
  type TensorData,
  type TensorType,
} from "./types.js";

/** The tensor of that name; throws E_TENSOR when there is none. */
export function tensorOf(graph: Graph, name: string): Tensor {
  const tensor = graph.tensors.get(name);
  if (!tensor) throw new IdapError("E_TENSOR", `graph "${graph.name}" has no tensor "${name}"`);
  return tensor;
}

export function typeOf(graph: Graph, name: string): TensorType {
  return tensorOf(graph, name).type;
}

export function isConstant(graph: Graph, name: string): boolean {
  return graph.tensors.get(name)?.data !== undefined;
}

/** Nodes that read each tensor, in order; a node that reads a tensor twice is listed once. */
export function consumersOf(graph: Graph): Map<string, Node[]> {
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of new Set(node.inputs)) {
      const list = consumers.get(name);
      if (list) list.push(node);
      else consumers.set(name, [node]);
    }
  }
  return consumers;
}

/** The node that writes each tensor; inputs and constants have none. */
export function producerOf(graph: Graph): Map<string, Node> {
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) producers.set(name, node);
  return producers;
}

/** Names of the graph's output tensors. */
export function outputTensors(graph: Graph): Set<string> {
  return new Set(graph.outputs.map((port) => port.tensor));
}

/** Constants that training may change, in the order in which nodes first use them. */
export function parameterNames(graph: Graph): string[] {
  const names = new Set<string>();
  for (const node of graph.nodes) {
    for (const i of getOp(node.op).params ?? []) {
      const name = node.inputs[i];
      if (name !== undefined && isConstant(graph, name)) names.add(name);
    }
  }
  return [...names];
}

/** Number of trained values: the elements of all parameters. */
export function countParameters(graph: Graph): number {
  return parameterNames(graph).reduce((sum, name) => sum + sizeOf(typeOf(graph, name).shape), 0);
}

/** The same graph with other values in some constants; each must have the class and length of the old ones. */
export function withConstants(graph: Graph, values: ReadonlyMap<string, TensorData>): Graph {
  if (values.size === 0) return graph;
  const tensors = new Map(graph.tensors);
  for (const [name, data] of values) {
    const old = tensorOf(graph, name);
    if (!old.data) throw new IdapError("E_CONSTANT", `"${name}" is not a constant, so it cannot be given values`);
    if (old.data.length !== data.length || old.data.constructor !== data.constructor) {
      throw new IdapError(
        "E_CONSTANT",
        `"${name}" holds ${old.data.length} values in a ${old.data.constructor.name}, got ${data.length} in a ${data.constructor.name}`,
      );
    }
    tensors.set(name, { ...old, data });
  }
  return { ...graph, tensors };
}

/** Renames tensors everywhere; names that are not in the map stay. Port and node names are not touched. */
export function renameTensors(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  const to = (name: string): string => names.get(name) ?? name;
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of graph.tensors) {
    const renamed = to(name);
    if (tensors.has(renamed)) throw new IdapError("E_NAME", `two tensors would be called "${renamed}"`);
    tensors.set(renamed, renamed === name ? tensor : { ...tensor, name: renamed });
  }
  const port = (p: Port): Port => ({ ...p, tensor: to(p.tensor) });
  return {
    ...graph,
    inputs: graph.inputs.map(port),
    outputs: graph.outputs.map(port),
    tensors,
    nodes: graph.nodes.map((n) => ({ ...n, inputs: n.inputs.map(to), outputs: n.outputs.map(to) })),
  };
}

/** `base`, or `base_1`, `base_2`, ... when it is taken. */
export function uniqueName(taken: { has(name: string): boolean }, base: string): string {
  if (!taken.has(base)) return base;
  for (let i = 1; ; i++) {
    const name = `${base}_${i}`;
    if (!taken.has(name)) return name;
  }
}

/**
 * Nodes in topological order; those that are free to move keep their order.
 * `known` are tensors that exist before any node runs. Throws E_CYCLE naming a node that waits for itself.
 */
export function sortNodes(nodes: readonly Node[], known: ReadonlySet<string>): Node[] {
  const producer = new Map<string, number>();
  nodes.forEach((node, i) => node.outputs.forEach((name) => producer.set(name, i)));
  const state = new Uint8Array(nodes.length); // 0 new, 1 waiting, 2 placed
  const sorted: Node[] = [];
  for (let start = 0; start < nodes.length; start++) {
    // Depth first with a stack of our own: deep graphs must not exhaust the engine's.
    const stack = [start];
    while (stack.length > 0) {
      const i = stack[stack.length - 1]!;
      const node = nodes[i]!;
      if (state[i] === 2) {
        stack.pop();
        continue;
      }
      state[i] = 1;
      const before = stack.length;
      for (const name of node.inputs) {
        if (known.has(name)) continue;
        const j = producer.get(name);
        if (j === undefined || state[j] === 2) continue;
        if (state[j] === 1)
          throw new IdapError("E_CYCLE", `node "${node.name}" waits for its own result through "${name}"`);
        stack.push(j);
      }
      // Inputs are pushed in order, so they are taken from the last; nothing depends on which comes first.
      if (stack.length === before) {
        state[i] = 2;
        sorted.push(node);
        stack.pop();
      }
    }
  }
  invariant(sorted.length === nodes.length, "every node is placed once");
  return sorted;
}

/** A constant f32 tensor. */
export function constantTensor(name: string, shape: readonly number[], data: Float32Array): Tensor {
  return { name, type: { dtype: "f32", shape, batchAxis: null }, data };
}

/** Whether `data` is what `type` asks for: class and length. Returns what is wrong, or null. */
export function dataFault(type: TensorType, data: TensorData): string | null {
  const expected = allocate(type.dtype, 0).constructor;
  if (data.constructor !== expected)
    return `its data is a ${data.constructor.name}, ${type.dtype} needs a ${expected.name}`;
  const size = sizeOf(type.shape);
  if (data.length !== size) return `its data has ${data.length} values, [${type.shape}] needs ${size}`;
  return null;
}
