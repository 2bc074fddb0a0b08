/** Graph edits as values: collected, then checked and applied in one step; a failing patch leaves nothing behind. */
import { IdapError } from "./errors.js";
import { sortNodes, uniqueName } from "./graph.js";
import { getOp } from "./ops/index.js";
import type { Attrs, Graph, Node, Shape, Tensor, TensorType } from "./types.js";
import { inferNode, inferTypes, verify } from "./verify.js";

/**
 * Collects edits against `base`. New nodes may only read tensors that exist in the base or were added before;
 * `apply` redirects uses, drops what was removed, sorts, infers types and verifies.
 */
export class GraphPatch {
  private readonly added: Node[] = [];
  private readonly tensors: Map<string, Tensor>;
  private readonly nodeNames: Set<string>;
  private readonly removed = new Set<string>();
  private readonly redirects = new Map<string, string>();
  private readonly updates = new Map<string, Partial<Pick<Node, "inputs" | "attrs">>>();

  constructor(readonly base: Graph) {
    this.tensors = new Map(base.tensors);
    this.nodeNames = new Set(base.nodes.map((n) => n.name));
  }

  /** Adds a constant f32 tensor and returns its name. */
  constant(name: string, shape: Shape, data: Float32Array): string {
    const unique = uniqueName(this.tensors, name);
    this.tensors.set(unique, { name: unique, type: { dtype: "f32", shape, batchAxis: null }, data });
    return unique;
  }

  /** Adds a node and returns its outputs, named after it. */
  node(op: string, inputs: readonly string[], attrs: Attrs, name: string): string[] {
    const unique = uniqueName(this.nodeNames, name);
    const draft: Node = { name: unique, op, inputs: [...inputs], outputs: [], attrs };
    const types = inferNode(draft, (t) => this.tensors.get(t)?.type);
    const outputs = types.map((type, i) => {
      const tensor = uniqueName(this.tensors, i === 0 ? unique : `${unique}:${i}`);
      this.tensors.set(tensor, { name: tensor, type });
      return tensor;
    });
    this.nodeNames.add(unique);
    this.added.push({ ...draft, outputs, attrs: getOp(op).attrs.parse(attrs) as Attrs });
    return outputs;
  }

  /** Type of a tensor of the base or of this patch. */
  typeOf(tensor: string): TensorType {
    const known = this.tensors.get(tensor);
    if (!known) throw new IdapError("E_TENSOR", `the patch knows no tensor "${tensor}"`);
    return known.type;
  }

  /** Gives a node of the base other inputs or attributes. */
  update(node: string, change: Partial<Pick<Node, "inputs" | "attrs">>): void {
    this.need(node);
    this.updates.set(node, { ...this.updates.get(node), ...change });
  }

  /** Drops a node of the base; its outputs must be redirected or unused. */
  remove(node: string): void {
    this.need(node);
    this.removed.add(node);
  }

  /** Every base node and port that used `from` uses `to`; nodes of this patch keep reading what they name. */
  redirect(from: string, to: string): void {
    this.redirects.set(from, to);
  }

  private need(node: string): void {
    if (!this.nodeNames.has(node))
      throw new IdapError("E_NODE", `the patch names a node "${node}" that does not exist`);
  }

  private target(name: string): string {
    let to = name;
    // A chain of redirects ends at the last; a circle would be a fault of the pass.
    for (let hops = 0; this.redirects.has(to); hops++) {
      if (hops > this.redirects.size) throw new IdapError("E_CYCLE", `the patch redirects "${name}" in a circle`);
      to = this.redirects.get(to)!;
    }
    return to;
  }

  /** The edited graph, sorted, typed and verified. */
  apply(): Graph {
    const { base } = this;
    const to = (name: string): string => this.target(name);
    const kept = base.nodes
      .filter((n) => !this.removed.has(n.name))
      .map((n) => {
        const node = { ...n, ...this.updates.get(n.name) };
        return { ...node, inputs: node.inputs.map(to) };
      });
    const gone = new Set(base.nodes.filter((n) => this.removed.has(n.name)).flatMap((n) => n.outputs));
    const tensors = new Map(this.tensors);
    for (const name of gone) tensors.delete(name);
    const known = new Set(base.inputs.map((p) => p.tensor));
    for (const [name, t] of tensors) if (t.data) known.add(name);
    const nodes = sortNodes([...kept, ...this.added], known);
    const outputs = base.outputs.map((p) => ({ ...p, tensor: to(p.tensor) }));
    return verify(inferTypes({ ...base, outputs, tensors, nodes }));
  }
}
