/** A graph that grows node by node together with the values that its tensors have, so that only sound nodes are added. */
import type { GraphBuilder } from "../../../src/model/builder.js";
import type { NdArray } from "../../../src/model/define-op.js";
import { fromDoubles } from "../../../src/model/doubles.js";
import { IdapError } from "../../../src/model/errors.js";
import { getOp } from "../../../src/model/ops/index.js";
import type { Random } from "../../../src/model/random.js";
import { shapeAt, sizeOf, type Attrs, type Dtype, type Shape, type TensorType } from "../../../src/model/types.js";

/** Batch sizes at which a draft is evaluated: that of packages, and one at which samples follow one another. */
export type Batches = readonly [1, number];

/** Beyond it results of f32 say little, and exponentials of them are no numbers. */
const LARGEST_VALUE = 1000;
const LARGEST_SIZE = 700;

/** How the values of a new tensor are drawn. */
export type Range = "normal" | "small" | "positive";

export interface Value {
  readonly name: string;
  readonly type: TensorType;
  /** Exact values at each of the draft's batch sizes. */
  readonly at: readonly NdArray[];
  readonly constant: boolean;
}

export class Draft {
  readonly values: Value[] = [];
  readonly ops: string[] = [];
  private readonly read = new Set<string>();
  private count = 0;

  constructor(
    readonly builder: GraphBuilder,
    readonly prefix: string,
    readonly random: Random,
    readonly batches: Batches,
  ) {}

  pick<T>(list: readonly T[]): T {
    return list[this.random.int(list.length)]!;
  }

  chance(p: number): boolean {
    return this.random.next() < p;
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.random.int(high - low + 1);
  }

  /** A value drawn so far that `fits`; those drawn last are more likely, so that chains grow. */
  find(fits: (v: Value) => boolean): Value | null {
    const list = this.values.filter((v) => !v.constant && fits(v));
    if (list.length === 0) return null;
    return this.chance(0.5) ? list[list.length - 1]! : this.pick(list);
  }

  input(dtype: Dtype, shape: Shape, batchAxis: number | null, range: Range = "normal"): Value {
    const type: TensorType = { dtype, shape, batchAxis };
    const at = this.batches.map((batch): NdArray => {
      const concrete = shapeAt(type, batch);
      return { data: this.numbers(dtype, sizeOf(concrete), range), shape: concrete, dtype };
    });
    const name = this.builder.input(`${this.prefix}in${this.count++}`, type);
    const value = { name, type, at, constant: false };
    this.values.push(value);
    return value;
  }

  constant(dtype: Dtype, shape: Shape, range: Range = "normal"): string {
    return this.fixed(dtype, shape, this.numbers(dtype, sizeOf(shape), range));
  }

  /** A constant of these values. */
  fixed(dtype: Dtype, shape: Shape, data: Float64Array): string {
    const name = this.builder.constant(`${this.prefix}c${this.count++}`, dtype, shape, fromDoubles(data, dtype));
    const type: TensorType = { dtype, shape, batchAxis: null };
    const array: NdArray = { data, shape, dtype };
    this.values.push({ name, type, at: this.batches.map(() => array), constant: true });
    return name;
  }

  private numbers(dtype: Dtype, n: number, range: Range): Float64Array {
    const scale = dtype === "f32" ? 1 : 3;
    return Float64Array.from({ length: n }, () => {
      const v =
        range === "positive" ? 0.3 + 1.5 * this.random.next() : this.random.normal() * (range === "small" ? 0.3 : 1);
      if (dtype === "f32") return Math.fround(v);
      const whole = Math.round(scale * v) + 0;
      return dtype === "bool" ? whole & 1 : dtype === "u8" ? Math.abs(whole) : whole;
    });
  }

  value(name: string): Value {
    return this.values.find((v) => v.name === name)!;
  }

  /**
   * Adds a node and returns its first output, or null where the operands do not fit, the result is no ordinary number, or
   * a tensor becomes too large for a test.
   */
  node(op: string, inputs: readonly string[], attrs: Attrs = {}): string | null {
    const def = getOp(op);
    const operands = inputs.map((name) => this.value(name));
    const parsed = def.attrs.parse(attrs) as Attrs;
    let types: TensorType[];
    try {
      types = def.infer(
        operands.map(({ type }) => type),
        parsed,
      );
    } catch (error) {
      if (error instanceof IdapError) return null;
      throw error;
    }
    if (types.some(({ shape }) => sizeOf(shape) > LARGEST_SIZE || shape.length > 6)) return null;
    const at = this.batches.map((batch, k) =>
      def.reference(
        operands.map((v) => v.at[k]!),
        parsed,
        types.map((type) => shapeAt(type, batch)),
      ),
    );
    if (!at.every((results) => results.every(({ data }) => data.every(isOrdinary)))) return null;
    const names = this.builder.node(op, inputs, attrs, { name: `${this.prefix}n${this.count++}` });
    names.forEach((name, i) => {
      const results = at.map((list) => ({ ...list[i]!, dtype: types[i]!.dtype }));
      this.values.push({ name, type: types[i]!, at: results, constant: false });
    });
    this.ops.push(op);
    for (const name of inputs) this.read.add(name);
    return names[0]!;
  }

  /** Makes outputs of what nobody reads and of some that are read; returns them. */
  finish(): string[] {
    const computed = this.values.filter((v) => !v.constant);
    const names = computed.filter(({ name }) => !this.read.has(name) || this.chance(0.15)).map(({ name }) => name);
    names.forEach((name) => this.builder.output(name));
    return names;
  }
}

/** Neither NaN nor infinite, not too large, and no subnormal number. */
function isOrdinary(v: number): boolean {
  return Math.abs(v) <= LARGEST_VALUE && (v === 0 || Math.abs(v) > 1e-30);
}
