import { z } from "zod";
import { IdapError } from "../../../model/errors.js";
import { sizeOf } from "../../../model/types.js";
import { axesOf, axisOf } from "../../shared/check.js";
import { einsum } from "../../shared/decompose/einsum.js";
import { reshapeTo } from "../../shared/decompose/emit.js";
import { activation, refuseActivation } from "../activations.js";
import { defineLayer, type LayerCall, type LayerReader } from "../layer.js";

export const Activation = defineLayer({
  config: z.object({ activation }),
  refuse: (c) => refuseActivation(c.activation),
  read: (call, c) => call.activate(c.activation, call.floats),
});

/** Writers put numbers into arrays of one value or objects of numpy. */
const number = z.union([
  z.number(),
  z.tuple([z.number()]).transform(([v]) => v),
  z.object({ config: z.object({ value: z.number() }) }).transform((o) => o.config.value),
  z.object({ value: z.number() }).transform((o) => o.value),
]);

/** f(x) = max_value above it, x from threshold on, negative_slope * (x - threshold) below. */
export const ReLU = defineLayer({
  config: z.object({
    max_value: number.nullish(),
    negative_slope: number.nullish(),
    threshold: number.nullish(),
  }),
  refuse: (c) => (c.threshold && !c.negative_slope ? `threshold ${c.threshold}` : null),
  read(call, c) {
    const max = c.max_value ?? null;
    const slope = c.negative_slope ?? 0;
    const threshold = c.threshold ?? 0;
    if (slope === 0) {
      if (max === 6) return call.result("relu6", [call.floats]);
      return max === null ? call.result("relu", [call.floats]) : call.result("clip", [call.floats], { min: 0, max });
    }
    const x = threshold === 0 ? call.floats : call.emit("sub", [call.floats, call.scalar(threshold)]);
    const leaky = call.emit("leaky_relu", [x], { alpha: slope });
    const back =
      threshold === 0
        ? leaky
        : call.emit("select", [call.emit("greater_equal", [call.floats, call.scalar(threshold)]), call.floats, leaky]);
    return max === null ? back : call.result("clip", [back], { min: null, max });
  },
});

/** Keras 2 and TF.js call the slope alpha. */
export const LeakyReLU = defineLayer({
  config: z.object({ alpha: number.nullish(), negative_slope: number.nullish() }),
  read: (call, c) => call.result("leaky_relu", [call.floats], { alpha: c.negative_slope ?? c.alpha ?? 0.3 }),
});

export const ELU = defineLayer({
  config: z.object({ alpha: number.nullish() }),
  read: (call, c) => call.result("elu", [call.floats], { alpha: c.alpha ?? 1 }),
});

/** f(x) = x above theta, 0 elsewhere. */
export const ThresholdedReLU = defineLayer({
  config: z.object({ theta: number.nullish() }),
  read(call, c) {
    const above = call.emit("greater", [call.floats, call.scalar(c.theta ?? 1)]);
    return call.result("mul", [call.floats, call.emit("cast", [above], { to: "f32" })]);
  },
});

/** alpha has the shape of a sample, 1 on shared axes. */
export const PReLU = defineLayer({
  config: z.object({}),
  variables: () => ({ "": ["alpha"] }),
  read(call) {
    return call.result("prelu", [call.floats, call.weight("alpha", call.rank() - 1).tensor]);
  },
});

const axes = z.union([z.int().transform((a) => [a]), z.array(z.int()).min(1)]);
const oneAxis = z.union([z.int(), z.tuple([z.int()]).transform(([a]) => a)]).default(-1);

/** Softmax over several axes is one over their product. */
export const Softmax = defineLayer({
  config: z.object({ axis: axes.default([-1]) }),
  refuse: (c) => (c.axis.length > 1 ? "several axes" : null),
  read(call, c) {
    return call.result("softmax", [call.floats], { axis: axisOf(c.axis[0]!, call.rank(), call.where) });
  },
});

const normalised = {
  epsilon: z.number().nonnegative().default(1e-3),
  center: z.boolean().default(true),
  scale: z.boolean().default(true),
};
interface Normalised {
  readonly center: boolean;
  readonly scale: boolean;
}
const scaleAndCenter = (c: Normalised): string[] => [...(c.scale ? ["gamma"] : []), ...(c.center ? ["beta"] : [])];

/** `work` on the operand with `axis` last. */
function withLast(call: LayerCall, axis: number, work: (x: string) => string): string {
  const rank = call.rank();
  const others = Array.from({ length: rank }, (_, k) => k).filter((k) => k !== axis);
  if (axis === rank - 1) return work(call.floats);
  const moved = call.emit("transpose", [call.floats], { perm: [...others, axis] });
  const back = Array.from({ length: rank }, (_, k) => (k === axis ? rank - 1 : others.indexOf(k)));
  return call.emit("transpose", [work(moved)], { perm: back });
}

