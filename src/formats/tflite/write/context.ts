import { IdapError } from "../../../model/errors.js";
import { consumersOf, outputTensors } from "../../../model/graph.js";
import {
  sameShape,
  shapeAt,
  type Dtype,
  type Graph,
  type Node,
  type Shape,
  type TensorData,
  type TensorType,
} from "../../../model/types.js";
import { Names } from "../../shared/names.js";
import type { Option, OutFile, OutOperator, OutTensor } from "./file.js";

/** Numbers of the fused activations. */
const FUSED: Readonly<Record<string, number>> = { relu: 1, relu6: 3 };

/** A table of options: the member of their union and its fields. */
export interface Options {
  readonly union: number;
  readonly fields: readonly Option[];
}

const NONE: Options = { union: 0, fields: [] };

/** State of writing one graph whose nodes all have a form in TFLite. */
export class TfliteWriter {
  private readonly tensors: OutTensor[] = [];
  private readonly operators: OutOperator[] = [];
  private readonly positions = new Map<string, number>();
  private readonly constants = new Map<string, number>();
  private readonly names = new Names();
  private readonly ports = new Map<string, string>();
  private readonly readers: Map<string, Node[]>;
  private readonly exposed: ReadonlySet<string>;
  /** Nodes that stand in the operator before them as its fused activation. */
  private readonly fused = new Set<Node>();
  private readonly inputs: number[];

  constructor(readonly graph: Graph) {
    this.readers = consumersOf(graph);
    this.exposed = outputTensors(graph);
    const inputs = new Set(graph.inputs.map((p) => p.tensor));
    for (const { name } of [...graph.inputs, ...graph.outputs]) {
      if (this.names.has(name)) {
        throw new IdapError("E_NAME", `"${name}" is the name of two ports, which a TFLite file cannot tell apart`);
      }
      this.names.fresh(name);
    }
    for (const { name, tensor } of graph.outputs) {
      if (!inputs.has(tensor) && !this.isConstant(tensor) && !this.ports.has(tensor)) this.ports.set(tensor, name);
    }
    this.inputs = graph.inputs.map(({ name, tensor }) => this.define(tensor, name));
  }

  type(tensor: string): TensorType {
    return this.graph.tensors.get(tensor)!.type;
  }

  isConstant(tensor: string): boolean {
    return this.graph.tensors.get(tensor)!.data !== undefined;
  }

  private define(tensor: string, name: string): number {
    const position = this.tensors.push({ name, ...this.type(tensor) }) - 1;
    this.positions.set(tensor, position);
    return position;
  }

  /** Position of a tensor of the graph; constants are added on first use. */
  at(tensor: string): number {
    const known = this.positions.get(tensor);
    if (known !== undefined) return known;
    const { data, type } = this.graph.tensors.get(tensor)!;
    const position = this.constant(tensor, type.dtype, type.shape, data!, `plain\n${tensor}`);
    this.positions.set(tensor, position);
    return position;
  }

  /** A constant; those asked for with one key are one. */
  constant(wanted: string, dtype: Dtype, shape: Shape, data: TensorData, key: string): number {
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const position =
      this.tensors.push({ name: this.names.fresh(wanted), dtype, shape, batchAxis: null, data: bytes }) - 1;
    this.constants.set(key, position);
    return position;
  }

  /** A constant of the graph in another layout. */
  converted(tensor: string, layout: string, shape: Shape, convert: (data: Float32Array) => Float32Array): number {
    const data = this.graph.tensors.get(tensor)!.data as Float32Array;
    return this.constant(tensor, "f32", shape, convert(data), `${layout} ${shape}\n${tensor}`);
  }

  /** 32-bit integers that the graph has as attributes: axes, paddings, targets. */
  ints(values: readonly number[], shape: Shape = [values.length]): number {
    return this.constant("constant", "i32", shape, Int32Array.from(values), `ints [${shape}] ${values}`);
  }

  float(value: number): number {
    return this.constant("constant", "f32", [], Float32Array.of(value), `float ${value}`);
  }

