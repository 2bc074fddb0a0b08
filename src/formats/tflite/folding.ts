import type { GraphBuilder } from "../../model/builder.js";
import { fromDoubles, toDoubles } from "../../model/doubles.js";
import { IdapError } from "../../model/errors.js";
import { getOp } from "../../model/ops/index.js";
import { sameShape, sizeOf, type Attrs, type Node, type TensorType } from "../../model/types.js";
import { inferNode } from "../../model/verify.js";
import type { Names } from "../shared/names.js";
import type { Constant } from "./constants.js";

/** Most bytes that folding may make; more than any shape arithmetic or table of positions needs. */
const MOST_FOLDED = 1 << 28;

/**
 * Adds nodes, and evaluates those whose operands are all constants at once, so that shape arithmetic and decompressed
 * weights are gone when the graph is built.
 *
 * A constant that was made from a shape with a free batch is kept twice, for two sizes of the batch. What comes out
 * equal for both does not depend on it (an image's height); what does not, only a reshape can take.
 */
export class Folding {
  private readonly others = new Map<string, Constant>();
  private left = MOST_FOLDED;

  constructor(
    private readonly builder: GraphBuilder,
    private readonly names: Names,
    private readonly file: string,
  ) {}

  /** @param other the value at another size of the batch, where it depends on that */
  constant(wanted: string, value: Constant, other?: Constant): string {
    this.charge(value);
    const name = this.builder.constant(this.names.fresh(wanted), value.dtype, value.shape, value.data);
    if (other && !equalConstants(value, other)) this.others.set(name, other);
    return name;
  }

  /** The value at another size of the batch; undefined where it does not depend on the batch. */
  other(tensor: string): Constant | undefined {
    return this.others.get(tensor);
  }

  value(tensor: string): Constant | null {
    const known = this.builder.tensor(tensor);
    return known?.data ? { dtype: known.type.dtype, shape: known.type.shape, data: known.data } : null;
  }

  /** Names of the outputs of a node, or of the constants that it gives. */
  node(op: string, inputs: readonly string[], attrs: Attrs, wanted: string): string[] {
    const values = inputs.map((name) => this.value(name));
    if (values.length > 0 && values.every((v) => v !== null)) {
      const results = this.evaluate(op, values, attrs);
      const others = inputs.some((name) => this.others.has(name))
        ? this.evaluate(
            op,
            inputs.map((name, i) => this.others.get(name) ?? values[i]!),
            attrs,
          )
        : [];
      return results.map((r, i) => this.constant(i === 0 ? wanted : `${wanted}:${i}`, r, others[i]));
    }
    const tied = inputs.find((name) => this.others.has(name));
    if (tied !== undefined) {
      throw new IdapError("E_BATCH", `${this.file}: "${tied}" depends on the size of the batch and is used as data`);
    }
    const name = this.names.fresh(wanted);
    return this.builder.node(op, inputs, attrs, { name, outputs: [name] });
  }

  /** In f64, each result rounded once to its dtype. */
  private evaluate(op: string, values: readonly Constant[], attrs: Attrs): Constant[] {
    const names = values.map((_, i) => `operand ${i}`);
    const typeAt = (i: number): TensorType => ({ dtype: values[i]!.dtype, shape: values[i]!.shape, batchAxis: null });
    const node: Node = { name: `folded ${op}`, op, inputs: names, outputs: [], attrs };
    const types = inferNode(node, (name) => typeAt(names.indexOf(name)));
    for (const type of types) this.room(4 * sizeOf(type.shape));
    const operands = values.map(({ data, shape, dtype }) => ({ data: toDoubles(data), shape, dtype }));
    const results = getOp(op).reference(
      operands,
      getOp(op).attrs.parse(attrs),
      types.map((t) => t.shape),
    );
    return results.map(({ data }, i) => {
      const { dtype, shape } = types[i]!;
      return { dtype, shape, data: fromDoubles(data, dtype) };
    });
  }

  private charge({ data }: Constant): void {
    this.room(data.byteLength);
    this.left -= data.byteLength;
  }

  private room(bytes: number): void {
    if (!(bytes <= this.left)) {
      throw new IdapError("E_FORMAT", `${this.file} is damaged: its constants are many times larger than the file`);
    }
  }
}

function equalConstants(a: Constant, b: Constant): boolean {
  return sameShape(a.shape, b.shape) && (a.data as Float32Array).every((v, i) => Object.is(v, b.data[i]));
}