/** gamma and beta may be absent (scale, center); the statistics are the moving ones. */
export const BatchNormalization = defineLayer({
  config: z.object({ axis: oneAxis, ...normalised }),
  variables: (c) => ({ "": [...scaleAndCenter(c), "moving_mean", "moving_variance"] }),
  read(call, c) {
    const axis = axisOf(c.axis, call.rank(), call.where);
    const mean = call.weight("moving_mean", 1);
    const channels = mean.shape[0]!;
    const gamma = c.scale ? call.weight("gamma", 1).tensor : call.filled("gamma", channels, 1);
    const beta = c.center ? call.weight("beta", 1).tensor : call.filled("beta", channels, 0);
    const variance = call.weight("moving_variance", 1).tensor;
    const last = axis === call.rank() - 1;
    return withLast(call, axis, (x) => {
      const operands = [x, gamma, beta, mean.tensor, variance];
      const attrs = { epsilon: c.epsilon };
      return last ? call.result("batch_norm", operands, attrs) : call.emit("batch_norm", operands, attrs);
    });
  },
});

/** gamma and beta as trailing operands: gamma of ones where only beta exists. */
function scaling(call: LayerCall, c: Normalised, rank: number, shape: readonly number[]): string[] {
  if (!c.scale && !c.center) return [];
  const ones = (): string => call.constant(shape, new Float32Array(sizeOf(shape)).fill(1));
  const gamma = c.scale ? call.weight("gamma", rank).tensor : ones();
  return c.center ? [gamma, call.weight("beta", rank).tensor] : [gamma];
}

export const LayerNormalization = defineLayer({
  config: z.object({ axis: axes.default([-1]), ...normalised, rms_scaling: z.boolean().default(false) }),
  refuse: (c) => (c.rms_scaling ? "rms_scaling" : null),
  variables: (c) => ({ "": scaleAndCenter(c) }),
  read(call, c) {
    const { shape } = call.typeOf(call.x);
    const over = axesOf(c.axis, shape.length, call.where);
    const first = shape.length - over.length;
    if (over[0] !== first) {
      throw new IdapError(
        "E_UNSUPPORTED",
        `${call.where} normalises axes ${over.join(", ")} of [${shape}]; only the last axes are read`,
        "Normalise the last axes, or transpose before the layer.",
      );
    }
    const operands = [call.floats, ...scaling(call, c, over.length, shape.slice(first))];
    return call.result("layer_norm", operands, { axis: first, epsilon: c.epsilon });
  },
});

/** x / sqrt(mean(x^2) + epsilon) * scale over the last axis. */
export const RMSNormalization = defineLayer({
  config: z.object({ axis: oneAxis, epsilon: z.number().nonnegative().default(1e-6) }),
  refuse: (c) => (c.axis !== -1 ? `axis ${c.axis}` : null),
  variables: () => ({ "": ["scale"] }),
  read(call, c) {
    const x = call.floats;
    const mean = call.emit("reduce_mean", [call.emit("mul", [x, x])], { axes: [call.rank() - 1], keepDims: true });
    const norm = call.emit("rsqrt", [call.emit("add", [mean, call.scalar(c.epsilon)])]);
    return call.result("mul", [call.emit("mul", [x, norm]), call.weight("scale", 1).tensor]);
  },
});

export const GroupNormalization = defineLayer({
  config: z.object({ groups: z.int().default(32), axis: oneAxis, ...normalised }),
  variables: (c) => ({ "": scaleAndCenter(c) }),
  read(call, c) {
    const { shape } = call.typeOf(call.x);
    const axis = axisOf(c.axis, shape.length, call.where);
    const channels = shape[axis]!;
    const groups = c.groups === -1 ? channels : c.groups;
    const operands = scaling(call, c, 1, [channels]);
    return withLast(call, axis, (x) => call.emit("group_norm", [x, ...operands], { groups, epsilon: c.epsilon }));
  },
});

/** x * scale + offset. */
export const Rescaling = defineLayer({
  config: z.object({
    scale: z.union([number, z.array(z.number())]),
    offset: z.union([number, z.array(z.number())]).default(0),
  }),
  read(call, c) {
    const operand = (v: number | number[]): string =>
      typeof v === "number" ? call.scalar(v) : call.constant([v.length], Float32Array.from(v));
    const isZero = [c.offset].flat().every((v) => v === 0);
    if (isZero) return call.result("mul", [call.floats, operand(c.scale)]);
    return call.result("add", [call.emit("mul", [call.floats, operand(c.scale)]), operand(c.offset)]);
  },
});

const nested = z.unknown().optional();
const numbersOf = (value: unknown): number[] =>
  Array.isArray(value) ? value.flatMap(numbersOf) : typeof value === "number" ? [value] : [];

/**
 * (x - mean) / max(sqrt(variance), 1e-7), the statistics from the configuration or from the weights, one for each index
 * of the kept axes.
 */
