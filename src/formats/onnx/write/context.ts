import { create } from "@bufbuild/protobuf";
import { fromDoubles } from "../../../model/doubles.js";
import { typeOf } from "../../../model/graph.js";
import {
  sizeOf,
  type Dtype,
  type Graph,
  type Node,
  type Shape,
  type TensorData,
  type TensorType,
} from "../../../model/types.js";
import { Names } from "../../shared/names.js";
import { compose, isIdentity, permute } from "../../shared/permute.js";
import { channelsFirst, channelsLast } from "../context.js";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as A,
  NodeProtoSchema,
  TensorProtoSchema,
  TensorProto_DataType as T,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
} from "../generated/onnx_pb.js";
import { CHANNELS_LAST, inOrder } from "../producer.js";

/** A number attribute is an integer unless it is wrapped. */
export interface FloatAttribute {
  readonly float: number;
}
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | FloatAttribute
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] };
export type Attributes = Readonly<Record<string, AttributeValue>>;

export const ELEMENT_TYPE: Readonly<Record<Dtype, T>> = {
  f32: T.FLOAT,
  i32: T.INT32,
  i64: T.INT64,
  i8: T.INT8,
  u8: T.UINT8,
  bool: T.BOOL,
};

/** Names in the file of one IR tensor: with its own axes, and with the channels moved to axis 1. */
interface Value {
  plain?: string;
  first?: string;
  /** Where neither exists yet: the transpose of a value of the file that either is made from. */
  from?: Move;
}

/** The IR's tensor is `value` with its axes in the order `perm`. */
interface Move {
  readonly value: string;
  readonly perm: readonly number[];
}

/**
 * State of writing one graph. Every operator says in which order it wants its operands and gives its result; a
 * transpose is written only where a value is wanted in an order in which it does not exist yet.
 */
export class OnnxWriter {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  private readonly values = new Map<string, Value>();
  private readonly constants = new Map<string, string>();
  private readonly names = new Names();
  /** First output port of each tensor that has one. */
  private readonly portOf = new Map<string, string>();
  private readonly usedPorts = new Set<string>();
  /** Names of nodes that are written. */
  private readonly nodeNames = new Set<string>();

  /** @param opset operator set of the default domain that is written for */
  constructor(
    readonly graph: Graph,
    readonly opset: number,
  ) {
    for (const { name, tensor } of graph.inputs) this.values.set(tensor, { plain: this.names.fresh(name) });
    for (const { name, tensor } of graph.outputs) {
      this.names.fresh(name);
      if (!this.portOf.has(tensor)) this.portOf.set(tensor, name);
    }
  }

  type(tensor: string): TensorType {
    return typeOf(this.graph, tensor);
  }

  isConstant(tensor: string): boolean {
    return this.graph.tensors.get(tensor)!.data !== undefined;
  }

  /** The value exists with channels first. */
  hasFirst(tensor: string): boolean {
    return this.values.get(tensor)?.first !== undefined;
  }

  plain(tensor: string): string {
    const data = this.graph.tensors.get(tensor)!.data;
    if (data) return this.constant(tensor, "", this.type(tensor).shape, () => data);
    const value = this.values.get(tensor)!;
    if (value.plain === undefined) {
      const { from, first } = value;
      const name = this.portName(tensor) ?? this.names.fresh(from ? tensor : inOrder(tensor, "nhwc"));
      value.plain = from
        ? this.transposed(from.value, from.perm, name)
        : this.transposed(first!, channelsLast(this.type(tensor).shape.length), name);
    }
    return value.plain;
  }

