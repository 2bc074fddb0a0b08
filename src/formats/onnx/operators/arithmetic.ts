import { sizeOf, type Shape } from "../../../model/types.js";
import { permute } from "../../shared/permute.js";
import { channelsLast, isOne, permuted, refuseComputed, type Converter, type OnnxOp } from "../context.js";
import type { NodeProto } from "../generated/onnx_pb.js";
import { biasName } from "../producer.js";
import type { Constant } from "../wire.js";

/** A constant operand with its axes where a partner of rank `rank` with channels last has them. */
function alignedToLast(c: Constant, rank: number): Constant {
  if (c.shape.length < rank && isOne(c)) return c;
  const padded = { ...c, shape: [...new Array<number>(rank - c.shape.length).fill(1), ...c.shape] };
  const moved = permuted(padded, channelsLast(rank));
  if (c.shape.length === rank) return moved;
  let unit = 0;
  while (moved.shape[unit] === 1) unit++;
  return { ...moved, shape: moved.shape.slice(unit) };
}

/**
 * Operands of a broadcasting operator in one common order, and whether that has channels last.
 * `left`: only the first is taken, b is empty.
 */
function operands(op: OnnxOp, which: "both" | "left" = "both"): { a: string; b: string; last: boolean } {
  const ranks = [0, 1].map((i) => op.type(i).shape.length);
  const rank = Math.max(...ranks);
  const fits = (i: number): boolean => op.isConstant(i) || ranks[i] === rank;
  const last = rank > 2 && fits(0) && fits(1) && [0, 1].some((i) => !op.isConstant(i) && op.hasLast(i));
  const get = (i: number): string => {
    if (!last) return op.input(i);
    if (!op.isConstant(i)) return op.inputLast(i);
    return op.context.constantAs(op.inputName(i), `last of ${rank}`, (c) => alignedToLast(c, rank));
  };
  return { a: get(0), b: which === "left" ? "" : get(1), last };
}

function emitBinary(op: OnnxOp, ir: string, a: string, b: string, last: boolean): void {
  if (last) op.emitLast(ir, [a, b]);
  else op.emit(ir, [a, b]);
}

function binary(ir: string): Converter {
  return {
    convert(op) {
      const { a, b, last } = operands(op);
      emitBinary(op, ir, a, b, last);
    },
  };
}

export const Add = binary("add");
export const Mul = binary("mul");

/** Operand 1, a constant, with `map` applied to its values and the axes of the partner's order. */
function mapped(op: OnnxOp, layout: string, last: boolean, map: (v: number) => number): string {
  const floats = op.floats(1);
  const rank = Math.max(op.type(0).shape.length, op.type(1).shape.length);
  return op.context.constantAs(op.inputName(1), `${layout} ${last ? rank : ""}`, (c) => {
    const result = { ...c, data: floats.map(map) };
    return last ? alignedToLast(result, rank) : result;
  });
}

/** a - b is a + (-b): exact, since a negation rounds nothing. */
export const Sub: Converter = {
  convert(op) {
    if (op.isConstant(1)) {
      const { a, last } = operands(op, "left");
      return emitBinary(
        op,
        "add",
        a,
        mapped(op, "negated", last, (v) => -v),
        last,
      );
    }
    const { a, b, last } = operands(op);
    emitBinary(op, "add", a, op.step("negated", "mul", [b, op.scalar("minus_one", -1)]), last);
  },
};

/** Division by a constant is multiplication by its reciprocal, one rounding more. */
export const Div: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "a divisor" }),
  convert(op) {
    const { a, last } = operands(op, "left");
    emitBinary(
      op,
      "mul",
      a,
      mapped(op, "reciprocal", last, (v) => 1 / v),
      last,
    );
  },
};

function unary(ir: string): Converter {
  return { convert: (op) => op.emitAnyOrder(ir) };
}

export const Relu = unary("relu");
export const Sigmoid = unary("sigmoid");

/** Bounds are attributes, from operator set 11 operands. */
function bounds(op: OnnxOp): [number, number] {
  const bound = (name: string, i: number, absent: number): number =>
    Number(op.constant(i)?.data[0] ?? (op.opset < 11 ? op.float(name, absent) : absent));
  return [bound("min", 1, -Infinity), bound("max", 2, Infinity)];
}

/** Exporters write the largest float for "no bound". */
const UNBOUNDED = 3.4e38;

export const Clip: Converter = {
  refuse(op) {
    const computed = refuseComputed(op, { 1: "a bound", 2: "a bound" });
    if (computed !== null) return computed;
    const [min, max] = bounds(op);
    if (min === 0 && (max === 6 || max >= UNBOUNDED)) return null;
    return min <= -UNBOUNDED && max >= UNBOUNDED
      ? null
      : `the range ${min} to ${max} (0 to 6 and 0 to infinity are read)`;
  },
  convert(op) {
    const [min, max] = bounds(op);
    if (min !== 0) op.alias();
    else op.emitAnyOrder(max === 6 ? "relu6" : "relu");
  },
};

