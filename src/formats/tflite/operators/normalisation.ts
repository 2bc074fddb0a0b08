import { IdapError } from "../../../model/errors.js";
import { reshapeTo } from "../../shared/decompose/emit.js";
import { activationOf, refuseActivation, type Converter, type TfliteOp } from "../context.js";
import { F } from "../schema.js";

function lastAxis(op: TfliteOp, x: string): number {
  const { shape } = op.type(x);
  if (shape.length === 0) throw new IdapError("E_RANK", `${op.where} needs an operand with an axis`);
  return shape.length - 1;
}

/** softmax(beta * x) over the last axis. */
const SOFTMAX: Converter = {
  convert(op) {
    const x = op.input(0);
    const axis = lastAxis(op, x);
    const beta = op.option((o) => o.f32(F.Softmax.beta), 0);
    const scaled = beta === 1 ? x : op.emit("mul", [x, op.constant([], Float32Array.of(beta))]);
    op.result("softmax", [scaled], { axis });
  },
};

/** x - max - log(sum exp(x - max)) over the last axis. */
const LOG_SOFTMAX: Converter = {
  convert(op) {
    const x = op.input(0);
    const over = { axes: [lastAxis(op, x)], keepDims: true };
    const shifted = op.step("shifted", "sub", [x, op.emit("reduce_max", [x], over)]);
    const sum = op.emit("reduce_sum", [op.emit("exp", [shifted])], over);
    op.result("sub", [shifted, op.emit("log", [sum])]);
  },
};

/** Lengths below this are taken as this. */
const LEAST_LENGTH = 1e-6;

/** x / |x| over the last axis. */
const L2_NORMALIZATION: Converter = {
  refuse: (op) => refuseActivation(op, F.Binary.activation),
  convert(op) {
    const x = op.input(0);
    const squares = op.step("squares", "mul", [x, x]);
    const sum = op.emit("reduce_sum", [squares], { axes: [lastAxis(op, x)], keepDims: true });
    const length = op.emit("clip", [op.emit("sqrt", [sum])], { min: LEAST_LENGTH, max: null });
    op.result("div", [x, length], {}, activationOf(op, F.Binary.activation));
  },
};

/** x / (bias + alpha * sum of the squares of the channels at most `radius` away) ^ beta. */
const LOCAL_RESPONSE_NORMALIZATION: Converter = {
  convert(op) {
    const x = op.input(0);
    const { shape, batchAxis } = op.type(x);
    if (shape.length !== 4) throw new IdapError("E_RANK", `${op.where} needs an operand of rank 4, got [${shape}]`);
    const [n, h, w, c] = shape as unknown as [number, number, number, number];
    const number = (field: number): number => op.option((o) => o.f32(field), 0);
    const radius = op.option((o) => o.i32(F.LocalResponse.radius), 0);
    if (radius < 0 || radius > c + 1024) throw new IdapError("E_FORMAT", `${op.where}: the radius is ${radius}`);
    const width = 2 * radius + 1;
    // The channels as columns, so that a window goes over them.
    const rows = reshapeTo(op, op.step("squares", "mul", [x, x]), [n, h * w, c, 1], batchAxis);
    const mean = op.emit("avg_pool2d", [rows], {
      kernel: [1, width],
      strides: [1, 1],
      pads: [0, radius, 0, radius],
      countIncludePad: true,
    });
    const factor = op.constant([], Float32Array.of(number(F.LocalResponse.alpha) * width));
    const base = op.emit("add", [
      op.step("weighted", "mul", [reshapeTo(op, mean, [n, h, w, c], batchAxis), factor]),
      op.constant([], Float32Array.of(number(F.LocalResponse.bias))),
    ]);
    const power = op.emit("pow", [base, op.constant([], Float32Array.of(-number(F.LocalResponse.beta)))]);
    op.result("mul", [x, power]);
  },
};

export const normalisation: Readonly<Record<string, Converter>> = {
  L2_NORMALIZATION,
  LOCAL_RESPONSE_NORMALIZATION,
  LOG_SOFTMAX,
  SOFTMAX,
};