export const Normalization = defineLayer({
  config: z.object({ axis: axes.nullish(), mean: nested, variance: nested, invert: z.boolean().default(false) }),
  variables: () => ({ "": ["mean", "variance", "count"] }),
  read(call, c) {
    const { shape } = call.typeOf(call.x);
    const kept = c.axis ? axesOf(c.axis, shape.length, call.where) : [];
    const aligned = shape.map((d, axis) => (kept.includes(axis) ? d : 1));
    const given = numbersOf(c.mean).length > 0;
    const values = (kind: "mean" | "variance"): number[] =>
      given ? numbersOf(c[kind]) : Array.from(call.weightData(kind, kept.length).data as Float32Array);
    const [mean, variance] = [values("mean"), values("variance")];
    const vector = (list: readonly number[], f: (v: number) => number): string =>
      list.length === 1 ? call.scalar(f(list[0]!)) : call.constant(aligned, Float32Array.from(list, f));
    const deviation = (v: number): number => Math.max(Math.sqrt(v), 1e-7);
    const centre = vector(mean, (v) => v);
    if (c.invert) {
      return call.result("add", [call.emit("mul", [call.floats, vector(variance, deviation)]), centre]);
    }
    return call.result("div", [call.emit("sub", [call.floats, centre]), vector(variance, deviation)]);
  },
});

/** Tensors of one rank: Keras aligns a tensor of lower rank at the front (after the batch), unlike numpy. */
function aligned(call: LayerCall): string[] {
  const rank = Math.max(...call.inputs.map((x) => call.rank(x)));
  return call.inputs.map((tensor) => {
    const x = call.asFloats(tensor);
    const { shape, batchAxis } = call.typeOf(x);
    if (shape.length === rank || shape.length === 0) return x;
    const missing = Array.from({ length: rank - shape.length }, () => 1);
    return reshapeTo(call, x, [shape[0]!, ...missing, ...shape.slice(1)], batchAxis);
  });
}

/** A chain of `op`. */
function chain(
  call: LayerCall,
  op: string,
  list: readonly string[],
  last: (op: string, x: string[]) => string,
): string {
  const [first, ...rest] = list;
  const end = rest.pop();
  if (first === undefined || end === undefined) {
    throw new IdapError("E_FORMAT", `${call.where} needs at least two inputs, got ${call.inputs.length}`);
  }
  return last(op, [rest.reduce((acc, x) => call.emit(op, [acc, x]), first), end]);
}

function merge(op: string): LayerReader {
  return defineLayer({
    config: z.object({}),
    read: (call) => chain(call, op, aligned(call), (name, x) => call.result(name, x)),
  });
}

export const Add = merge("add");
export const Multiply = merge("mul");
export const Maximum = merge("max");
export const Minimum = merge("min");
export const Subtract = merge("sub");

export const Average = defineLayer({
  config: z.object({}),
  read(call) {
    const sum = chain(call, "add", aligned(call), call.emit);
    return call.result("mul", [sum, call.scalar(1 / call.inputs.length)]);
  },
});

export const Concatenate = defineLayer({
  config: z.object({ axis: z.int().default(-1) }),
  read(call, c) {
    return call.result("concat", call.inputs, { axis: axisOf(c.axis, call.rank(), call.where) });
  },
});

/** Sum of products over one axis of each operand; with `normalize` of unit vectors along them. */
export const Dot = defineLayer({
  config: z.object({
    axes: z.union([z.int().transform((a): [number, number] => [a, a]), z.tuple([z.int(), z.int()])]),
    normalize: z.boolean().default(false),
  }),
  read(call, c) {
    if (call.inputs.length !== 2) throw new IdapError("E_FORMAT", `${call.where} needs two inputs`);
    const along = call.inputs.map((x, i) => axisOf(c.axes[i]!, call.rank(x), call.where));
    const [a, b] = call.inputs.map((x, i) => (c.normalize ? unit(call, x, along[i]!) : x));
    const [ranks, letters] = [call.inputs.map((x) => call.rank(x)), "abcdefg"];
    const name = (i: number): string =>
      Array.from({ length: ranks[i]! }, (_, k) =>
        k === 0 ? "n" : k === along[i] ? "z" : letters[i * 3 + k - 1]!,
      ).join("");
    const [left, right] = [name(0), name(1)];
    const kept = [...left, ...right].filter((l, i, all) => l !== "z" && all.indexOf(l) === i).join("");
    const y = einsum(call, `${left},${right}->${kept}`, [a!, b!]);
    if (kept.length > 1) return y;
    const { shape, batchAxis } = call.typeOf(y);
    return reshapeTo(call, y, [...shape, 1], batchAxis);
  },
});

/** x / sqrt(max(sum(x^2), 1e-12)). */
function unit(call: LayerCall, x: string, axis: number): string {
  const square = call.emit("reduce_sum", [call.emit("mul", [x, x])], { axes: [axis], keepDims: true });
  return call.emit("mul", [x, call.emit("rsqrt", [call.emit("clip", [square], { min: 1e-12, max: null })])]);
}

export const UnitNormalization = defineLayer({
  config: z.object({ axis: oneAxis }),
  read: (call, c) => unit(call, call.floats, axisOf(c.axis, call.rank(), call.where)),
});

/** Layers that do nothing at inference. */
export const Identity = defineLayer({ config: z.object({}), read: (call) => call.x });
