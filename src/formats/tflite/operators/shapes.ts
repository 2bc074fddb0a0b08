import { IdapError } from "../../../model/errors.js";
import { sizeOf } from "../../../model/types.js";
import { filled } from "../../shared/permute.js";
import type { Constant } from "../constants.js";
import { refuseComputed, type Converter, type TfliteOp } from "../context.js";

/** Elements that a constant may be asked to have. */
const MOST = 1 << 24;

function bindConstant(op: TfliteOp, value: Constant, other?: Constant): void {
  op.bind(op.context.folding.constant(op.name, value, other));
}

function integers(values: readonly number[], shape: readonly number[] = [values.length]): Constant {
  return { dtype: "i32", shape, data: Int32Array.from(values) };
}

/** The extents as the file counts them; those of a free batch are kept for another batch too. */
const SHAPE: Converter = {
  convert(op) {
    const { shape, batchAxis } = op.type(op.input(0));
    const at = (batch: number): Constant => integers(shape.map((d, i) => (i === batchAxis ? d * batch : d)));
    const { fileBatch } = op.context;
    bindConstant(op, at(fileBatch), at(2 * fileBatch));
  },
};

const RANK: Converter = {
  convert: (op) => bindConstant(op, integers([op.type(op.input(0)).shape.length], [])),
};

/** dims, value. */
const FILL: Converter = {
  refuse: (op) => refuseComputed(op, { 0: "a shape" }),
  convert(op) {
    const { one, other } = op.target(0);
    const value = op.input(1);
    const known = op.context.folding.value(value);
    if (!known) {
      if (other) throw new IdapError("E_BATCH", `${op.where}: its shape depends on the size of the batch`);
      return op.result("broadcast_to", [value], { shape: one });
    }
    const { dtype } = known;
    const of = (shape: number[]): Constant => {
      if (shape.some((d) => d < 1) || sizeOf(shape) > MOST) {
        throw new IdapError("E_FORMAT", `${op.where}: a constant of the shape [${shape}] is asked for`);
      }
      return { dtype, shape, data: filled(dtype, shape, Number(known.data[0])) };
    };
    bindConstant(op, of(one), other ? of(other) : undefined);
  },
};

/** start, limit, delta. */
const RANGE: Converter = {
  refuse: (op) => refuseComputed(op, { 0: "a start", 1: "a limit", 2: "a step" }),
  convert(op) {
    const { dtype } = op.type(op.input(0));
    const number = (i: number): number => (dtype === "f32" ? op.floats(i)[0]! : op.ints(i)[0]!);
    const [start, limit, delta] = [number(0), number(1), number(2)];
    const length = Math.ceil((limit - start) / delta);
    if (!(length >= 1 && length <= MOST)) {
      throw new IdapError("E_FORMAT", `${op.where}: ${start} to ${limit} in steps of ${delta} is no range`);
    }
    const values = Array.from({ length }, (_, i) => start + i * delta);
    bindConstant(op, dtype === "f32" ? { dtype, shape: [length], data: Float32Array.from(values) } : integers(values));
  },
};

/** The shape that operands of two shapes broadcast to. */
const BROADCAST_ARGS: Converter = {
  refuse: (op) => refuseComputed(op, { 0: "a shape", 1: "a shape" }),
  convert(op) {
    const [a, b] = [op.ints(0), op.ints(1)];
    const rank = Math.max(a.length, b.length);
    const at = (list: number[], i: number): number => list[i - rank + list.length] ?? 1;
    bindConstant(op, integers(Array.from({ length: rank }, (_, i) => (at(a, i) === 1 ? at(b, i) : at(a, i)))));
  },
};

export const shapes: Readonly<Record<string, Converter>> = { BROADCAST_ARGS, FILL, RANGE, RANK, SHAPE };
