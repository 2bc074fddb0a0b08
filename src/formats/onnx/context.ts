import type { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import type { Attrs, Dtype, Quantisation, TensorData, TensorType } from "../../model/types.js";
import type { Budget } from "../shared/bytes.js";
import type { Names } from "../shared/names.js";
import { compose, isIdentity, permute } from "../shared/permute.js";
import { batchSlice, type BatchSlice } from "./batch-constant.js";
import { declaredShape } from "./declared.js";
import type { NodeProto } from "./generated/onnx_pb.js";
import { inOrder } from "./producer.js";
import type { Constant, LoadSibling } from "./wire.js";

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
 * when it is first asked for, so that a chain of convolutions leaves no transposes behind. All of these have an element
 * type that the IR computes in (f32, i32, bool).
 */
interface Value {
  file?: string;
  last?: string;
  /** Where neither exists yet: the transpose of a tensor that either is made from. */
  from?: Move;
  /** In the file's own element type and order, where it differs from the one computed in: ports, quantised values. */
  raw?: string;
  /** Element type in the file. */
  dtype: Dtype;
}

/** The file's value is `tensor` with its axes in the order `perm`. */
interface Move {
  readonly tensor: string;
  readonly perm: readonly number[];
  /** Name of the node of the file. */
  readonly node: string;
}

/** Integers that stand for floats: the value `float` holds them, `quant` says how they are meant. */
export interface Quantised {
  readonly float: string;
  readonly quant: Quantisation;
  /** Rounds half to even, as ONNX does. */
  readonly axisInFile: number | null;
}

/** How one node's result is bound. */
export interface EmitOptions {
  /** Name in the file; default output 0. */
  readonly output?: string;
  /** Element type in the file; default that of the result, or of the integers that it is made from. */
  readonly dtype?: Dtype;
  /** The result has its channels last. */
  readonly last?: boolean;
  /** Name of the node; default that of the file's. */
  readonly name?: string;
}

/** The element type that the IR computes in for one of the file. */
export function computeDtype(dtype: Dtype): Dtype {
  return dtype === "f32" || dtype === "bool" ? dtype : "i32";
}

/** Their results are never below 0. */
const NON_NEGATIVE: ReadonlySet<string> = new Set(["relu", "relu6", "sigmoid", "softmax", "hard_sigmoid"]);

export interface ContextOptions {
  readonly file: string;
  readonly opset: number;
  readonly builder: GraphBuilder;
  readonly names: Names;
  readonly budget: Budget;
  /** Number of samples that concrete extents of the file were written for. */
  readonly fileBatch: number;
  /** Written by our writer: -1 in a reshape is the batch, and nothing is fused that the writer kept apart. */
  readonly ours: boolean;
  /** Names whose values are or will be constants. */
  readonly constantNames: ReadonlySet<string>;
  /** The only node that reads a value, null when several do or it is an output of the graph. */
  readonly soleReader: ReadonlyMap<string, NodeProto | null>;
  /** Shapes of outputs that the file states. */
  readonly declared?: ReadonlyMap<string, readonly number[]>;
  /** Bytes of a file beside the model. */
  readonly load?: LoadSibling | undefined;
}

/** State of reading one file. */
export class OnnxContext {
  /** Values that are computed when the model runs. */
  private readonly values = new Map<string, Value>();
  /** Values known at read: initialisers and what is folded from them. */
  readonly constants = new Map<string, Constant>();
  /** Integers whose floats are known. */
  readonly quantised = new Map<string, Quantised>();
  private readonly made = new Map<string, string>();
  /** For each rank and axis a bool tensor that has the batch there and extents of 1 elsewhere. */
  private readonly flags = new Map<string, string>();
  /** A tensor of the interface that has a batch axis. */
  batchSource: string | null = null;

  readonly file: string;
  readonly opset: number;
  readonly builder: GraphBuilder;
  readonly names: Names;
  readonly budget: Budget;
  readonly fileBatch: number;
  readonly ours: boolean;
  readonly constantNames: ReadonlySet<string>;
  readonly soleReader: ReadonlyMap<string, NodeProto | null>;
  readonly load: LoadSibling | undefined;
  private readonly declared: ReadonlyMap<string, readonly number[]>;

  constructor(options: ContextOptions) {
    this.file = options.file;
    this.opset = options.opset;
    this.builder = options.builder;
    this.names = options.names;
    this.budget = options.budget;
    this.fileBatch = options.fileBatch;
    this.ours = options.ours;
    this.constantNames = options.constantNames;
    this.soleReader = options.soleReader;
    this.load = options.load;
    this.declared = options.declared ?? new Map();
  }

  /** The shape that the file states for a value, null where it states none. */
  declaredShape(name: string): readonly number[] | null {
    return this.ours ? null : declaredShape(name, this.declared, this.soleReader);
  }

  /** Nodes that an earlier one took over. */
  readonly done = new Set<NodeProto>();

  bind(name: string, value: Value): void {
    if (name !== "") this.values.set(name, value);
  }

  isKnown(name: string): boolean {
    return this.values.has(name) || this.constants.has(name) || this.quantised.has(name);
  }

  private find(name: string): Value {
    const value = this.values.get(name);
    if (value) return value;
    const quantised = this.quantised.get(name);
    if (!quantised) throw new IdapError("E_FORMAT", `${this.file}: "${name}" is used before it is computed`);
    return this.materialised(name, quantised);
  }

  /** The integers of a value that so far exists as floats only. */
  private materialised(name: string, { float, quant, axisInFile }: Quantised): Value {
    const tensor = this.names.fresh(name);
    const attrs = { ...quant, axis: axisInFile, rounding: "even" };
    const [raw] = this.builder.node("quantize", [this.inFileOrder(float)], attrs, { name: tensor, outputs: [tensor] });
    const value: Value = { raw: raw!, dtype: quant.dtype };
    this.values.set(name, value);
    return value;
  }

  /**
   * Name of the floats that integers stand for, no smaller than the integers can be where those begin at 0: quantisers
   * take an activation out where the integers cut just as it does. Annotated with their meaning.
   */
  floatOfQuantised(name: string): string {
    const key = `${name}/clamped`;
    if (this.values.has(key)) return key;
    const { float, quant } = this.quantised.get(name)!;
    const last = this.hasLast(float);
    const tensor = last ? this.inLastOrder(float) : this.inFileOrder(float);
    const fromZero = quant.axis === null && quant.zeroPoint[0] === (quant.dtype === "u8" ? 0 : -128);
    const wanted = this.names.fresh(`${name}/relu`);
    const cut =
      fromZero && !NON_NEGATIVE.has(this.producers.get(tensor) ?? "")
        ? this.builder.node("relu", [tensor], {}, { name: wanted, outputs: [wanted] })[0]!
        : tensor;
    if (quant.axis === null || !last) this.builder.annotate(cut, quant);
    this.values.set(key, last ? { last: cut, dtype: "f32" } : { file: cut, dtype: "f32" });
    return key;
  }

  /** The IR operator that gives a tensor. */
  readonly producers = new Map<string, string>();

  /** One sample's part of a constant that repeats over the batch, as an IR constant; null for other values. */
  sampleConstant(name: string): string | null {
    const constant = this.constants.get(name);
    const slice = constant && this.sliceOf(name, constant);
    if (!slice) return null;
    const wanted = this.names.fresh(`${name}/sample`);
    const { dtype, shape, data } = computed(slice.constant);
    return this.builder.constant(wanted, dtype, shape, owned(data));
  }

  /** Whether the value exists with channels last. */
  hasLast(name: string): boolean {
    return this.values.get(name)?.last !== undefined;
  }

  /** Element type in the file. */
  dtypeOf(name: string): Dtype {
    return this.constants.get(name)?.dtype ?? this.quantised.get(name)?.quant.dtype ?? this.find(name).dtype;
  }

  /** The value with its axes as in the file; constants are added on first use. */
  inFileOrder(name: string): string {
    if (this.constants.has(name)) return this.constantAs(name, "", (c) => c);
    const value = this.find(name);
    if (value.file === undefined) {
      const { from, last, raw } = value;
      value.file = from
        ? this.transposed(from.tensor, from.perm, name, from.node)
        : last !== undefined
          ? this.transposed(last, channelsFirst(this.rank(last)), inOrder(name, "nchw"))
          : this.cast(raw!, computeDtype(value.dtype), name);
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
      const { from } = value;
      value.last = from
        ? this.transposed(from.tensor, compose(from.perm, channelsLast(from.perm.length)), name, from.node)
        : this.lastOf(name);
    }
    return value.last;
  }

  private lastOf(name: string): string {
    const file = this.inFileOrder(name);
    return this.transposed(file, channelsLast(this.rank(file)), inOrder(name, "nhwc"));
  }

  /** The value in the file's own order and element type. */
  inFileType(name: string): string {
    const constant = this.constants.get(name);
    if (constant) return this.rawConstant(name, constant);
    const value = this.find(name);
    if (value.raw !== undefined) return value.raw;
    const file = this.inFileOrder(name);
    if (this.builder.typeOf(file).dtype === value.dtype) return file;
    value.raw = this.cast(file, value.dtype, name);
    return value.raw;
  }

  private cast(tensor: string, to: Dtype, wanted: string): string {
    const name = this.names.fresh(`${wanted}/${to}`);
    return this.builder.node("cast", [tensor], { to }, { name, outputs: [name] })[0]!;
  }

  /** Type in the file's order, without adding anything; the element type is the one computed in. */
  typeOf(name: string): TensorType {
    const constant = this.constants.get(name);
    if (constant) {
      const slice = this.sliceOf(name, constant);
      return slice
        ? { dtype: computeDtype(constant.dtype), shape: slice.constant.shape, batchAxis: slice.axis }
        : { dtype: computeDtype(constant.dtype), shape: constant.shape, batchAxis: null };
    }
    const quantised = this.quantised.get(name);
    if (quantised && !this.values.has(name)) return { ...this.typeOf(quantised.float), dtype: "i32" };
    const value = this.find(name);
    const plain = value.file ?? (value.last === undefined && !value.from ? value.raw : undefined);
    if (plain !== undefined) return { ...this.builder.typeOf(plain), dtype: computeDtype(value.dtype) };
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

  /** A second name for a value; `dtype` where the file calls its elements something else. */
  alias(name: string, output: string, dtype?: Dtype): void {
    const constant = this.constants.get(name);
    if (constant) {
      const tensor = this.inFileOrder(name);
      return this.bind(output, { file: tensor, dtype: dtype ?? constant.dtype });
    }
    const quantised = this.quantised.get(name);
    if (quantised && dtype === undefined) this.quantised.set(output, quantised);
    else if (dtype === undefined) this.values.set(output, this.find(name));
    else {
      const { raw: _, ...rest } = this.find(name);
      if (rest.file === undefined && rest.last === undefined && !rest.from) rest.file = this.inFileOrder(name);
      this.values.set(output, { ...rest, dtype });
    }
  }

  /** A transpose of the file: taken from whichever order needs no move, else a node once its order is known. */
  transpose(input: string, perm: readonly number[], output: string, node: string): void {
    if (this.constants.has(input)) this.bind(input, { file: this.inFileOrder(input), dtype: this.dtypeOf(input) });
    const value = this.find(input);
    const { dtype } = value;
    const rank = perm.length;
    const orders: [string, number[]][] = [];
    if (value.file !== undefined) orders.push([value.file, [...perm]]);
    if (value.last !== undefined) orders.push([value.last, compose(channelsFirst(rank), perm)]);
    if (value.from) orders.push([value.from.tensor, compose(value.from.perm, perm)]);
    if (orders.length === 0) orders.push([this.inFileOrder(input), [...perm]]);
    for (const [tensor, move] of orders) {
      const from = { tensor, perm: move, node };
      if (isIdentity(move)) return this.bind(output, { file: tensor, from, dtype });
      if (rank > 2 && isIdentity(compose(move, channelsLast(rank)))) {
        return this.bind(output, { last: tensor, from, dtype });
      }
    }
    const [tensor, move] = orders[0]!;
    this.bind(output, { from: { tensor, perm: move, node }, dtype });
  }

  /** The tensor whose last two axes change places in this value, where it has not been made yet; null otherwise. */
  swapped(name: string): string | null {
    const value = this.values.get(name);
    if (!value?.from || value.file !== undefined) return null;
    const { tensor, perm } = value.from;
    const rank = perm.length;
    const swaps = perm.every((p, i) => p === (i < rank - 2 ? i : 2 * rank - 3 - i));
    return rank >= 2 && swaps ? tensor : null;
  }

  /** What one sample sees of a constant that depends on the batch; null for the others. Throws where that is not all. */
  private sliceOf(name: string, constant: Constant): BatchSlice | null {
    if (!constant.alt) return null;
    const slice = batchSlice(constant);
    if (slice) return slice;
    throw new IdapError(
      "E_BATCH",
      `${this.file}: "${name}" computes with the number of samples, which differs from batch to batch`,
    );
  }

  /** An IR constant made from one of the file; uses that ask for the same `layout` share it. */
  constantAs(name: string, layout: string, convert: (c: Constant) => Constant): string {
    const key = `${layout}\n${name}`;
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const source = this.constants.get(name)!;
    const slice = this.sliceOf(name, source);
    if (slice && layout !== "") {
      throw new IdapError("E_BATCH", `${this.file}: "${name}" depends on the number of samples and cannot be a weight`);
    }
    const { dtype, shape, data, quant } = computed(convert(slice?.constant ?? source));
    this.budget.charge(data.byteLength);
    const wanted = this.names.fresh(name);
    const tensor = this.builder.constant(wanted, dtype, shape, owned(data), quant);
    const made = slice ? this.repeated(tensor, slice.axis) : tensor;
    this.made.set(key, made);
    return made;
  }

  private rawConstant(name: string, source: Constant): string {
    const { dtype } = source;
    if (dtype === computeDtype(dtype)) return this.inFileOrder(name);
    const key = `raw\n${name}`;
    const known = this.made.get(key);
    if (known !== undefined) return known;
    if (source.alt) return this.cast(this.inFileOrder(name), dtype, name);
    this.budget.charge(source.data.byteLength);
    const tensor = this.builder.constant(this.names.fresh(name), dtype, source.shape, owned(source.data));
    this.made.set(key, tensor);
    return tensor;
  }

  /** `tensor` with its axis `axis`, of extent 1, repeated for every sample. */
  repeated(tensor: string, axis: number): string {
    const flag = this.batchFlag(this.rank(tensor), axis);
    const name = this.names.fresh(`${tensor}/batch`);
    return this.builder.node("select", [flag, tensor, tensor], {}, { name, outputs: [name] })[0]!;
  }

  /**
   * A bool tensor of rank `rank` whose axis `axis` is the batch; its values do not matter. Made from an input, since
   * only a tensor of the interface knows how many samples there are.
   */
  private batchFlag(rank: number, axis: number): string {
    const key = `${rank} ${axis}`;
    const known = this.flags.get(key);
    if (known !== undefined) return known;
    const source = this.batchSource;
    if (source === null) throw new IdapError("E_BATCH", `${this.file}: no input has a batch`);
    const { shape, batchAxis, dtype } = this.builder.typeOf(source);
    const step = (op: string, inputs: string[], attrs: Attrs): string => {
      const name = this.names.fresh("samples");
      return this.builder.node(op, inputs, attrs, { name, outputs: [name] })[0]!;
    };
    const one = step("slice", [source], {
      begin: shape.map(() => 0),
      size: shape.map((_, a) => (a === batchAxis ? -1 : 1)),
    });
    const target = Array.from({ length: rank }, (_, a) => (a === axis ? -1 : 1));
    const moved = step("reshape", [one], { shape: target });
    const flag = dtype === "bool" ? moved : step("cast", [moved], { to: "bool" });
    this.flags.set(key, flag);
    return flag;
  }
}

/** Values in an element type that the IR computes in; i64 beyond 32 bits is "as far as it goes". */
function computed(c: Constant): Constant {
  const dtype = computeDtype(c.dtype);
  if (dtype === c.dtype) return { dtype, shape: c.shape, data: c.data, ...(c.quant && { quant: c.quant }) };
  const data = new Int32Array(c.data.length);
  const source = c.data;
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.min(Math.max(Number(source[i]), -(2 ** 31)), 2 ** 31 - 1);
  }
  return { dtype, shape: c.shape, data };
}

/** The values in memory of their own: a view would keep the whole file alive wherever the constant goes. */
function owned(data: TensorData): TensorData {
  return data.buffer.byteLength === data.byteLength ? data : data.slice();
}

/** With its axes in another order. */
export function permuted(c: Constant, perm: readonly number[]): Constant {
  const { quant } = c;
  const axis = quant?.axis ?? null;
  return {
    dtype: c.dtype,
    shape: perm.map((p) => c.shape[p]!),
    data: isIdentity(perm) ? c.data : permute(c.data, c.shape, perm),
    ...(quant && { quant: { ...quant, axis: axis === null ? null : perm.indexOf(axis) } }),
  };
}