  first(tensor: string): string {
    const { shape } = this.type(tensor);
    const perm = channelsFirst(shape.length);
    const data = this.graph.tensors.get(tensor)!.data;
    if (data) {
      return this.constant(
        tensor,
        "first",
        perm.map((p) => shape[p]!),
        () => permute(data, shape, perm),
      );
    }
    const value = this.values.get(tensor)!;
    if (value.first === undefined) {
      const { from, plain } = value;
      const own = from !== undefined && !this.portOf.has(tensor);
      const name = this.names.fresh(own ? tensor : inOrder(this.portOf.get(tensor) ?? tensor, "nchw"));
      value.first = from
        ? this.transposed(from.value, compose(from.perm, perm), name)
        : this.transposed(plain!, perm, name);
    }
    return value.first;
  }

  /** An initialiser made from an IR constant; uses that ask for the same `layout` share it. */
  constant(tensor: string, layout: string, shape: Shape, convert: () => TensorData): string {
    const key = `${layout} ${shape}\n${tensor}`;
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.initializer(tensor, this.type(tensor).dtype, shape, convert());
    this.constants.set(key, name);
    return name;
  }

  /** An initialiser that the graph does not hold: targets, bounds. Equal ones asked for with one key are shared. */
  literal(wanted: string, dtype: Dtype, shape: Shape, values: readonly number[], key?: string): string {
    const known = key === undefined ? undefined : this.constants.get(key);
    if (known !== undefined) return known;
    const data = fromDoubles(Float64Array.from(values), dtype);
    const name = this.initializer(wanted, dtype, shape, data);
    if (key !== undefined) this.constants.set(key, name);
    return name;
  }

  private initializer(wanted: string, dtype: Dtype, shape: Shape, data: TensorData): string {
    const name = this.names.fresh(wanted);
    this.initializers.push(
      create(TensorProtoSchema, {
        name,
        dims: shape.map(BigInt),
        dataType: ELEMENT_TYPE[dtype],
        rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice(),
      }),
    );
    return name;
  }

  /** Adds a node with one output. A name that is empty or taken is made up at the end, when all others are known. */
  add(
    opType: string,
    name: string,
    inputs: readonly string[],
    output: string,
    attributes: Attributes = {},
    docString = "",
  ): string {
    this.push(opType, name, inputs, [output], attributes, docString);
    return output;
  }

  private push(
    opType: string,
    name: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Attributes,
    docString: string,
  ): void {
    const attribute = Object.entries(attributes).map(([key, value]) => attributeOf(key, value));
    const own = this.nodeNames.has(name) ? "" : name;
    if (own !== "") this.nodeNames.add(own);
    const [input, output] = [[...inputs], [...outputs]];
    this.nodes.push(create(NodeProtoSchema, { opType, name: own, input, output, attribute, docString }));
  }

  /** A node with several results; `names` gives those that are no tensors of the graph themselves. */
  emitMany(
    node: Node,
    opType: string,
    inputs: readonly string[],
    attributes: Attributes,
    names: readonly (string | null)[],
  ): void {
    const outputs = names.map((own, i) => {
      const tensor = node.outputs[i]!;
      if (own !== null) return own;
      const name = this.portName(tensor) ?? this.names.fresh(tensor);
      this.values.set(tensor, { plain: name });
      return name;
    });
    this.push(opType, node.name, inputs, outputs, attributes, "");
  }

  /** A name for a value that the graph does not have. */
  freshName(wanted: string): string {
    return this.names.fresh(wanted);
  }

  private portName(tensor: string): string | null {
    const port = this.portOf.get(tensor);
    if (port === undefined || this.usedPorts.has(port)) return null;
    this.usedPorts.add(port);
    return port;
  }

  /** The node gives its output with its own axes; `fromFirst`: from operands with channels first, or another note. */
  emit(
    node: Node,
    opType: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    fromFirst: boolean | string = false,
  ): void {
    const [tensor] = node.outputs as [string];
    const output = this.portName(tensor) ?? this.names.fresh(tensor);
    const note = typeof fromFirst === "string" ? fromFirst : fromFirst ? CHANNELS_LAST : "";
    this.values.set(tensor, { plain: this.add(opType, node.name, inputs, output, attributes, note) });
  }

