import { sizeOf } from "../../../model/types.js";
import { einsum } from "../../shared/decompose/einsum.js";
import { permute } from "../../shared/permute.js";
import type { Converter, OnnxOp } from "../op.js";
import type { NodeProto } from "../generated/onnx_pb.js";
import { biasName } from "../producer.js";

/** a [m, k] x b [k, n] * alpha + c * beta; with constant b a dense layer. */
export const Gemm: Converter = {
  convert(op) {
    const transA = op.int("transA", 0) !== 0;
    const transB = op.int("transB", 0) !== 0;
    if (op.type(0).dtype !== "f32") throw op.unsupported("a product of integers");
    const bShape = op.type(1).shape;
    if (bShape.length !== 2) throw op.malformed(`needs operands of rank 2, got [${bShape}]`);
    if (!op.isConstant(1)) return computedGemm(op, { transposeA: transA, transposeB: transB });
    const alpha = op.float("alpha", 1);
    const beta = op.float("beta", 1);
    const scaled = (d: Float32Array, by: number): Float32Array => (by === 1 ? d : d.map((v) => v * by));
    const n = bShape[transB ? 0 : 1]!;
    const w = op.weight(
      1,
      `io ${transB} ${alpha}`,
      transB ? [bShape[1]!, n] : bShape,
      (d) => scaled(transB ? permute(d, bShape, [1, 0]) : d, alpha),
      (axis) => (transB ? 1 - axis : axis),
    );
    const x = transA ? op.step("transposed", "transpose", [op.input(0)], { perm: [1, 0] }) : op.input(0);
    if (!op.has(2)) return op.emit("dense", [x, w]);
    const c = op.constant(2);
    const bias = c !== undefined && !c.alt && sizeOf(c.shape) === n && c.shape.at(-1) === n && c.dtype === "f32";
    if (!bias) return op.emit("add", [op.step("product", "dense", [x, w]), scaledAddend(op, beta)]);
    const b = op.weight(
      2,
      `bias ${beta}`,
      [n],
      (d) => scaled(d, beta),
      () => 0,
    );
    op.emit("dense", [x, w, b]);
  },
};

function computedGemm(op: OnnxOp, attrs: { transposeA: boolean; transposeB: boolean }): void {
  const alpha = op.float("alpha", 1);
  const operands = [op.input(0), op.input(1)];
  if (alpha === 1 && !op.has(2)) return op.emit("matmul", operands, attrs);
  const product = op.step("product", "matmul", operands, attrs);
  const factor = (): string => op.scalar("alpha", alpha);
  if (!op.has(2)) return op.emit("mul", [product, factor()]);
  const y = alpha === 1 ? product : op.step("scaled", "mul", [product, factor()]);
  op.emit("add", [y, scaledAddend(op, op.float("beta", 1))]);
}

function scaledAddend(op: OnnxOp, beta: number): string {
  const c = op.input(2);
  return beta === 1 ? c : op.step("addend", "mul", [c, op.scalar("beta", beta)]);
}

/** With a constant matrix on the right a dense layer, which takes over a bias that is added right after. */
export const MatMul: Converter = {
  convert(op) {
    if (op.type(0).dtype !== "f32") {
      const floats = [0, 1].map((i) => op.step("f32", "cast", [op.input(i)], { to: "f32" })) as [string, string];
      const y = matmul(op, floats[0], floats[1]);
      return op.emit("cast", [y], { to: "i32" }, { dtype: op.dtype(0) });
    }
    const { shape } = op.type(1);
    if (op.isConstant(1) && !op.constant(1)?.alt && shape.length === 2 && op.type(0).shape.length >= 2) {
      return denseOf(op);
    }
    const [a, b] = [op.type(0).shape, shape];
    if (a.length >= 2 && b.length >= 2) {
      const turned = [0, 1].map((i) => op.context.swapped(op.inputName(i)));
      const operands = turned.map((t, i) => t ?? op.input(i));
      return op.emit("matmul", operands, { transposeA: turned[0] !== null, transposeB: turned[1] !== null });
    }
    op.give(matmul(op, op.input(0), op.input(1)));
  },
};

/** Vectors are a row on the left, a column on the right; the axis of extent 1 goes again. */
export function matmul(op: OnnxOp, a: string, b: string): string {
  const extended = (t: string, at: 0 | 1): string => {
    const { shape, batchAxis } = op.typeOf(t);
    if (shape.length !== 1) return t;
    const extent = batchAxis === null ? shape[0]! : -1;
    return op.step("matrix", "reshape", [t], { shape: at === 0 ? [1, extent] : [extent, 1] });
  };
  const [rankA, rankB] = [a, b].map((t) => op.typeOf(t).shape.length);
  const y = op.step("product", "matmul", [extended(a, 0), extended(b, 1)], { transposeA: false, transposeB: false });
  if (rankA !== 1 && rankB !== 1) return y;
  const { shape, batchAxis } = op.typeOf(y);
  const gone = [...(rankA === 1 ? [shape.length - 2] : []), ...(rankB === 1 ? [shape.length - 1] : [])];
  const left = shape.map((d, i) => (i === batchAxis ? -1 : d)).filter((_, i) => !gone.includes(i));
  return op.step("vector", "reshape", [y], { shape: left });
}

function denseOf(op: OnnxOp): void {
  const { shape } = op.type(1);
  const w = op.weight(
    1,
    "io",
    shape,
    (d) => d,
    (axis) => axis,
  );
  const add = biasAfter(op, shape[1]!);
  if (!add) return op.emit("dense", [op.input(0), w]);
  const { node, bias } = add;
  const b = op.context.constantAs(bias, "bias", ({ data }) => ({ dtype: "f32", shape: [shape[1]!], data }));
  op.context.done.add(node);
  op.emit("dense", [op.input(0), w, b], {}, { output: node.output[0]! });
}

/** The node that adds a constant [n] to the product, when nothing else reads the product. */
function biasAfter(op: OnnxOp, n: number): { node: NodeProto; bias: string } | null {
  const node = op.context.soleReader.get(op.output);
  if (!node || node.opType !== "Add" || node.domain !== "" || node.input.length !== 2) return null;
  if (op.context.ours && node.name !== biasName(op.node.name)) return null;
  const bias = node.input[0] === op.output ? node.input[1]! : node.input[0]!;
  const c = op.context.constants.get(bias);
  return c?.dtype === "f32" && !c.alt && c.shape.at(-1) === n && sizeOf(c.shape) === n && c.shape.length < 3
    ? { node, bias }
    : null;
}

export const Einsum: Converter = {
  convert(op) {
    const equation = op.string("equation", "");
    const floats = op.inputs.map((t) =>
      op.typeOf(t).dtype === "f32" ? t : op.step("f32", "cast", [t], { to: "f32" }),
    );
    const y = einsum(op.emitter, equation, floats);
    if (op.type(0).dtype === "f32") op.give(y);
    else op.emit("cast", [y], { to: "i32" }, { dtype: op.dtype(0) });
  },
};
