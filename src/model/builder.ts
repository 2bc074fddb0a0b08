/** Building a graph node by node; types are inferred at once, so a mistake is reported where it is made. */
import { IdapError } from "./errors.js";
import { dataFault, uniqueName } from "./graph.js";
import { getOp } from "./ops/index.js";
import type { Attrs, Dtype, Graph, Node, Port, Quantisation, Shape, Tensor, TensorData, TensorType } from "./types.js";
import { inferNode, verify } from "./verify.js";

export interface NodeOptions {
  /** Default: the operator and a number. A name that is taken gets a suffix. */
  readonly name?: string;
  /** Names of the output tensors. Default: the node's name, with `:i` from the second on. */
  readonly outputs?: readonly string[];
}

export class GraphBuilder {
  private readonly inputs: Port[] = [];
  private readonly outputs: Port[] = [];
  private readonly tensors = new Map<string, Tensor>();
  private readonly nodes: Node[] = [];
  private readonly nodeNames = new Set<string>();

  constructor(private readonly graphName: string) {}

  /** Declares an input port and returns its tensor, which has the same name unless another is given. */
  input(name: string, type: TensorType, tensor: string = name): string {
    if (this.tensors.has(tensor)) throw new IdapError("E_NAME", `the input "${name}" has the name of another tensor`);
    this.tensors.set(tensor, { name: tensor, type });
    this.inputs.push({ name, tensor });
    return tensor;
  }

  /** Adds a constant and returns its name, with a suffix where `name` is taken. */
  constant(name: string, dtype: Dtype, shape: Shape, data: TensorData, quant?: Quantisation): string {
    const type: TensorType = { dtype, shape, batchAxis: null };
    const fault = dataFault(type, data);
    if (fault) throw new IdapError("E_CONSTANT", `constant "${name}": ${fault}`);
    const unique = uniqueName(this.tensors, name);
    this.tensors.set(unique, { name: unique, type, data, ...(quant && { quant }) });
    return unique;
  }

  /** Adds a node and returns the names of its outputs. */
  node(op: string, inputs: readonly string[], attrs: Attrs = {}, options: NodeOptions = {}): string[] {
    const name = uniqueName(this.nodeNames, options.name ?? `${op}_${this.nodes.length}`);
    const draft: Node = { name, op, inputs: [...inputs], outputs: [], attrs };
    const types = inferNode(draft, (tensor) => this.tensors.get(tensor)?.type);
    const outputs = types.map((type, i) => {
      const wanted = options.outputs?.[i] ?? (i === 0 ? name : `${name}:${i}`);
      const tensor = uniqueName(this.tensors, wanted);
      this.tensors.set(tensor, { name: tensor, type });
      return tensor;
    });
    this.nodeNames.add(name);
    this.nodes.push({ ...draft, outputs, attrs: getOp(op).attrs.parse(attrs) as Attrs });
    return outputs;
  }

  /** Declares an output port; its name is the tensor's unless given. */
  output(tensor: string, portName: string = tensor): void {
    if (!this.tensors.has(tensor))
      throw new IdapError("E_TENSOR", `the output "${portName}" is an unknown tensor "${tensor}"`);
    this.outputs.push({ name: portName, tensor });
  }

  /** The type of a tensor added so far. */
  typeOf(tensor: string): TensorType {
    const known = this.tensors.get(tensor);
    if (!known) throw new IdapError("E_TENSOR", `there is no tensor "${tensor}" yet`);
    return known.type;
  }

  /** A tensor added so far, or undefined. */
  tensor(name: string): Tensor | undefined {
    return this.tensors.get(name);
  }

  /** Keeps the quantisation that the source model states for a tensor. */
  annotate(tensor: string, quant: Quantisation): void {
    const known = this.tensors.get(tensor);
    if (!known) throw new IdapError("E_TENSOR", `there is no tensor "${tensor}" yet`);
    this.tensors.set(tensor, { ...known, quant });
  }

  /** The verified graph. */
  build(): Graph {
    return verify({
      name: this.graphName,
      inputs: [...this.inputs],
      outputs: [...this.outputs],
      tensors: new Map(this.tensors),
      nodes: [...this.nodes],
    });
  }
}
