/** Replacing one form of a computation by another: what is asked of a graph, and when a replacement is allowed. */
import { IdapError } from "../errors.js";
import { constantTensor, outputTensors, producerOf, uniqueName } from "../graph.js";
import { getOp } from "../ops/index.js";
import {
  sameShape,
  type Attrs,
  type Graph,
  type Node,
  type Tensor,
  type TensorData,
  type TensorType,
} from "../types.js";
import { inferNode, verify } from "../verify.js";
import { removeDeadNodes } from "./dead-nodes.js";

/** A constant f32 operand that does not exist yet. */
export interface NewConstant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a new node reads: a tensor of the graph, a new constant, or the result of another new node. */
export type NewOperand = string | NewConstant | Replacement;

/** The node that gives the result of another in its place; its output keeps the name. */
export interface Replacement {
  readonly op: string;
  readonly inputs: readonly NewOperand[];
  readonly attrs?: Attrs;
}

/** Looks whether `node` is the last one of a form that has a shorter one. */
export type Rule = (node: Node, view: View) => Replacement | null;

/** Constants of source files are decimal roundings of what they stand for: equal within 1e-6. */
export function near(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-6 * Math.max(Math.abs(a), Math.abs(b));
}

/** Questions that rules ask. */
export class View {
  private readonly producers: ReadonlyMap<string, Node>;
  private readonly outputs: ReadonlySet<string>;
  /** Tensor → its readers, one entry for each operand. */
  private readonly readers = new Map<string, Node[]>();

  constructor(readonly graph: Graph) {
    this.producers = producerOf(graph);
    this.outputs = outputTensors(graph);
    for (const node of graph.nodes) {
      for (const name of node.inputs) {
        const list = this.readers.get(name);
        if (list) list.push(node);
        else this.readers.set(name, [node]);
      }
    }
  }

  type(name: string): TensorType {
    return this.graph.tensors.get(name)!.type;
  }

  /** The node that makes a tensor if it is one of these operators. */
  maker(name: string, ...ops: readonly string[]): Node | null {
    const node = this.producers.get(name);
    return node && ops.includes(node.op) ? node : null;
  }

  /** Values of a constant. */
  constant(name: string): TensorData | null {
    return this.graph.tensors.get(name)?.data ?? null;
  }

  /** Values of an f32 constant. */
  floats(name: string): Float32Array | null {
    const data = this.constant(name);
    return data instanceof Float32Array ? data : null;
  }

  /** The one value of an f32 constant, whatever its rank. */
  scalar(name: string): number | null {
    const data = this.floats(name);
    return data?.length === 1 ? data[0]! : null;
  }

  readersOf(name: string): readonly Node[] {
    return this.readers.get(name) ?? [];
  }

  /** Whether nothing sees a tensor but one operand of one node: no port, and no scale that rounds it. */
  usedOnce(name: string): boolean {
    return this.readersOf(name).length === 1 && !this.isSeen(name);
  }

  /** Whether callers see a tensor, or a quantised source rounds it. */
  private isSeen(name: string): boolean {
    return this.outputs.has(name) || this.graph.tensors.get(name)!.quant !== undefined;
  }

  /** Whether what lies between `leaves` and `last` is of no use to anyone else, and depends on nothing else. */
  encloses(last: Node, leaves: ReadonlySet<string>): boolean {
    const inner = new Set<Node>([last]);
    const queue = [...last.inputs];
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      if (leaves.has(name) || this.constant(name)) continue;
      const node = this.producers.get(name);
      if (!node) return false;
      if (inner.has(node)) continue;
      inner.add(node);
      queue.push(...node.inputs);
    }
    inner.delete(last);
    return [...inner].every((node) =>
      node.outputs.every(
        (name) => !this.isSeen(name) && this.readersOf(name).every((reader) => reader === last || inner.has(reader)),
      ),
    );
  }
}

/**
 * Applies a rule to every node of the given operators. A replacement is made only where the inner values of the old
 * form are nobody else's and the type of the result stays; those inner nodes then go.
 */
export function rewrite(graph: Graph, ops: ReadonlySet<string>, rule: Rule): Graph {
  if (!graph.nodes.some((node) => ops.has(node.op))) return graph;
  const view = new View(graph);
  const tensors = new Map<string, Tensor>(graph.tensors);
  const names = new Set(graph.nodes.map((node) => node.name));
  let changed = false;
  const nodes = graph.nodes.flatMap((node) => {
    const found = ops.has(node.op) ? rule(node, view) : null;
    if (!found || !view.encloses(node, new Set(leavesOf(found)))) return [node];
    const draft = new Draft(node, tensors, names);
    if (!draft.make(found)) return [node];
    for (const tensor of draft.tensors) tensors.set(tensor.name, tensor);
    for (const { name } of draft.nodes) names.add(name);
    changed = true;
    return draft.nodes;
  });
  return changed ? lean({ ...graph, nodes, tensors }) : graph;
}

function leavesOf({ inputs }: Replacement): string[] {
  return inputs.flatMap((input) => {
    if (typeof input === "string") return [input];
    return "op" in input ? leavesOf(input) : [];
  });
}

/** The nodes and constants of one replacement, before it is known whether they fit. */
class Draft {
  readonly tensors: Tensor[] = [];
  readonly nodes: Node[] = [];

  constructor(
    private readonly replaced: Node,
    private readonly known: ReadonlyMap<string, Tensor>,
    private readonly names: ReadonlySet<string>,
  ) {}

  /** False when an operator does not take its operands, or the result has another type than before. */
  make(found: Replacement): boolean {
    try {
      const last = { ...this.node(found, this.replaced.name), outputs: this.replaced.outputs };
      this.nodes.push(last);
      const types = inferNode(last, (name) => this.tensor(name)?.type);
      return (
        types.length === last.outputs.length &&
        types.every((type, i) => sameType(type, this.known.get(last.outputs[i]!)!.type))
      );
    } catch (error) {
      if (error instanceof IdapError) return false;
      throw error;
    }
  }

  private tensor(name: string): Tensor | undefined {
    return this.known.get(name) ?? this.tensors.find((tensor) => tensor.name === name);
  }

  private node({ op, inputs, attrs = {} }: Replacement, name: string): Omit<Node, "outputs"> {
    return {
      name,
      op,
      inputs: inputs.map((input) => this.operand(input)),
      attrs: getOp(op).attrs.parse(attrs) as Attrs,
    };
  }

  private operand(input: NewOperand): string {
    if (typeof input === "string") return input;
    const base = `${this.replaced.name}/${"op" in input ? input.op : input.name}`;
    const tensor = uniqueName({ has: (name) => this.tensor(name) !== undefined }, base);
    if (!("op" in input)) {
      this.tensors.push(constantTensor(tensor, input.shape, input.data));
      return tensor;
    }
    const taken = { has: (name: string) => this.names.has(name) || this.nodes.some((n) => n.name === name) };
    const inner: Node = { ...this.node(input, uniqueName(taken, base)), outputs: [tensor] };
    const [type] = inferNode(inner, (name) => this.tensor(name)?.type);
    this.tensors.push({ name: tensor, type: type! });
    this.nodes.push(inner);
    return tensor;
  }
}

/** A changed graph without what nothing uses any more, verified. */
export function lean(graph: Graph): Graph {
  const live = removeDeadNodes(graph);
  return live === graph ? verify(graph) : live;
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && a.batchAxis === b.batchAxis && sameShape(a.shape, b.shape);
}
