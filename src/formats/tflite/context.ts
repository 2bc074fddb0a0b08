import type { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import { sizeOf, type Attrs, type Dtype, type TensorData, type TensorType } from "../../model/types.js";
import { Budget, copyOf, floatsOf, halvesToFloats, int32sOf, int64sOf, uint16sOf } from "../shared/bytes.js";
import { checkShape } from "../shared/check.js";
import type { Names } from "../shared/names.js";
import type { FlatTable } from "./flat.js";
import type { FileOperator, FileTensor, TfliteFile } from "./file.js";
import { ACTIVATIONS } from "./schema.js";

/** How one TFLite operator is read. Adding an operator: one of these, listed in `operators/index.ts`. */
export interface Converter {
  /**
   * Completes "OPERATOR with ..." when this use cannot be read; null when it can. It looks at options and constants
   * only, never at converted values, so that all refusals of a file are found before anything is built.
   */
  refuse?(op: TfliteOp): string | null;
  /** Adds the nodes and calls `op.emit` or `op.bind` for every output. */
  convert(op: TfliteOp): void;
}

const DTYPES: Readonly<Record<string, Dtype>> = {
  float32: "f32",
  float16: "f32",
  int32: "i32",
  int8: "i8",
  uint8: "u8",
  int64: "i64",
  bool: "bool",
};

/** Element type in the IR: quantised integers are read as the floats that they stand for. */
export function dtypeOf(tensor: FileTensor, file: string): Dtype {
  if (tensor.quantisation) return "f32";
  const dtype = DTYPES[tensor.type];
  if (!dtype) {
    throw new IdapError("E_DTYPE", `${file}: tensor "${tensor.name}" has type ${tensor.type}, which cannot be read`);
  }
  return dtype;
}

/** State of reading one file. */
export class TfliteContext {
  private readonly values = new Map<number, string>();
  private readonly made = new Map<string, string>();
  private readonly budget: Budget;

  constructor(
    readonly source: TfliteFile,
    readonly builder: GraphBuilder,
    readonly names: Names,
    /** Number of samples that concrete extents of the file were written for. */
    readonly fileBatch: number,
  ) {
    this.budget = new Budget(source.file, source.size);
  }

  bind(index: number, tensor: string): void {
    this.values.set(index, tensor);
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
    const name = this.constant(tensor.name, dtypeOf(tensor, this.source.file), tensor.shape, this.data(index));
    this.values.set(index, name);
    return name;
  }

  constant(wanted: string, dtype: Dtype, shape: readonly number[], data: TensorData): string {
    return this.builder.constant(this.names.fresh(wanted), dtype, shape, data);
  }

  /** What `make` gave the first time that it was called for `key`. */
  shared(key: string, make: () => string): string {
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const name = make();
    this.made.set(key, name);
    return name;
  }

  /** Decoded copy of a constant of the file, of the type that `dtypeOf` gives. */
  data(index: number): TensorData {
    const { file } = this.source;
    const tensor = this.tensor(index);
    const bytes = tensor.data!;
    const size = sizeOf(tensor.shape);
    const width = WIDTH[tensor.type];
    if (width === undefined) {
      throw new IdapError("E_DTYPE", `${file}: tensor "${tensor.name}" has type ${tensor.type}, which cannot be read`);
    }
    if (bytes.length !== width * size) {
      throw new IdapError(
        "E_FORMAT",
        `${file} is damaged: tensor "${tensor.name}" [${tensor.shape}] needs ${width * size} bytes but has ${bytes.length}`,
      );
    }
    this.budget.charge(Math.max(width, 4) * size);
    const values = decode(tensor.type, bytes);
    return tensor.quantisation && tensor.type !== "float32" ? this.dequantised(tensor, values) : values;
  }

  /** scale * (q - zeroPoint), rounded once to f32. */
  private dequantised({ name, shape, quantisation }: FileTensor, q: TensorData): Float32Array {
    const { scale, zeroPoint, axis } = quantisation!;
    const perAxis = scale.length > 1;
    if (zeroPoint.length > scale.length || (perAxis && shape[axis] !== scale.length)) {
      throw new IdapError(
        "E_FORMAT",
        `${this.source.file} is damaged: tensor "${name}" [${shape}] has ${scale.length} scales and ${zeroPoint.length} zero points for axis ${axis}`,
      );
    }
    const inner = perAxis ? sizeOf(shape.slice(axis + 1)) : 1;
    return Float32Array.from(q as ArrayLike<number>, (v, i) => {
      const k = perAxis ? Math.floor(i / inner) % scale.length : 0;
      return scale[k]! * (Number(v) - (zeroPoint[k] ?? zeroPoint[0] ?? 0));
    });
  }
}

/** Bytes of one element. */
const WIDTH: Readonly<Record<string, number>> = {
  float32: 4,
  float16: 2,
  int32: 4,
  int64: 8,
  int8: 1,
  uint8: 1,
  bool: 1,
};

function decode(type: string, bytes: Uint8Array): TensorData {
  switch (type) {
    case "float32":
      return floatsOf(bytes);
    case "float16":
      return halvesToFloats(uint16sOf(bytes));
    case "int32":
      return int32sOf(bytes);
    case "int64":
      return int64sOf(bytes);
    case "int8":
      return new Int8Array(copyOf(bytes).buffer);
    default:
      return copyOf(bytes);
  }
}

/** One operator of the file while it is being read. */
export class TfliteOp {
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

  private index(i: number): number {
    const index = this.operator.inputs[i] ?? -1;
    if (index < 0) throw new IdapError("E_FORMAT", `${this.where}: input ${i} is missing`);
    return index;
  }

  /** For messages: file, operator and node. */
  get where(): string {
    return `${this.context.source.file}: ${this.code} "${this.name}"`;
  }

  fileTensor(i: number): FileTensor {
    return this.context.tensor(this.index(i));
  }

  isConstant(i: number): boolean {
    return this.has(i) && this.fileTensor(i).data !== null;
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

  /** A constant operand as 32-bit floats. */
  floats(i: number): Float32Array {
    const data = this.context.data(this.index(i));
    if (!(data instanceof Float32Array)) {
      throw new IdapError("E_DTYPE", `${this.where}: "${this.fileTensor(i).name}" must be float32`);
    }
    return data;
  }

  /** A constant operand as integers: axes, targets, paddings. */
  ints(i: number): number[] {
    const data = this.context.data(this.index(i));
    if (data instanceof Float32Array) {
      throw new IdapError("E_DTYPE", `${this.where}: "${this.fileTensor(i).name}" must hold integers`);
    }
    return Array.from(data, Number);
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
      const { name, quantisation, type } = this.fileTensor(i);
      const tensor = this.context.constant(name, "f32", shape, convert(this.floats(i)));
      if (quantisation && (type === "int8" || type === "uint8")) {
        const scale = Array.from(quantisation.scale);
        const zeroPoint = scale.map((_, k) => quantisation.zeroPoint[k] ?? quantisation.zeroPoint[0] ?? 0);
        const axis = scale.length === 1 ? null : (axes[quantisation.axis] ?? null);
        if (axis !== null || scale.length === 1) {
          this.context.builder.annotate(tensor, { dtype: type === "int8" ? "i8" : "u8", scale, zeroPoint, axis });
        }
      }
      return tensor;
    });
  }

  /** A node whose result is no tensor of the file; `suffix` completes its name. */
  step(suffix: string, op: string, inputs: readonly string[], attrs: Attrs = {}): string {
    const name = this.context.names.fresh(`${this.name}/${suffix}`);
    return this.context.builder.node(op, inputs, attrs, { name, outputs: [name] })[0]!;
  }

  /** The node that gives output 0, followed by the fused activation if there is one. */
  emit(op: string, inputs: readonly string[], attrs: Attrs = {}, activation = "NONE"): void {
    if (activation === "NONE") return this.last(op, inputs, attrs);
    this.last(activation === "RELU6" ? "relu6" : "relu", [this.step(op, op, inputs, attrs)]);
  }

  private last(op: string, inputs: readonly string[], attrs: Attrs = {}): void {
    const name = this.context.names.fresh(this.name);
    const [out] = this.context.builder.node(op, inputs, attrs, { name, outputs: [name] });
    this.bind(out!);
  }

  /** Output 0 is this tensor, without a node of its own. */
  bind(tensor: string): void {
    this.context.bind(this.operator.outputs[0]!, tensor);
  }
}

/** Name of the fused activation behind a field. */
export function activationOf(op: TfliteOp, field: number): string {
  const number = op.option((o) => o.i8(field), 0);
  return ACTIVATIONS[number] ?? `number ${number}`;
}

/** Refusal of fused activations that have no operator here. */
export function refuseActivation(op: TfliteOp, field: number): string | null {
  const activation = activationOf(op, field);
  return ["NONE", "RELU", "RELU6"].includes(activation) ? null : `the fused activation ${activation}`;
}

/** Refusal of operands that have to be constants. */
export function refuseComputed(op: TfliteOp, inputs: Readonly<Record<number, string>>): string | null {
  for (const [i, what] of Object.entries(inputs)) {
    if (op.has(Number(i)) && !op.isConstant(Number(i))) return `${what} computed at run time`;
  }
  return null;
}