/** From operator set 13 over one axis; before, over all axes from `axis` on, taken as one. */
export const Softmax: Converter = {
  convert(op) {
    const { shape } = op.type(0);
    const old = op.opset < 13;
    const raw = op.int("axis", old ? 1 : -1);
    const axis = raw < 0 ? raw + shape.length : raw;
    if (!(axis in shape)) throw op.malformed(`has axis ${raw}, which [${shape}] does not have`);
    const rest: Shape = shape.slice(axis + 1);
    if (old && sizeOf(rest) !== 1) {
      const flat = op.step("flat", "reshape", [op.input(0)], { shape: flatTarget(op, axis) });
      const soft = op.step("softmax", "softmax", [flat], { axis: 1 });
      const { shape: back, batchAxis } = op.type(0);
      op.emit("reshape", [soft], { shape: back.map((d, i) => (i === batchAxis ? -1 : d)) });
    } else if (op.hasLast(0)) {
      op.emitLast("softmax", [op.inputLast(0)], { axis: channelsLast(shape.length).indexOf(axis) });
    } else op.emit("softmax", [op.input(0)], { axis });
  },
};

function flatTarget(op: OnnxOp, axis: number): number[] {
  const { shape, batchAxis } = op.type(0);
  const before = sizeOf(shape.slice(0, axis));
  if (batchAxis !== null && batchAxis >= axis) throw op.malformed("normalises over the batch");
  return [batchAxis === null ? before : -1, sizeOf(shape.slice(axis))];
}

/** a [m, k] x b [k, n] * alpha + c * beta; with constant b a dense layer. */
export const Gemm: Converter = {
  convert(op) {
    const alpha = op.float("alpha", 1);
    const beta = op.float("beta", 1);
    const transA = op.int("transA", 0) !== 0;
    const transB = op.int("transB", 0) !== 0;
    const scaled = (d: Float32Array, by: number): Float32Array => (by === 1 ? d : d.map((v) => v * by));
    const bShape = op.type(1).shape;
    if (bShape.length !== 2) throw op.malformed(`needs operands of rank 2, got [${bShape}]`);
    const n = bShape[transB ? 0 : 1]!;
    const c = op.has(2) ? op.constant(2) : undefined;
    const bias = c !== undefined && sizeOf(c.shape) === n && c.shape.at(-1) === n;
    if (!op.isConstant(1)) {
      const attrs = { transposeA: transA, transposeB: transB };
      let y = op.has(2) || alpha !== 1 ? op.step("product", "matmul", [op.input(0), op.input(1)], attrs) : null;
      if (y === null) return op.emit("matmul", [op.input(0), op.input(1)], attrs);
      if (alpha !== 1) {
        const factor = op.scalar("alpha", alpha);
        if (!op.has(2)) return op.emit("mul", [y, factor]);
        y = op.step("scaled", "mul", [y, factor]);
      }
      return op.emit("add", [y, scaledAddend(op, beta)]);
    }
    const w = op.weight(1, `io ${transB} ${alpha}`, transB ? [bShape[1]!, n] : bShape, (d) =>
      scaled(transB ? permute(d, bShape, [1, 0]) : d.slice(), alpha),
    );
    const x = transA ? op.step("transposed", "transpose", [op.input(0)], { perm: [1, 0] }) : op.input(0);
    if (!op.has(2)) return op.emit("dense", [x, w]);
    if (!bias) return op.emit("add", [op.step("product", "dense", [x, w]), scaledAddend(op, beta)]);
    const b = op.weight(2, `bias ${beta}`, [n], (d) => scaled(d.slice(), beta));
    op.emit("dense", [x, w, b]);
  },
};

function scaledAddend(op: OnnxOp, beta: number): string {
  const c = op.input(2);
  return beta === 1 ? c : op.step("addend", "mul", [c, op.scalar("beta", beta)]);
}

/** With a constant matrix on the right a dense layer, which takes over a bias that is added right after. */
export const MatMul: Converter = {
  refuse(op) {
    const b = op.constant(1);
    return b && b.shape.length !== 2 ? `a constant of rank ${b.shape.length}` : null;
  },
  convert(op) {
    if (!op.isConstant(1)) {
      return op.emit("matmul", [op.input(0), op.input(1)], { transposeA: false, transposeB: false });
    }
    const { shape } = op.type(1);
    if (shape.length !== 2) throw op.malformed(`needs a matrix, got [${shape}]`);
    const w = op.weight(1, "io", shape, (d) => d.slice());
    const add = biasAfter(op, shape[1]!);
    if (!add) return op.emit("dense", [op.input(0), w]);
    const { node, bias } = add;
    const floats = op.context.constants.get(bias)!.data;
    const b = op.context.constantAs(bias, "bias", () => ({ dtype: "f32", shape: [shape[1]!], data: floats.slice() }));
    op.context.done.add(node);
    op.emit("dense", [op.input(0), w, b], {}, node.output[0]);
  },
};

/** The node that adds a constant [n] to the product, when nothing else reads the product. */
function biasAfter(op: OnnxOp, n: number): { node: NodeProto; bias: string } | null {
  const node = op.context.soleReader.get(op.output);
  if (!node || node.opType !== "Add" || node.domain !== "" || node.input.length !== 2) return null;
  if (op.context.ours && node.name !== biasName(op.node.name)) return null;
  const bias = node.input[0] === op.output ? node.input[1]! : node.input[0]!;
  const c = op.context.constants.get(bias);
  return c?.dtype === "f32" && !c.extents && c.shape.at(-1) === n && sizeOf(c.shape) === n && c.shape.length < 3
    ? { node, bias }
    : null;
}
