import type { GraphBuilder } from "../../../model/builder.js";
import type { NdArray } from "../../../model/define-op.js";
import { fromDoubles, toDoubles } from "../../../model/doubles.js";
import { IdapError } from "../../../model/errors.js";
import { getOp } from "../../../model/ops/index.js";
import { sizeOf, type Attrs, type Dtype, type Shape, type TensorData, type TensorType } from "../../../model/types.js";
import type { Budget } from "../../shared/bytes.js";
import { transposed, type Emitter } from "../../shared/decompose/emit.js";
import type { Names } from "../../shared/names.js";
import type { Attribute, NodeDef } from "./graphdef.js";

/** How one operator of TensorFlow is read. Adding one: an entry in a table of `operators`. */
export interface Converter {
  /** Completes "Operator with ..." when the attributes say that this use cannot be read; null when it can. */
  refuse?(op: TfOp): string | null;
  /** Adds the nodes and gives the outputs. */
  convert(op: TfOp): string | readonly string[];
}

/** A result of a node: a tensor of the graph, or a list of nothing (axes, paddings), which the IR does not have. */
export type Value = { readonly tensor: string } | { readonly empty: { dtype: Dtype; shape: Shape } };

/**
 * State of reading one graph. Whatever has constant operands is evaluated as it is read, so that the arithmetic on
 * shapes that exporters leave is gone at once.
 *
 * `Shape` gives extents at one sample. What they would be at two is carried along (`probes`): where it differs, a value
 * depends on the batch, and may only say where the batch goes, never be computed with.
 */
export class GraphContext {
  private readonly values = new Map<string, Value>();
  private readonly probes = new Map<string, TensorData>();

  constructor(
    readonly file: string,
    readonly builder: GraphBuilder,
    readonly names: Names,
    private readonly budget: Budget,
  ) {}

  bind(node: string, index: number, value: Value): void {
    this.values.set(`${node}:${index}`, value);
  }

  /** @param reference "node", "node:1", or "node:output:1" as signatures have it */
  get(reference: string): Value | undefined {
    const { node, index } = parseReference(reference);
    return this.values.get(`${node}:${index}`);
  }

  /** What a constant would be at two samples, where that differs. */
  probe(tensor: string): TensorData | undefined {
    return this.probes.get(tensor);
  }

  constant(name: string, dtype: Dtype, shape: Shape, data: TensorData, probe?: TensorData): string {
    this.budget.charge(data.byteLength);
    const tensor = this.builder.constant(this.names.fresh(name), dtype, shape, data);
    if (probe?.some((v, i) => v !== data[i])) this.probes.set(tensor, probe);
    return tensor;
  }

  add(name: string, op: string, inputs: readonly string[], attrs: Attrs): string[] {
    const tensors = inputs.map((x) => this.builder.tensor(x)!);
    if (tensors.every((t) => t.data)) return this.fold(name, op, inputs, attrs);
    const dependent = inputs.find((x) => this.probes.has(x));
    if (dependent !== undefined) {
      throw new IdapError("E_BATCH", `${this.file}: "${name}" computes with the number of samples`);
    }
    const unique = this.names.fresh(name);
    return this.builder.node(op, inputs, attrs, { name: unique, outputs: [unique] });
  }

  /** The value of a node of constants, in f64 and rounded once. */
  private fold(name: string, op: string, inputs: readonly string[], attrs: Attrs): string[] {
    const def = getOp(op);
    const parsed = def.attrs.safeParse(attrs);
    if (!parsed.success) throw new IdapError("E_ATTRS", `${this.file}: "${name}": ${parsed.error.issues[0]!.message}`);
    const types = inputs.map((x) => this.builder.typeOf(x));
    const results = def.infer(types, parsed.data);
    this.budget.charge(results.reduce((n, t) => n + 8 * sizeOf(t.shape), 0));
    const evaluate = (dataOf: (tensor: string) => TensorData): TensorData[] => {
      const operands = inputs.map((x, i): NdArray => {
        const { shape, dtype } = types[i]!;
        return { data: toDoubles(dataOf(x)), shape, dtype };
      });
      const shapes = results.map((t) => t.shape);
      return def.reference(operands, parsed.data, shapes).map((r, i) => fromDoubles(r.data, results[i]!.dtype));
    };
    const data = evaluate((x) => this.builder.tensor(x)!.data!);
    const dependent = inputs.some((x) => this.probes.has(x));
    const probes = dependent ? evaluate((x) => this.probes.get(x) ?? this.builder.tensor(x)!.data!) : null;
    return results.map((t, i) => this.constant(name, t.dtype, t.shape, data[i]!, probes?.[i]));
  }
}

/** "node", "node:1", "node:output:1". */
export function parseReference(reference: string): { node: string; index: number } {
  const [node, ...rest] = reference.split(":");
  return { node: node!, index: rest.length === 0 ? 0 : Number(rest[rest.length - 1]) };
}

/** One node of the file while it is being read. */
export class TfOp implements Emitter {
  /** Operands without control dependencies. */
  readonly operands: readonly string[];

  constructor(
    readonly context: GraphContext,
    readonly node: NodeDef,
  ) {
    this.operands = node.input.filter((name) => !name.startsWith("^"));
  }

  get name(): string {
    return this.node.name;
  }

  /** For messages: file, operator and node. */
  get where(): string {
    return `${this.context.file}: ${this.node.op} "${this.name}"`;
  }

