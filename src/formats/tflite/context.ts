import type { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import { sizeOf, type Attrs, type Dtype, type Quantisation, type TensorType } from "../../model/types.js";
import { Budget } from "../shared/bytes.js";
import { checkShape } from "../shared/check.js";
import type { Emitter } from "../shared/decompose/emit.js";
import type { Names } from "../shared/names.js";
import { decodeConstant, dtypeOf, quantOf, type Constant } from "./constants.js";
import type { FlatTable } from "./flat.js";
import type { FileOperator, FileTensor, TfliteFile } from "./file.js";
import { Folding } from "./folding.js";
import { ACTIVATIONS } from "./schema.js";

/** How one TFLite operator is read. Adding an operator: one of these, listed in `operators/index.ts`. */
export interface Converter {
  /**
   * Completes "OPERATOR with ..." when this use cannot be read; null when it can. It looks at options and at what is
   * constant only, never at converted values, so that all refusals of a file are found before anything is built.
   */
  refuse?(op: TfliteOp): string | null;
  /** Adds the nodes and calls `op.emit` or `op.bind` for every output. */
  convert(op: TfliteOp): void;
}

/** Tensors of the file whose values are known when it is read: constants, shapes, and what is computed from them. */
export function staticTensors({ tensors, operators }: TfliteFile): ReadonlySet<number> {
  const known = new Set(tensors.flatMap((t, i) => (t.data ? [i] : [])));
  for (const { code, inputs, outputs } of operators) {
    const shape = code === "SHAPE" || code === "RANK";
    if (shape || (inputs.length > 0 && inputs.every((i) => i < 0 || known.has(i))))
      outputs.forEach((i) => known.add(i));
  }
  return known;
}

/** State of reading one file. */
export class TfliteContext {
  readonly folding: Folding;
  private readonly values = new Map<number, string>();
  /** Input ports of integers that are no quantised reals, as they are given. */
  private readonly raw = new Map<number, string>();
  private readonly made = new Map<string, string>();
  private readonly budget: Budget;
  private readonly readers = new Map<number, number>();

  constructor(
    readonly source: TfliteFile,
    readonly builder: GraphBuilder,
    readonly names: Names,
    /** Number of samples that concrete extents of the file were written for. */
    readonly fileBatch: number,
    readonly known: ReadonlySet<number>,
  ) {
    this.budget = new Budget(source.file, source.size);
    this.folding = new Folding(builder, names, source.file);
    const reads = [...source.operators.flatMap((o) => [...new Set(o.inputs)]), ...source.outputs];
    for (const i of reads) this.readers.set(i, (this.readers.get(i) ?? 0) + 1);
  }

  /** The tensor of the file is this one, and has the quantisation that the file states. */
  bind(index: number, tensor: string): void {
    this.values.set(index, this.annotated(index, tensor));
  }

  bindRaw(index: number, tensor: string): void {
    this.raw.set(index, tensor);
  }

  rawPort(index: number): string | undefined {
    return this.raw.get(index);
  }

  /** How many operators and outputs read a tensor of the file. */
  readersOf(index: number): number {
    return this.readers.get(index) ?? 0;
  }

  /** A tensor with one quantisation that gets another one becomes two: its values are rounded twice. */
  private annotated(index: number, tensor: string): string {
    const { builder } = this;
    const quant = quantOf(this.tensor(index), this.source.file);
    const own = builder.tensor(tensor)!;
    if (!quant || own.data || own.type.dtype !== "f32") return tensor;
    if (own.quant && sameGrid(own.quant, quant)) return tensor;
    const target = own.quant ? this.copy(tensor, this.tensor(index).name) : tensor;
    builder.annotate(target, quant);
    return target;
  }

  private copy(tensor: string, wanted: string): string {
    const { shape, batchAxis } = this.builder.typeOf(tensor);
    const same = shape.map((d, i) => (i === batchAxis ? -1 : d));
    return this.folding.node("reshape", [tensor], { shape: same }, wanted)[0]!;
  }

  /** A tensor of the file that is used, its shape checked. */
  tensor(index: number): FileTensor {
    const tensor = this.source.tensors[index]!;
    checkShape(tensor.shape, `${this.source.file}: tensor "${tensor.name}"`);
    return tensor;
  }

  /** Name of the IR tensor for a tensor of the file; constants are added on first use. */
  value(index: number): string {
    const known = this.values.get(index);
    if (known !== undefined) return known;
    const tensor = this.tensor(index);
    if (!tensor.data) {
      throw new IdapError("E_FORMAT", `${this.source.file}: tensor "${tensor.name}" is used before it is computed`);
    }
    const { dtype, shape, data } = this.fileConstant(index);
    const name = this.builder.constant(this.names.fresh(tensor.name), dtype, shape, data);
    const quant = quantOf(tensor, this.source.file);
    if (quant) this.builder.annotate(name, quant);
    this.values.set(index, name);
    return name;
  }

  constant(wanted: string, value: Constant): string {
    return this.builder.constant(this.names.fresh(wanted), value.dtype, value.shape, value.data);
  }

  /** What `make` gave the first time that it was called for `key`. */
  shared(key: string, make: () => string): string {
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const name = make();
    this.made.set(key, name);
    return name;
  }

  /** Decoded copy of a constant of the file. */
  fileConstant(index: number): Constant {
    const tensor = this.tensor(index);
    this.budget.charge(4 * sizeOf(tensor.shape));
    return decodeConstant(tensor, this.source.file);
  }

  /** A constant of the file, or one that was computed while reading. */
  knownValue(index: number): Constant & { readonly name: string; readonly quant: Quantisation | null } {
    const tensor = this.tensor(index);
    if (tensor.data && !this.values.has(index)) {
      return { ...this.fileConstant(index), name: tensor.name, quant: quantOf(tensor, this.source.file) };
    }
    const name = this.value(index);
    const value = this.folding.value(name);
    if (!value) throw new IdapError("E_FORMAT", `${this.source.file}: tensor "${tensor.name}" is not constant`);
    return { ...value, name, quant: this.builder.tensor(name)!.quant ?? null };
  }

  dtype(index: number): Dtype {
    return dtypeOf(this.tensor(index), this.source.file);
  }
}

/** Both stand for the same reals: integers of another dtype whose zero point is shifted as their range is. */
function sameGrid(a: Quantisation, b: Quantisation): boolean {
  const low = { i8: -128, u8: 0, i32: 0 };
  return (
    (a.dtype === "i32") === (b.dtype === "i32") &&
    a.axis === b.axis &&
    a.scale.length === b.scale.length &&
    a.scale.every((s, i) => s === b.scale[i]) &&
    a.zeroPoint.every((z, i) => z - low[a.dtype] === b.zeroPoint[i]! - low[b.dtype])
  );
}

/** One operator of the file while it is being read. */
export class TfliteOp implements Emitter {
  constructor(
    readonly context: TfliteContext,
    private readonly operator: FileOperator,
  ) {}

  get code(): string {
    return this.operator.code;
  }

  /** TFLite operators have no names; their first output does. */
  get name(): string {
    const first = this.operator.outputs[0];
    return first === undefined || first < 0 ? this.code : this.context.source.tensors[first]!.name;
  }

  get inputCount(): number {
    return this.operator.inputs.length;
  }

  get outputCount(): number {
    return this.operator.outputs.length;
  }

  option<T>(read: (options: FlatTable) => T, absent: T): T {
    return this.operator.options ? read(this.operator.options) : absent;
  }

  has(i: number): boolean {
    return (this.operator.inputs[i] ?? -1) >= 0;
  }

  index(i: number): number {
    const index = this.operator.inputs[i] ?? -1;
    if (index < 0) throw new IdapError("E_FORMAT", `${this.where}: input ${i} is missing`);
    return index;
  }

  outputIndex(i: number): number {
    const index = this.operator.outputs[i] ?? -1;
    if (index < 0) throw new IdapError("E_FORMAT", `${this.where}: output ${i} is missing`);
    return index;
  }

  /** For messages: file, operator and node. */
  get where(): string {
    return `${this.context.source.file}: ${this.code} "${this.name}"`;
  }

  fileTensor(i: number): FileTensor {
    return this.context.tensor(this.index(i));
  }

  outputTensor(i = 0): FileTensor {
    return this.context.source.tensors[this.outputIndex(i)]!;
  }

  isConstant(i: number): boolean {
    return this.has(i) && this.context.known.has(this.index(i));
  }

  input(i: number): string {
    return this.context.value(this.index(i));
  }

  inputs(): string[] {
    return this.operator.inputs.map((_, i) => this.input(i));
  }

  type(tensor: string): TensorType {
    return this.context.builder.typeOf(tensor);
  }

  typeOf(tensor: string): TensorType {
    return this.type(tensor);
  }

  /** A constant operand as 32-bit floats. */
  floats(i: number): Float32Array {
    const { data } = this.context.knownValue(this.index(i));
    if (!(data instanceof Float32Array)) {
      throw new IdapError("E_DTYPE", `${this.where}: "${this.fileTensor(i).name}" must hold floats`);
    }
    return data;
  }

  /** A constant operand as integers: axes, paddings. */
  ints(i: number): number[] {
    const { one, other } = this.target(i);
    if (other) {
      throw new IdapError("E_BATCH", `${this.where}: "${this.fileTensor(i).name}" depends on the size of the batch`);
    }
    return one;
  }

  /** As `ints`, of what may depend on the batch: its value for the file's batch, and for another one. */
  target(i: number): { one: number[]; other: number[] | null } {
    const { data, name } = this.context.knownValue(this.index(i));
    if (data instanceof Float32Array) {
      throw new IdapError("E_DTYPE", `${this.where}: "${this.fileTensor(i).name}" must hold integers`);
    }
    const other = this.fileTensor(i).data ? undefined : this.context.folding.other(name);
    return { one: Array.from(data, Number), other: other ? Array.from(other.data as Int32Array, Number) : null };
  }

  /**
   * Converted weights, under the name they have in the file. Operators that share them share the result.
   * @param layout names the conversion
   * @param shape of the result
   * @param axes the axis of the result that each axis of the file becomes; null where it is split or merged
   */
  weights(
    i: number,
    layout: string,
    shape: readonly number[],
    convert: (floats: Float32Array) => Float32Array,
    axes: readonly (number | null)[],
  ): string {
    return this.context.shared(`${this.index(i)} ${layout} ${shape}`, () => {
      const { name, quant, data } = this.context.knownValue(this.index(i));
      if (!(data instanceof Float32Array)) {
        throw new IdapError("E_DTYPE", `${this.where}: "${this.fileTensor(i).name}" must hold floats`);
      }
      if (data.length !== sizeOf(shape)) {
        throw new IdapError("E_SHAPE", `${this.where}: "${name}" has ${data.length} values, [${shape}] needs others`);
      }
      const tensor = this.context.constant(name, { dtype: "f32", shape, data: convert(data) });
      if (quant) {
        const axis = quant.axis === null ? null : (axes[quant.axis] ?? null);
        if (axis !== null || quant.axis === null) this.context.builder.annotate(tensor, { ...quant, axis });
      }
      return tensor;
    });
  }

  constant(shape: readonly number[], data: Float32Array | Int32Array): string {
    const dtype = data instanceof Int32Array ? "i32" : "f32";
    return this.context.folding.constant(`${this.name}/constant`, { dtype, shape, data });
  }

  /** A node whose result is no tensor of the file; `suffix` completes its name. */
  step(suffix: string, op: string, inputs: readonly string[], attrs: Attrs = {}): string {
    return this.context.folding.node(op, inputs, attrs, `${this.name}/${suffix}`)[0]!;
  }

  /** A node of a decomposition; see `Emitter`. */
  readonly emit = (op: string, inputs: readonly string[], attrs: Attrs = {}): string =>
    this.step(op, op, inputs, attrs);

  /** A node with several outputs. */
  steps(suffix: string, op: string, inputs: readonly string[], attrs: Attrs = {}): string[] {
    return this.context.folding.node(op, inputs, attrs, `${this.name}/${suffix}`);
  }

  /** The node that gives output 0, followed by the fused activation if there is one. */
  result(op: string, inputs: readonly string[], attrs: Attrs = {}, activation = "NONE"): void {
    const fused = FUSED[activation];
    if (fused) this.result(fused.op, [this.step(op, op, inputs, attrs)], fused.attrs);
    else this.bind(this.context.folding.node(op, inputs, attrs, this.name)[0]!);
  }

  /** Output 0 is this tensor, after the fused activation if there is one. */
  activate(tensor: string, activation: string): void {
    const fused = FUSED[activation];
    if (fused) this.result(fused.op, [tensor], fused.attrs);
    else this.bind(tensor);
  }

  /** An output is this tensor, without a node of its own. */
  bind(tensor: string, output = 0): void {
    this.context.bind(this.outputIndex(output), tensor);
  }
}

/** What the fused activations are as nodes. */
const FUSED: Readonly<Record<string, { readonly op: string; readonly attrs?: Attrs }>> = {
  RELU: { op: "relu" },
  RELU6: { op: "relu6" },
  RELU_N1_TO_1: { op: "clip", attrs: { min: -1, max: 1 } },
  TANH: { op: "tanh" },
};

/** Name of the fused activation behind a field. */
export function activationOf(op: TfliteOp, field: number): string {
  const number = op.option((o) => o.i8(field), 0);
  return ACTIVATIONS[number] ?? `number ${number}`;
}

/** Refusal of fused activations that have no operator here. */
export function refuseActivation(op: TfliteOp, field: number): string | null {
  const activation = activationOf(op, field);
  return activation === "NONE" || Object.hasOwn(FUSED, activation) ? null : `the fused activation ${activation}`;
}

/** Refusal of operands that have to be constants. */
export function refuseComputed(op: TfliteOp, inputs: Readonly<Record<number, string>>): string | null {
  for (const [i, what] of Object.entries(inputs)) {
    if (op.has(Number(i)) && !op.isConstant(Number(i))) return `${what} computed at run time`;
  }
  return null;
}
