import { IdapError } from "../../../model/errors.js";
import { sizeOf } from "../../../model/types.js";
import { axesOf, axisOf, tableSize } from "../../shared/check.js";
import { channelsLast } from "../context.js";
import { type Converter, type OnnxOp } from "../op.js";

/**
 * An operator along one axis. Before operator set 13 it ran over all axes from `axis` on, taken as one.
 * `run` gives the result for a tensor and an axis of it.
 */
function alongAxis(run: (op: OnnxOp, x: string, axis: number, finish: Finish) => void): Converter {
  return {
    convert(op) {
      const { shape } = op.type(0);
      const old = op.opset < 13;
      const raw = op.int("axis", old ? 1 : -1);
      const axis = raw < 0 ? raw + shape.length : raw;
      if (!(axis in shape)) throw op.malformed(`has axis ${raw}, which [${shape}] does not have`);
      if (old && sizeOf(shape.slice(axis + 1)) !== 1) {
        const flat = op.step("flat", "reshape", [op.input(0)], { shape: flatTarget(op, axis) });
        const { shape: back, batchAxis } = op.type(0);
        const target = back.map((d, i) => (i === batchAxis ? -1 : d));
        return run(op, flat, 1, (ir, inputs, attrs) => {
          op.emit("reshape", [op.step(ir, ir, inputs, attrs)], { shape: target });
        });
      }
      const last = op.hasLast(0);
      const at = last ? channelsLast(shape.length).indexOf(axis) : axis;
      run(op, last ? op.inputLast(0) : op.input(0), at, (ir, inputs, attrs) => op.emit(ir, inputs, attrs, { last }));
    },
  };
}

type Finish = (ir: string, inputs: readonly string[], attrs?: Record<string, unknown>) => void;

function flatTarget(op: OnnxOp, axis: number): number[] {
  const { shape, batchAxis } = op.type(0);
  const before = sizeOf(shape.slice(0, axis));
  if (batchAxis !== null && batchAxis >= axis) throw new IdapError("E_BATCH", `${op.where} works over the batch`);
  return [batchAxis === null ? before : -1, sizeOf(shape.slice(axis))];
}

export const Softmax = alongAxis((_, x, axis, finish) => finish("softmax", [x], { axis }));

/** x - max - log(sum(exp(x - max))): the logarithm of a softmax would lose what the softmax rounds to 0. */
export const LogSoftmax = alongAxis((op, x, axis, finish) => {
  const over = { axes: [axis], keepDims: true };
  const shifted = op.step("shifted", "sub", [x, op.step("max", "reduce_max", [x], over)]);
  const sum = op.step("sum", "reduce_sum", [op.step("exp", "exp", [shifted])], over);
  finish("sub", [shifted, op.step("log", "log", [sum])]);
});

/** 1 at the first of the largest elements, 0 elsewhere. */
export const Hardmax = alongAxis((op, x, axis, finish) => {
  const { shape } = op.typeOf(x);
  const index = op.step("largest", "arg_reduce", [x], { axis, keepDims: true, kind: "max" });
  const range = op.literal(
    "range",
    [shape[axis]!, ...shape.slice(axis + 1).map(() => 1)],
    Int32Array.from({ length: tableSize(shape[axis]!, op.where) }, (_, i) => i),
  );
  finish("cast", [op.step("hit", "equal", [index, range])], { to: "f32" });
});

/** Channels are axis 1; each sample and channel by itself. */
export const InstanceNormalization: Converter = {
  convert(op) {
    const groups = op.type(0).shape[1]!;
    groupNorm(op, groups, [op.input(1), op.input(2)]);
  },
};

function groupNorm(op: OnnxOp, groups: number, scale: string[]): void {
  const attrs = { groups, epsilon: op.float("epsilon", 1e-5) };
  if (op.type(0).shape.length > 2) op.emitLast("group_norm", [op.inputLast(0), ...scale], attrs);
  else op.emit("group_norm", [op.input(0), ...scale], attrs);
}

/** Scale and bias are for each group up to operator set 20, for each channel from 21 on. */
export const GroupNormalization: Converter = {
  convert(op) {
    const groups = op.int("num_groups", 1);
    const channels = op.type(0).shape[1]!;
    const perChannel = (i: number): string => {
      const { shape } = op.type(i);
      if (shape[0] === channels) return op.input(i);
      if (op.isConstant(i)) {
        const per = channels / groups;
        return op.weight(i, "of channels", [channels], (d) =>
          Float32Array.from({ length: channels }, (_, c) => d[Math.floor(c / per)]!),
        );
      }
      const column = op.step("column", "reshape", [op.input(i)], { shape: [groups, 1] });
      const wide = op.step("wide", "broadcast_to", [column], { shape: [groups, channels / groups] });
      return op.step("channels", "reshape", [wide], { shape: [channels] });
    };
    groupNorm(op, groups, [perChannel(1), perChannel(2)]);
  },
};