  /** The node gives its output with channels first. */
  emitFirst(node: Node, opType: string, inputs: readonly string[], attributes: Attributes = {}): void {
    const [tensor] = node.outputs as [string];
    const port = this.portOf.get(tensor);
    const output = this.names.fresh(port === undefined ? tensor : inOrder(port, "nchw"));
    this.values.set(tensor, { first: this.add(opType, node.name, inputs, output, attributes, CHANNELS_LAST) });
  }

  /** A transpose of the graph: taken from whichever order needs no move, else a node once its order is known. */
  transpose(node: Node, perm: readonly number[]): void {
    const [x] = node.inputs as [string];
    const [y] = node.outputs as [string];
    const rank = perm.length;
    const value: Value = this.isConstant(x) ? { plain: this.plain(x) } : this.values.get(x)!;
    const orders: [string, number[]][] = [];
    if (value.plain !== undefined) orders.push([value.plain, [...perm]]);
    if (value.first !== undefined) orders.push([value.first, compose(channelsLast(rank), perm)]);
    if (value.from) orders.push([value.from.value, compose(value.from.perm, perm)]);
    for (const [name, move] of orders) {
      const from = { value: name, perm: move };
      if (isIdentity(move)) return void this.values.set(y, { plain: name, from });
      if (rank > 2 && isIdentity(compose(move, channelsFirst(rank)))) {
        return void this.values.set(y, { first: name, from });
      }
    }
    const [name, move] = orders[0]!;
    this.values.set(y, { from: { value: name, perm: move } });
  }

  /** Named after its result: whether one of the graph or of the writer comes first must not show. */
  private transposed(input: string, perm: readonly number[], output: string): string {
    return this.add("Transpose", "", [input], output, { perm });
  }

  /**
   * Gives every output port its name: by renaming the value where a node gives it and nothing else depends on its
   * name, else through an Identity.
   */
  finish(): void {
    const produced = new Set(this.nodes.flatMap((n) => n.output));
    const ports = new Set(this.graph.outputs.map((p) => p.name));
    for (const { name: port, tensor } of this.graph.outputs) {
      const value = this.plain(tensor);
      if (value === port) continue;
      if (produced.has(value) && !ports.has(value)) this.rename(value, port);
      else this.add("Identity", "", [value], port);
    }
    const names = new Names();
    for (const { name } of this.nodes) if (name !== "") names.fresh(name);
    for (const n of this.nodes) if (n.name === "") n.name = names.fresh(n.output[0]!);
  }

  private rename(from: string, to: string): void {
    for (const n of this.nodes) {
      n.input = n.input.map((name) => (name === from ? to : name));
      n.output = n.output.map((name) => (name === from ? to : name));
    }
    for (const value of this.values.values()) {
      if (value.plain === from) value.plain = to;
      if (value.first === from) value.first = to;
    }
  }
}

function attributeOf(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === "number") return create(AttributeProtoSchema, { name, type: A.INT, i: BigInt(value) });
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: A.STRING, s: new TextEncoder().encode(value) });
  }
  if ("strings" in value) {
    const strings = value.strings.map((text) => new TextEncoder().encode(text));
    return create(AttributeProtoSchema, { name, type: A.STRINGS, strings });
  }
  if ("floats" in value) {
    return create(AttributeProtoSchema, { name, type: A.FLOATS, floats: value.floats.map(Math.fround) });
  }
  if ("float" in value) return create(AttributeProtoSchema, { name, type: A.FLOAT, f: Math.fround(value.float) });
  return create(AttributeProtoSchema, { name, type: A.INTS, ints: value.map(BigInt) });
}

/** The image or the channels are one element: both orders hold the values in the same sequence. */
export function sameSequence(shape: Shape): boolean {
  return shape.length > 2 && (shape.at(-1) === 1 || sizeOf(shape.slice(1, -1)) === 1);
}
