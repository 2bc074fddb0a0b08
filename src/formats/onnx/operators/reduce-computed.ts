/** Reductions over axes that are computed when the model runs, where the file states the shape of the result. */
import { IdapError } from "../../../model/errors.js";
import type { Shape } from "../../../model/types.js";
import { shapeInFile, type Converter, type OnnxOp } from "../op.js";
import type { Constant } from "../wire.js";
import { Pieces } from "./pieces.js";

/** More results than this are not computed for one of them to be chosen. */
const MOST_CHOICES = 6;

/** Sets of axes whose reduction gives the stated shape; axes of extent 1 make no difference and are left out. */
function choices(from: Shape, to: Shape, keepDims: boolean): number[][] {
  const long = from.flatMap((d, axis) => (d > 1 ? [axis] : []));
  const sets: number[][] = [];
  for (let bits = 0; bits < 2 ** long.length; bits++) {
    const axes = long.filter((_, i) => (bits >> i) & 1);
    const left = from.map((d, axis) => (axes.includes(axis) ? 1 : d));
    const same = keepDims
      ? left.join() === to.join()
      : left.filter((d) => d > 1).join() === to.filter((d) => d > 1).join();
    if (same) sets.push(axes);
  }
  return sets;
}

/** One reduction for each set of axes that gives the stated shape, of which the axes choose at run time. */
export function reduceByOperand(op: OnnxOp, converter: Converter): void {
  const p = new Pieces(op);
  const from = shapeInFile(op, 0);
  const to = op.stated()!;
  if (op.type(0).batchAxis !== null) throw new IdapError("E_BATCH", `${op.where} may reduce the batch`);
  if (from.length > 12) throw op.unsupported("axes computed at run time");
  const sets = choices(from, to, op.int("keepdims", 1) !== 0);
  if (sets.length === 0) throw op.malformed(`cannot reduce [${from}] to [${to}]`);
  if (sets.length > MOST_CHOICES) throw op.unsupported("axes computed at run time");
  const results = sets.map((axes, i) => reduced(op, p, converter, axes, i));
  const dtype = op.context.dtypeOf(results[0]!);
  const tensors = results.map((name) => op.context.inFileOrder(name));
  if (tensors.length === 1) return op.give(tensors[0]!, { dtype });
  // Every axis is a bit of a number that stands for the set.
  const bit = p.do("gather", [p.range(from.length, 0, (axis) => (from[axis]! > 1 ? 2 ** axis : 0)), op.input(1)], {
    axis: 0,
  });
  const code = p.do("reduce_sum", [bit], { axes: [0], keepDims: false });
  const y = tensors.reduce((other, own, i) => {
    const number = sets[i]!.reduce((n, axis) => n + 2 ** axis, 0);
    return p.do("select", [p.do("equal", [code, number]), own, other]);
  });
  op.give(y, { dtype });
}

/** Name of the file's value that the reduction over `axes` gives, in the stated shape. */
function reduced(op: OnnxOp, p: Pieces, converter: Converter, axes: readonly number[], i: number): string {
  const [list, output] = [`${op.output}/axes ${i}`, `${op.output}/over ${axes.join()}`];
  const constant: Constant = { dtype: "i64", shape: [axes.length], data: BigInt64Array.from(axes, BigInt) };
  op.context.constants.set(list, constant);
  // Without axes nothing is summed up, which is what reducing an axis of extent 1 does.
  const inner = op.derived({ input: [op.inputName(0), list], output: [output] });
  if (axes.length === 0) return unreduced(op, p, converter, output);
  converter.convert(inner);
  const y = op.context.inFileOrder(output);
  return inStatedShape(op, p, y, output);
}

/** A reduction over an axis of extent 1, put in front. */
function unreduced(op: OnnxOp, p: Pieces, converter: Converter, output: string): string {
  const x = op.input(0);
  const wide = `${output}/wide`;
  const { shape } = op.typeOf(x);
  const column = p.do("reshape", [x], { shape: [...shape, 1] });
  op.context.bind(wide, { file: column, dtype: op.dtype(0) });
  const last = `${output}/last`;
  op.context.constants.set(last, { dtype: "i64", shape: [1], data: BigInt64Array.of(BigInt(shape.length)) });
  converter.convert(op.derived({ input: [wide, last], output: [output] }));
  return inStatedShape(op, p, op.context.inFileOrder(output), output);
}

/** Axes of extent 1 are kept or dropped as the file says. */
function inStatedShape(op: OnnxOp, p: Pieces, y: string, output: string): string {
  const to = op.stated()!;
  if (op.typeOf(y).shape.join() === to.join()) return output;
  const name = `${output}/shaped`;
  op.context.bind(name, { file: p.do("reshape", [y], { shape: [...to] }), dtype: op.context.dtypeOf(output) });
  return name;
}
