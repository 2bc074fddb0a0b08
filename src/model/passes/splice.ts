/** New nodes and constants among those of a graph, typed as they are added. */
import { constantTensor, uniqueName } from "../graph.js";
import { getOp } from "../ops/index.js";
import type { Attrs, Node, Shape, Tensor, TensorType } from "../types.js";
import { inferNode } from "../verify.js";

export class Splice {
  readonly nodes: Node[] = [];
  private readonly added: string[] = [];

  /** Adds to `tensors` and `names`, with `prefix` in front of new names. */
  constructor(
    private readonly tensors: Map<string, Tensor>,
    private readonly names: Set<string>,
    private readonly prefix: string,
  ) {}

  /** Adds a node and returns the names of its outputs. */
  all(op: string, inputs: readonly string[], attrs: Attrs = {}): string[] {
    const name = uniqueName(this.names, `${this.prefix}/${op}`);
    const draft: Node = { name, op, inputs: [...inputs], outputs: [], attrs: getOp(op).attrs.parse(attrs) as Attrs };
    const types = inferNode(draft, (t) => this.tensors.get(t)?.type);
    const outputs = types.map((type, i) => this.tensor(i === 0 ? name : `${name}:${i}`, { type }));
    this.names.add(name);
    this.nodes.push({ ...draft, outputs });
    return outputs;
  }

  one(op: string, inputs: readonly string[], attrs: Attrs = {}): string {
    return this.all(op, inputs, attrs)[0]!;
  }

  /** Adds a constant f32 tensor and returns its name. */
  constant(shape: Shape, data: Float32Array): string {
    return this.tensor(`${this.prefix}/constant`, constantTensor("", shape, data));
  }

  type(name: string): TensorType {
    return this.tensors.get(name)!.type;
  }

  /** The nodes, with other names for some results: those of the nodes that they stand for. */
  named(results: ReadonlyMap<string, string>): Node[] {
    const to = (name: string): string => results.get(name) ?? name;
    for (const name of results.keys()) this.tensors.delete(name);
    return this.nodes.map((n) => ({ ...n, inputs: n.inputs.map(to), outputs: n.outputs.map(to) }));
  }

  /** Takes back what was added. */
  discard(): void {
    for (const name of this.added) this.tensors.delete(name);
    for (const { name } of this.nodes) this.names.delete(name);
  }

  private tensor(name: string, tensor: Omit<Tensor, "name">): string {
    const unique = uniqueName(this.tensors, name);
    this.tensors.set(unique, { ...tensor, name: unique });
    this.added.push(unique);
    return unique;
  }
}