/** Over the axes from `axis` on; mean and inverse deviation may be outputs too. */
export const LayerNormalization: Converter = {
  convert(op) {
    const { shape } = op.type(0);
    const axis = axisOf(op.int("axis", -1), shape.length, op.where);
    const epsilon = op.float("epsilon", 1e-5);
    if (op.wants(1) || op.wants(2)) momentsOf(op, axis, epsilon);
    const over = shape.slice(axis);
    const fits = (i: number): boolean => !op.has(i) || op.type(i).shape.join() === over.join();
    if (fits(1) && fits(2)) {
      const scale = [1, 2].filter((i) => op.has(i)).map((i) => op.input(i));
      return op.emit("layer_norm", [op.input(0), ...scale], { axis, epsilon });
    }
    const y = op.step("normalised", "layer_norm", [op.input(0)], { axis, epsilon });
    if (!op.has(2)) return op.emit("mul", [y, op.input(1)]);
    op.emit("add", [op.step("scaled", "mul", [y, op.input(1)]), op.input(2)]);
  },
};

function momentsOf(op: OnnxOp, axis: number, epsilon: number): void {
  const x = op.input(0);
  const rank = op.typeOf(x).shape.length;
  const over = { axes: Array.from({ length: rank - axis }, (_, i) => axis + i), keepDims: true };
  const mean = op.step("mean", "reduce_mean", [x], over);
  if (op.wants(1)) op.give(mean, { output: op.node.output[1]! });
  if (!op.wants(2)) return;
  const centred = op.step("centred", "sub", [x, mean]);
  const variance = op.step("variance", "reduce_mean", [op.step("square", "mul", [centred, centred])], over);
  const shifted = op.step("shifted", "add", [variance, op.scalar("epsilon", epsilon)]);
  op.emit("rsqrt", [shifted], {}, { output: op.node.output[2]! });
}

/** x / sqrt(mean(x^2) + epsilon) * scale, over the axes from `axis` on. */
export const RMSNormalization: Converter = {
  convert(op) {
    const x = op.input(0);
    const rank = op.type(0).shape.length;
    const axis = axisOf(op.int("axis", -1), rank, op.where);
    const over = { axes: Array.from({ length: rank - axis }, (_, i) => axis + i), keepDims: true };
    const power = op.step("power", "reduce_mean", [op.step("square", "mul", [x, x])], over);
    const shifted = op.step("shifted", "add", [power, op.scalar("epsilon", op.float("epsilon", 1e-5))]);
    const y = op.step("normalised", "mul", [x, op.step("rsqrt", "rsqrt", [shifted])]);
    op.emit("mul", [y, op.input(1)]);
  },
};

/** Divided by the sum of magnitudes (p 1) or the length (p 2) along an axis; 0 where that is 0. */
export const LpNormalization: Converter = {
  convert(op) {
    const p = op.int("p", 2);
    const axis = axisOf(op.int("axis", -1), op.type(0).shape.length, op.where);
    const x = op.input(0);
    const over = { axes: [axis], keepDims: true };
    const terms = p === 1 ? op.step("abs", "abs", [x]) : op.step("square", "mul", [x, x]);
    const sum = op.step("sum", "reduce_sum", [terms], over);
    const norm = p === 1 ? sum : op.step("norm", "sqrt", [sum]);
    const none = op.step("none", "equal", [norm, op.scalar("zero", 0)]);
    const divisor = op.step("divisor", "select", [none, op.scalar("one", 1), norm]);
    op.emit("div", [x, divisor]);
  },
};

/** (x - mean) / (deviation + 1e-9), over batch and image unless axes are given. */
export const MeanVarianceNormalization: Converter = {
  convert(op) {
    const x = op.input(0);
    const axes = axesOf(op.ints("axes") ?? [0, 2, 3], op.type(0).shape.length, op.where);
    const over = { axes, keepDims: true };
    const centred = op.step("centred", "sub", [x, op.step("mean", "reduce_mean", [x], over)]);
    const variance = op.step("variance", "reduce_mean", [op.step("square", "mul", [centred, centred])], over);
    const deviation = op.step("deviation", "sqrt", [variance]);
    op.emit("div", [centred, op.step("divisor", "add", [deviation, op.scalar("epsilon", 1e-9)])]);
  },
};
