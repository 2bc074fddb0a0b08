/** One node of an ONNX file as its converter sees it: attributes, operands, and ways to bind its results. */
import { create } from "@bufbuild/protobuf";
import { IdapError } from "../../model/errors.js";
import { allocate, sizeOf, type Attrs, type Dtype, type Shape, type TensorType } from "../../model/types.js";
import type { Emitter } from "../shared/decompose/emit.js";
import { computeDtype, type EmitOptions, type OnnxContext } from "./context.js";
import { NodeProtoSchema, type AttributeProto, type NodeProto } from "./generated/onnx_pb.js";
import { CHANNELS_LAST } from "./producer.js";
import type { Constant } from "./wire.js";

/** Results of these are never outside the range of their operands. */
const IN_RANGE: ReadonlySet<string> = new Set(
  "reshape transpose slice gather concat tile broadcast_to max min relu clip reduce_max reduce_min select pad".split(
    " ",
  ),
);

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

/** One node of the file while it is being read. */
export class OnnxOp {
  private readonly attributes: ReadonlyMap<string, AttributeProto>;

  constructor(
    readonly context: OnnxContext,
    readonly node: NodeProto,
    /** Constants are taken at the other batch. */
    readonly alternate = false,
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

  /** The same operator with other operands and results, for a part of what this one does. */
  derived(change: {
    opType?: string;
    input: string[];
    output: string[];
    name?: string;
    attribute?: AttributeProto[];
  }): OnnxOp {
    const { opType, name, domain, docString, attribute } = this.node;
    const node = create(NodeProtoSchema, { opType, name, domain, docString, attribute, ...change });
    return new OnnxOp(this.context, node, this.alternate);
  }

  /** Whether anything may read output i. */
  wants(i: number): boolean {
    return (this.node.output[i] ?? "") !== "";
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

  /** For what is found only once shapes are known; `what` completes "cannot be read: ". */
  unsupported(what: string): IdapError {
    return new IdapError("E_UNSUPPORTED", `${this.where} cannot be read: ${what}`);
  }

  hasAttribute(name: string): boolean {
    return this.attributes.has(name);
  }

  int(name: string, absent: number): number {
    const a = this.attributes.get(name);
    return a ? Number(a.i) : absent;
  }

  float(name: string, absent: number): number {
    const a = this.attributes.get(name);
    return a ? shortest(a.f) : absent;
  }

  string(name: string, absent: string): string {
    const a = this.attributes.get(name);
    return a ? new TextDecoder().decode(a.s) : absent;
  }

  strings(name: string): string[] | null {
    return this.attributes.get(name)?.strings.map((s) => new TextDecoder().decode(s)) ?? null;
  }

  ints(name: string): number[] | null {
    return this.attributes.get(name)?.ints.map(Number) ?? null;
  }

  floatList(name: string): number[] | null {
    return this.attributes.get(name)?.floats.map(shortest) ?? null;
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
    if (!this.has(i)) return false;
    const name = this.inputName(i);
    return this.context.constants.has(name) || this.context.constantNames.has(name);
  }

  /** A constant operand; undefined when its value is not known (yet). */
  constant(i: number): Constant | undefined {
    if (!this.has(i)) return undefined;
    const c = this.context.constants.get(this.inputName(i));
    return this.alternate ? (c?.alt ?? c) : c;
  }

  /** A constant operand as numbers, null when absent. They must be the same at every batch unless `atFileBatch`. */
  constantInts(i: number, { atFileBatch = false } = {}): number[] | null {
    if (!this.has(i)) return null;
    const c = this.constant(i);
    if (!c) throw this.malformed(`needs its input ${i} to be a constant`);
    if (c.alt && !atFileBatch) {
      throw new IdapError("E_BATCH", `${this.where} depends on the number of samples through its input ${i}`);
    }
    return Array.from(c.data as ArrayLike<number | bigint>, Number);
  }

  /** Which element of a constant list depends on the batch; null when none or several do. */
  batchElement(i: number): number | null {
    const c = this.constant(i);
    if (!c?.alt || c.alt.data.length !== c.data.length) return null;
    const other = c.alt.data;
    const differing = Array.from(c.data as ArrayLike<number>, (v, k) => (v === other[k] ? -1 : k)).filter(
      (k) => k >= 0,
    );
    return differing.length === 1 ? differing[0]! : null;
  }

  /** Attribute or, in newer operator sets, constant operand. */
  intsFrom(attribute: string, input: number): number[] | null {
    return this.ints(attribute) ?? this.constantInts(input);
  }

  /** A constant operand as floats. */
  floats(i: number): Float32Array {
    const c = this.constant(i);
    if (!c || c.alt || !(c.data instanceof Float32Array)) {
      throw this.malformed(`needs its input ${i} to be a constant of floats`);
    }
    return c.data;
  }

  /** A constant operand of one element, null when absent. */
  scalarOf(i: number): number | null {
    const list = this.constantInts(i);
    if (list && list.length !== 1) throw this.malformed(`needs its input ${i} to be one number, got ${list.length}`);
    return list ? list[0]! : null;
  }

  /** The shape that the file states for result i; null where it states none. */
  stated(i = 0): readonly number[] | null {
    const name = this.node.output[i] ?? "";
    return name === "" ? null : this.context.declaredShape(name);
  }

  /** Operand i is there and has no value before the model runs. */
  isComputed(i: number): boolean {
    return this.has(i) && this.constant(i) === undefined;
  }

  /** Type of an operand with its axes as in the file, in the element type that is computed in. */
  type(i: number): TensorType {
    return this.context.typeOf(this.inputName(i));
  }

  /** Element type of an operand in the file. */
  dtype(i: number): Dtype {
    return this.context.dtypeOf(this.inputName(i));
  }

  input(i: number): string {
    return this.context.inFileOrder(this.inputName(i));
  }

  /** Every operand that is there, in file order. */
  get inputs(): string[] {
    return this.node.input.map((name) => this.context.inFileOrder(name));
  }

  inputLast(i: number): string {
    return this.context.inLastOrder(this.inputName(i));
  }

  /** Operand i is to be taken with channels last: it exists so already, or our writer says so. */
  hasLast(i: number): boolean {
    return this.context.ours ? this.node.docString === CHANNELS_LAST : this.context.hasLast(this.inputName(i));
  }

  /** Operand 0 in the order that it has, and whether its channels are last. */
  get anyOrder(): { x: string; last: boolean } {
    const last = this.hasLast(0);
    return { x: last ? this.inputLast(0) : this.input(0), last };
  }

  /** `axisFrom`: what the axis of a scale for each channel becomes; null where the values are not kept. */
  weight(
    i: number,
    layout: string,
    shape: Shape,
    convert: (data: Float32Array) => Float32Array,
    axisFrom: (axis: number) => number | null = () => null,
  ): string {
    const floats = this.floats(i);
    return this.context.constantAs(this.inputName(i), `${layout} ${shape}`, ({ quant }) => {
      const axis = quant?.axis == null ? null : axisFrom(quant.axis);
      const kept = quant && (quant.axis === null || axis !== null) ? { quant: { ...quant, axis } } : {};
      return { dtype: "f32", shape, data: convert(floats), ...kept };
    });
  }

  /** A constant with the same value everywhere that the file does not hold. */
  scalar(suffix: string, value: number, dtype: Dtype = "f32"): string {
    const name = this.context.names.fresh(`${this.name}/${suffix}`);
    const data =
      dtype === "f32" ? Float32Array.of(value) : dtype === "bool" ? Uint8Array.of(value) : Int32Array.of(value);
    return this.context.builder.constant(name, dtype, [], data);
  }

  literal(suffix: string, shape: Shape, data: Float32Array | Int32Array | Uint8Array): string {
    const name = this.context.names.fresh(`${this.name}/${suffix}`);
    const dtype = data instanceof Float32Array ? "f32" : data instanceof Int32Array ? "i32" : "bool";
    this.context.budget.charge(data.byteLength);
    return this.context.builder.constant(name, dtype, shape, data);
  }

  typeOf(tensor: string): TensorType {
    return this.context.builder.typeOf(tensor);
  }

  /** A node whose result is no value of the file; `suffix` completes its name. */
  step(suffix: string, op: string, inputs: readonly string[], attrs: Attrs = {}): string {
    const name = this.context.names.fresh(`${this.output}/${suffix}`);
    return this.context.builder.node(op, inputs, attrs, { name: `${this.name}/${suffix}`, outputs: [name] })[0]!;
  }

  /** What decompositions of the formats are written on. */
  get emitter(): Emitter {
    return {
      emit: (op, inputs, attrs = {}) => this.step(op, op, inputs, attrs),
      typeOf: (tensor) => this.typeOf(tensor),
      constant: (shape, data) => this.literal("constant", shape, data),
    };
  }

  /** Element type in the file of a result that is computed in `dtype`. */
  private resultDtype(dtype: Dtype): Dtype {
    if (dtype !== "i32") return dtype;
    for (let i = 0; i < this.inputCount; i++) {
      const own = this.has(i) && this.context.isKnown(this.inputName(i)) ? this.dtype(i) : "f32";
      if (own !== "f32" && own !== "bool") return own;
    }
    return "i32";
  }

  /** The node that gives output 0 (or the value `output`), in file order unless `last`. */
  emit(ir: string, inputs: readonly string[], attrs: Attrs = {}, options: EmitOptions = {}): void {
    const { output = this.output, last = false } = options;
    const tensor = this.context.builder.node(ir, inputs, attrs, {
      name: options.name ?? this.name,
      outputs: [this.context.names.fresh(output)],
    })[0]!;
    this.context.producers.set(tensor, ir);
    const result = this.typeOf(tensor).dtype;
    const dtype = options.dtype ?? this.resultDtype(result);
    if (dtype === result || computeDtype(dtype) !== result) {
      // The operator gives an element type of the file by itself.
      if (computeDtype(result) !== result) this.context.bind(output, { raw: tensor, dtype: result });
      else this.context.bind(output, last ? { last: tensor, dtype: result } : { file: tensor, dtype: result });
      return;
    }
    const narrow = dtype !== "i64" && !IN_RANGE.has(ir);
    const value = narrow ? this.wrapped(tensor, dtype) : tensor;
    this.context.bind(output, last ? { last: value, dtype } : { file: value, dtype });
  }

  /** i32 values as the narrower type of the file would hold them. */
  private wrapped(tensor: string, dtype: Dtype): string {
    return this.step("i32", "cast", [this.step(dtype, "cast", [tensor], { to: dtype })], { to: "i32" });
  }

  /** The node that gives output 0 with channels last. */
  emitLast(ir: string, inputs: readonly string[], attrs: Attrs = {}, dtype?: Dtype): void {
    this.emit(ir, inputs, attrs, { last: true, ...(dtype && { dtype }) });
  }

  /** A node with several results; results without a name are not values of the file. */
  emitMany(ir: string, inputs: readonly string[], attrs: Attrs, outputs: readonly (EmitOptions | null)[]): void {
    const names = outputs.map((o, i) => this.context.names.fresh(o?.output || `${this.name}/${i}`));
    const tensors = this.context.builder.node(ir, inputs, attrs, { name: this.name, outputs: names });
    outputs.forEach((o, i) => {
      if (!o?.output) return;
      const tensor = tensors[i]!;
      const dtype = o.dtype ?? this.typeOf(tensor).dtype;
      this.context.bind(o.output, o.last ? { last: tensor, dtype } : { file: tensor, dtype });
    });
  }

  /** An output of the file is a tensor that exists. */
  give(tensor: string, { output = this.output, last = false, dtype }: EmitOptions = {}): void {
    const own = dtype ?? this.resultDtype(this.typeOf(tensor).dtype);
    this.context.bind(output, last ? { last: tensor, dtype: own } : { file: tensor, dtype: own });
  }

  /** An operator that treats all axes alike: stays in the order that its operand has. */
  emitAnyOrder(ir: string, attrs: Attrs = {}): void {
    const { x, last } = this.anyOrder;
    this.emit(ir, [x], attrs, { last });
  }

  /** A result without elements: only what leaves such operands out may read it. */
  giveNothing(shape: Shape, output = this.output): void {
    const dtype = this.dtype(0);
    this.context.constants.set(output, { dtype, shape, data: allocate(dtype, 0) });
  }

  /** Output 0 is operand 0. */
  alias(): void {
    this.context.alias(this.inputName(0), this.output);
  }
}

/** The decimal with the fewest digits that rounds to the 32-bit float `x`: what the writer of an attribute meant. */
export function shortest(x: number): number {
  const float = Math.fround(x);
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(float.toPrecision(digits));
    if (Math.fround(candidate) === float) return candidate;
  }
  return float;
}

/** Refusal of operands that have to be constants. */
export function refuseComputed(op: OnnxOp, inputs: Readonly<Record<number, string>>): string | null {
  for (const [i, what] of Object.entries(inputs)) {
    if (op.has(Number(i)) && !op.isConstant(Number(i))) return `${what} computed at run time`;
  }
  return null;
}

/**
 * Refusal of operands that decide the shape of the result and have to be constants, unless the file states that shape: then
 * they have nothing left to say about it.
 */
export function refuseComputedShape(op: OnnxOp, inputs: Readonly<Record<number, string>>): string | null {
  return op.stated() === null ? refuseComputed(op, inputs) : null;
}

/** How many samples the other batch has for each of the file's. */
export const OTHER_BATCH = 7;

/** Shape of an operand as the file wrote it; at the other batch where that is asked for. */
export function shapeInFile(op: OnnxOp, i: number): number[] {
  const constant = op.constant(i);
  if (constant) return [...constant.shape];
  const { shape, batchAxis } = op.type(i);
  const samples = op.context.fileBatch * (op.alternate ? OTHER_BATCH : 1);
  return shape.map((d, axis) => (axis === batchAxis ? d * samples : d));
}

export function isOne(c: Constant): boolean {
  return sizeOf(c.shape) === 1;
}
