import type { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import { sizeOf, type Attrs, type TensorData, type TensorType } from "../../model/types.js";
import type { Budget } from "../shared/bytes.js";
import type { Names } from "../shared/names.js";
import { compose, isIdentity, permute } from "../shared/permute.js";
import type { AttributeProto, NodeProto } from "./generated/onnx_pb.js";
import { CHANNELS_LAST, inOrder } from "./producer.js";
import type { Constant } from "./wire.js";

/** How one ONNX operator is read. Adding an operator: one of these, listed in `operators/index.ts`. */
export interface Converter {
  /**
   * Completes "Operator with ..." when this use cannot be read; null when it can. It looks at attributes and constants
   * only, never at converted values, so that all refusals of a file are found before anything is built.
   */
  refuse?(op: OnnxOp): string | null;
  /** Adds the nodes and binds the outputs. */
  convert(op: OnnxOp): void;
}

/** The order of axes that puts axis 1, ONNX's channels, last: [n, c, h, w] -> [n, h, w, c]. */
export function channelsLast(rank: number): number[] {
  return [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
}

/** And back: [n, h, w, c] -> [n, c, h, w]. */
export function channelsFirst(rank: number): number[] {
  return [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];
}

/**
 * A value of the file. `file` has the axes as in the file, `last` has the channels last; each is made from the other
 * when it is first asked for, so that a chain of convolutions leaves no transposes behind.
 */
interface Value {
  file?: string;
  last?: string;
  /** Where neither exists yet: the transpose of a tensor that either is made from. */
  from?: Move;
}

/** The file's value is `tensor` with its axes in the order `perm`. */
interface Move {
  readonly tensor: string;
  readonly perm: readonly number[];
  /** Name of the node of the file. */
  readonly node: string;
}

/** State of reading one file. */
export class OnnxContext {
  /** Values that are computed when the model runs. */
  private readonly values = new Map<string, Value>();
  /** Values known at read: initialisers and what is folded from them. */
  readonly constants = new Map<string, Constant>();
  private readonly made = new Map<string, string>();

  constructor(
    readonly file: string,
    readonly opset: number,
    readonly builder: GraphBuilder,
    readonly names: Names,
    readonly budget: Budget,
    /** Number of samples that concrete extents of the file were written for. */
    readonly fileBatch: number,
    /** Written by our writer: -1 in a reshape is the batch, and nothing is fused that the writer kept apart. */
    readonly ours: boolean,
    /** Names whose values are or will be constants. */
    readonly constantNames: ReadonlySet<string>,
    /** The only node that reads a value, null when several do or it is an output of the graph. */
    readonly soleReader: ReadonlyMap<string, NodeProto | null>,
  ) {}

  /** Nodes that an earlier one took over. */
  readonly done = new Set<NodeProto>();

  bind(name: string, value: Value): void {
    this.values.set(name, value);
  }

  private find(name: string): Value {
    const value = this.values.get(name);
    if (!value) throw new IdapError("E_FORMAT", `${this.file}: "${name}" is used before it is computed`);
    return value;
  }

  /** Whether the value exists with channels last. */
  hasLast(name: string): boolean {
    return this.values.get(name)?.last !== undefined;
  }

  /** The value with its axes as in the file; constants are added on first use. */
  inFileOrder(name: string): string {
    if (this.constants.has(name)) return this.constantAs(name, "", (c) => c);
    const value = this.find(name);
    if (value.file === undefined) {
      const { from, last } = value;
      value.file = from
        ? this.transposed(from.tensor, from.perm, name, from.node)
        : this.transposed(last!, channelsFirst(this.rank(last!)), inOrder(name, "nchw"));
    }
    return value.file;
  }

  /** The value with channels last; rank 3 or more. */
  inLastOrder(name: string): string {
    if (this.constants.has(name)) {
      return this.constantAs(name, "last", (c) => permuted(c, channelsLast(c.shape.length)));
    }
    const value = this.find(name);
    if (value.last === undefined) {
      const { from, file } = value;
      value.last = from
        ? this.transposed(from.tensor, compose(from.perm, channelsLast(from.perm.length)), name, from.node)
        : this.transposed(file!, channelsLast(this.rank(file!)), inOrder(name, "nhwc"));
    }
    return value.last;
  }

  /** Type with axes in file order, without adding anything. */
  typeOf(name: string): TensorType {
    const constant = this.constants.get(name);
    if (constant) return { dtype: constant.dtype, shape: constant.shape, batchAxis: null };
    const value = this.find(name);
    if (value.file !== undefined) return this.builder.typeOf(value.file);
    const source = this.builder.typeOf(value.from?.tensor ?? value.last!);
    const perm = value.from?.perm ?? channelsFirst(source.shape.length);
    return {
      dtype: source.dtype,
      shape: perm.map((p) => source.shape[p]!),
      batchAxis: source.batchAxis === null ? null : perm.indexOf(source.batchAxis),
    };
  }

  private rank(tensor: string): number {
    return this.builder.typeOf(tensor).shape.length;
  }

  private transposed(tensor: string, perm: readonly number[], wanted: string, node?: string): string {
    const name = this.names.fresh(wanted);
    return this.builder.node("transpose", [tensor], { perm }, { name: node ?? name, outputs: [name] })[0]!;
  }

  /** A second name for a value. */
  alias(name: string, output: string): void {
    this.values.set(output, this.find(name));
  }

  /** A transpose of the file: taken from whichever order needs no move, else a node once its order is known. */
  transpose(input: string, perm: readonly number[], output: string, node: string): void {
    const value = this.find(input);
    const rank = perm.length;
    const orders: [string, number[]][] = [];
    if (value.file !== undefined) orders.push([value.file, [...perm]]);
    if (value.last !== undefined) orders.push([value.last, compose(channelsFirst(rank), perm)]);
    if (value.from) orders.push([value.from.tensor, compose(value.from.perm, perm)]);
    for (const [tensor, move] of orders) {
      const from = { tensor, perm: move, node };
      if (isIdentity(move)) return this.bind(output, { file: tensor, from });
      if (rank > 2 && isIdentity(compose(move, channelsLast(rank)))) return this.bind(output, { last: tensor, from });
    }
    const [tensor, move] = orders[0]!;
    this.bind(output, { from: { tensor, perm: move, node } });
  }

  /** An IR constant made from one of the file; uses that ask for the same `layout` share it. */
  constantAs(name: string, layout: string, convert: (c: Constant) => Constant): string {
    const key = `${layout}\n${name}`;
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const source = this.constants.get(name)!;
    if (source.extents) {
      throw new IdapError(
        "E_UNSUPPORTED",
        `${this.file}: "${name}" computes with the shape of a tensor; only reshapes may use one`,
        "Export the model with a fixed batch of 1, so that shapes become constants.",
      );
    }
    const { dtype, shape, data } = convert(source);
    this.budget.charge(data.byteLength);
    const tensor = this.builder.constant(this.names.fresh(name), dtype, shape, data);
    this.made.set(key, tensor);
    return tensor;
  }
}

export function permuted(c: Constant, perm: readonly number[]): Constant {
  return { ...c, shape: perm.map((p) => c.shape[p]!), data: permute(c.data, c.shape, perm) };
}

/** One node of the file while it is being read. */
export class OnnxOp {
  private readonly attributes: ReadonlyMap<string, AttributeProto>;

  constructor(
    readonly context: OnnxContext,
    readonly node: NodeProto,
  ) {
    this.attributes = new Map(node.attribute.map((a) => [a.name, a]));
  }

  get name(): string {
    return this.node.name || this.output;
  }

  /** Name of output 0 in the file. */
  get output(): string {
    return this.node.output[0] ?? "";
  }

  /** For messages: file, operator and node. */
  get where(): string {
    return `${this.context.file}: ${this.node.opType} "${this.name}"`;
  }

  get opset(): number {
    return this.context.opset;
  }

  malformed(what: string): IdapError {
    return new IdapError("E_FORMAT", `${this.where} ${what}`);
  }

  hasAttribute(name: string): boolean {
    return this.attributes.has(name);
  }

  int(name: string, absent: number): number {
    const a = this.attributes.get(name);
    return a ? Number(a.i) : absent;
  }

  float(name: string, absent: number): number {
    return this.attributes.get(name)?.f ?? absent;
  }

  string(name: string, absent: string): string {
    const a = this.attributes.get(name);
    return a ? new TextDecoder().decode(a.s) : absent;
  }

  ints(name: string): number[] | null {
    return this.attributes.get(name)?.ints.map(Number) ?? null;
  }

  attribute(name: string): AttributeProto | undefined {
    return this.attributes.get(name);
  }

  get inputCount(): number {
    return this.node.input.length;
  }

  has(i: number): boolean {
    return (this.node.input[i] ?? "") !== "";
  }

  /** Name of an operand in the file. */
  inputName(i: number): string {
    const name = this.node.input[i] ?? "";
    if (name === "") throw this.malformed(`lacks its input ${i}`);
    return name;
  }

  isConstant(i: number): boolean {
    return this.has(i) && this.context.constantNames.has(this.inputName(i));
  }

  /** A constant operand; undefined when its value is not known (yet). */
  constant(i: number): Constant | undefined {
    return this.has(i) ? this.context.constants.get(this.inputName(i)) : undefined;
  }

  /** A constant operand as integers, null when absent. */
  constantInts(i: number): number[] | null {
    if (!this.has(i)) return null;
    const c = this.constant(i);
    if (!c) throw this.malformed(`needs its input ${i} to be a constant`);
    return Array.from(c.data as ArrayLike<number | bigint>, Number);
  }

  /** Attribute or, in newer operator sets, constant operand. */
  intsFrom(attribute: string, input: number): number[] | null {
    return this.ints(attribute) ?? this.constantInts(input);
  }

  /** A constant operand as floats. */
  floats(i: number): Float32Array {
    const data = this.constant(i)?.data;
    if (!(data instanceof Float32Array)) throw this.malformed(`needs its input ${i} to be a constant of floats`);
    return data;
  }

  /** Type of an operand with its axes as in the file. */
  type(i: number): TensorType {
    return this.context.typeOf(this.inputName(i));
  }

  input(i: number): string {
    return this.context.inFileOrder(this.inputName(i));
  }

  inputLast(i: number): string {
    return this.context.inLastOrder(this.inputName(i));
  }

  /** Operand i is to be taken with channels last: it exists so already, or our writer says so. */
  hasLast(i: number): boolean {
    return this.context.ours ? this.node.docString === CHANNELS_LAST : this.context.hasLast(this.inputName(i));
  }

  weight(i: number, layout: string, shape: readonly number[], convert: (data: Float32Array) => TensorData): string {
    const floats = this.floats(i);
    return this.context.constantAs(this.inputName(i), `${layout} ${shape}`, () => ({
      dtype: "f32",
      shape,
      data: convert(floats),
    }));
  }

  /** A constant with the same value everywhere that the file does not hold. */
  scalar(suffix: string, value: number): string {
    const name = this.context.names.fresh(`${this.name}/${suffix}`);
    return this.context.builder.constant(name, "f32", [], Float32Array.of(value));
  }

  /** A node whose result is no value of the file; `suffix` completes its name. */
  step(suffix: string, op: string, inputs: readonly string[], attrs: Attrs = {}): string {
    const name = this.context.names.fresh(`${this.output}/${suffix}`);
    return this.context.builder.node(op, inputs, attrs, { name: `${this.name}/${suffix}`, outputs: [name] })[0]!;
  }

  private add(op: string, inputs: readonly string[], attrs: Attrs, output: string): string {
    const tensor = this.context.names.fresh(output);
    return this.context.builder.node(op, inputs, attrs, { name: this.name, outputs: [tensor] })[0]!;
  }

  /** The node that gives output 0 (or the value `output`) in file order. */
  emit(op: string, inputs: readonly string[], attrs: Attrs = {}, output = this.output): void {
    this.context.bind(output, { file: this.add(op, inputs, attrs, output) });
  }

  /** The node that gives output 0 with channels last. */
  emitLast(op: string, inputs: readonly string[], attrs: Attrs = {}): void {
    this.context.bind(this.output, { last: this.add(op, inputs, attrs, this.output) });
  }

  /** An operator that treats all axes alike: stays in the order that its operand has. */
  emitAnyOrder(op: string): void {
    if (this.hasLast(0)) this.emitLast(op, [this.inputLast(0)]);
    else this.emit(op, [this.input(0)]);
  }

  /** Output 0 is operand 0. */
  alias(): void {
    this.context.alias(this.inputName(0), this.output);
  }
}

/** Refusal of operands that have to be constants. */
export function refuseComputed(op: OnnxOp, inputs: Readonly<Record<number, string>>): string | null {
  for (const [i, what] of Object.entries(inputs)) {
    if (op.has(Number(i)) && !op.isConstant(Number(i))) return `${what} computed at run time`;
  }
  return null;
}

/** Shape of an operand as the file wrote it. */
export function shapeInFile(op: OnnxOp, i: number): number[] {
  const { shape, batchAxis } = op.type(i);
  return shape.map((d, axis) => (axis === batchAxis ? d * op.context.fileBatch : d));
}

export function isOne(c: Constant): boolean {
  return sizeOf(c.shape) === 1;
}