  /** A tensor that the graph does not have. */
  scratch(wanted: string, dtype: Dtype, shape: Shape, variable = false): number {
    return this.tensors.push({ name: this.names.fresh(wanted), dtype, shape, batchAxis: null, variable }) - 1;
  }

  /** States the scale of an interface tensor. */
  quantised(tensor: string, quant: NonNullable<OutTensor["quant"]>): void {
    this.tensors[this.at(tensor)]!.quant = quant;
  }

  /** An operator between positions of tensors. */
  add(code: string, inputs: readonly number[], outputs: readonly number[], { union, fields }: Options = NONE): void {
    this.operators.push({ code, union, options: fields, inputs, outputs });
  }

  /** The operator that gives the outputs of a node. */
  emit(code: string, node: Node, inputs: readonly number[], options: Options = NONE): void {
    this.add(code, inputs, node.outputs.map((tensor) => this.result(tensor)), options); // prettier-ignore
  }

  /**
   * As `emit`, of an operator whose output lacks an axis of extent 1 that the node's output 0 has; a reshape puts it in
   * unless one that takes it out follows.
   */
  emitWithoutAxis(code: string, node: Node, inputs: readonly number[], options: Options, axis: number): void {
    const [tensor] = node.outputs as [string];
    const { dtype, shape, batchAxis } = this.type(tensor);
    const flat = shape.filter((_, i) => i !== axis);
    const flatBatch = batchAxis === null || batchAxis < axis ? batchAxis : batchAxis - 1;
    const [next, ...others] = this.readers.get(tensor) ?? [];
    if (next?.op === "reshape" && others.length === 0 && !this.exposed.has(tensor)) {
      const type = this.type(next.outputs[0]!);
      if (sameShape(type.shape, flat) && type.batchAxis === flatBatch) {
        this.fused.add(next);
        return this.add(code, inputs, [this.result(next.outputs[0]!)], options);
      }
    }
    const between = this.scratch(`${node.name}/flat`, dtype, flat);
    this.add(code, inputs, [between], options);
    const target = this.ints(shape.map((d, i) => (i === batchAxis ? -1 : d)));
    this.add("RESHAPE", [between, target], [this.result(tensor)]);
  }

  /** As `emit`, with the activation that follows the node in the field `activation` of the options. */
  emitFused(code: string, node: Node, inputs: readonly number[], options: Options, activation: number): void {
    const next = this.activationAfter(node);
    const fields = [...options.fields, { id: activation, i8: next ? FUSED[next.op]! : 0 }];
    if (next) this.fused.add(next);
    const tensor = (next ?? node).outputs[0]!;
    this.add(code, inputs, [this.result(tensor)], { union: options.union, fields });
  }

  /** The activation that alone reads what a node gives, if the file can hold it in the node's operator. */
  private activationAfter(node: Node): Node | null {
    const [tensor] = node.outputs as [string];
    const readers = this.readers.get(tensor) ?? [];
    if (readers.length !== 1 || this.exposed.has(tensor) || this.type(tensor).dtype !== "f32") return null;
    return Object.hasOwn(FUSED, readers[0]!.op) ? readers[0]! : null;
  }

  isFused(node: Node): boolean {
    return this.fused.has(node);
  }

  /** Position of a tensor that an operator gives now. */
  private result(tensor: string): number {
    return this.positions.get(tensor) ?? this.define(tensor, this.ports.get(tensor) ?? this.names.fresh(tensor));
  }

  /** Ports whose tensor already has another name are copies. */
  finish(): OutFile {
    const outputs = this.graph.outputs.map(({ name, tensor }) => {
      if (this.ports.get(tensor) === name) return this.at(tensor);
      const position = this.tensors.push({ name, ...this.type(tensor) }) - 1;
      const { shape, batchAxis } = this.type(tensor);
      const target = this.ints(shape.map((d, i) => (i === batchAxis ? -1 : d)));
      this.add("RESHAPE", [this.at(tensor), target], [position]);
      return position;
    });
    const { tensors, operators, inputs } = this;
    return { name: this.graph.name, tensors, operators, inputs, outputs };
  }

  /** Concrete shape of a tensor for one sample. */
  shape(tensor: string): number[] {
    return shapeAt(this.type(tensor), 1);
  }
}