  malformed(what: string): IdapError {
    return new IdapError("E_FORMAT", `${this.where} ${what}`);
  }

  unsupported(what: string, hint?: string): IdapError {
    return new IdapError("E_UNSUPPORTED", `${this.where} ${what}`, hint);
  }

  private attribute(name: string): Attribute | undefined {
    return Object.hasOwn(this.node.attr, name) ? this.node.attr[name] : undefined;
  }

  int(name: string, absent: number): number {
    return this.attribute(name)?.i ?? absent;
  }

  float(name: string, absent: number): number {
    return this.attribute(name)?.f ?? absent;
  }

  flag(name: string): boolean {
    return this.attribute(name)?.b ?? false;
  }

  text(name: string, absent: string): string {
    return this.attribute(name)?.s ?? absent;
  }

  texts(name: string): readonly string[] {
    return this.attribute(name)?.list?.s ?? [];
  }

  type(name: string): string | undefined {
    return this.attribute(name)?.type;
  }

  intList(name: string): readonly number[] | null {
    return this.attribute(name)?.list?.i ?? null;
  }

  private value(i: number): Value {
    const reference = this.operands[i];
    if (reference === undefined) throw this.malformed(`lacks its input ${i}`);
    const value = this.context.get(reference);
    if (!value) throw this.malformed(`takes "${reference}", which nothing gives`);
    return value;
  }

  has(i: number): boolean {
    return i < this.operands.length;
  }

  /** Whether an operand is a list of nothing. */
  isEmpty(i: number): boolean {
    return "empty" in this.value(i);
  }

  input(i: number): string {
    const value = this.value(i);
    if ("tensor" in value) return value.tensor;
    throw new IdapError("E_SHAPE", `${this.where}: its input ${i} has no elements ([${value.empty.shape}])`);
  }

  /** An operand in arithmetic: truth values count as 0 and 1. */
  number(i: number): string {
    const x = this.input(i);
    return this.typeOf(x).dtype === "bool" ? this.emit("cast", [x], { to: "i32" }) : x;
  }

  get inputs(): string[] {
    return this.operands.flatMap((_, i) => (this.isEmpty(i) ? [] : [this.input(i)]));
  }

  isConstant(i: number): boolean {
    const value = this.value(i);
    return "empty" in value || this.context.builder.tensor(value.tensor)?.data !== undefined;
  }

  /** A constant operand as numbers, at one sample and at two; `extents` of a shape may differ. */
  extents(i: number): { values: number[]; probe: number[] | null } {
    const value = this.value(i);
    if ("empty" in value) return { values: [], probe: null };
    const data = this.context.builder.tensor(value.tensor)?.data;
    if (!data) {
      throw this.unsupported(
        `takes its input ${i} ("${this.operands[i]}") from a computation, which cannot be read`,
        "Export the model with fixed sizes, so that it becomes a constant.",
      );
    }
    const probe = this.context.probe(value.tensor);
    return { values: Array.from(data, Number), probe: probe ? Array.from(probe, Number) : null };
  }

  /** A constant operand as numbers, the same for any number of samples. */
  numbers(i: number): number[] {
    const { values, probe } = this.extents(i);
    if (probe) throw new IdapError("E_BATCH", `${this.where}: its input ${i} depends on the number of samples`);
    return values;
  }

  /** Type of a tensor. */
  typeOf(tensor: string): TensorType {
    return this.context.builder.typeOf(tensor);
  }

  rank(i = 0): number {
    return this.typeOf(this.input(i)).shape.length;
  }

  constant(shape: Shape, data: Float32Array | Int32Array): string {
    const dtype = data instanceof Int32Array ? "i32" : "f32";
    return this.context.constant(`${this.name}/constant`, dtype, shape, data);
  }

  scalar(value: number, like?: string): string {
    const integer = like !== undefined && this.typeOf(like).dtype === "i32";
    return this.constant([], integer ? Int32Array.of(value) : Float32Array.of(value));
  }

  readonly emit = (op: string, inputs: readonly string[], attrs: Attrs = {}): string =>
    this.context.add(`${this.name}/${op}`, op, inputs, attrs)[0]!;

  /** The node that gives output 0. */
  result(op: string, inputs: readonly string[], attrs: Attrs = {}): string {
    return this.context.add(this.name, op, inputs, attrs)[0]!;
  }

  /** A node with several outputs. */
  results(op: string, inputs: readonly string[], attrs: Attrs = {}): string[] {
    return this.context.add(this.name, op, inputs, attrs);
  }

  /** Images with channels first. */
  get channelsFirst(): boolean {
    return this.text("data_format", "NHWC") === "NCHW";
  }

  /** Does `work` on an image with channels last; `last` gives its final node the name of this one where it can. */
  asImage(i: number, work: (image: string, last: TfOp["result"]) => string): string {
    const x = this.input(i);
    if (this.typeOf(x).shape.length !== 4) {
      throw new IdapError("E_RANK", `${this.where} needs an operand of rank 4, got [${this.typeOf(x).shape}]`);
    }
    if (!this.channelsFirst) return work(x, (op, inputs, attrs) => this.result(op, inputs, attrs));
    return transposed(this, work(transposed(this, x, [0, 2, 3, 1]), this.emit), [0, 3, 1, 2]);
  }
}
