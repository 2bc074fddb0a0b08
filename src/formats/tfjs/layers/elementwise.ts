import { z } from "zod";
import { IdapError } from "../../../model/errors.js";
import { axisOf } from "../../shared/check.js";
import { activation, defineLayer, refuseActivation, type LayerCall, type LayerReader } from "../layer.js";

export const Activation = defineLayer({
  config: z.object({ activation }),
  refuse: (c) => refuseActivation(c.activation),
  read: (call, c) => call.activate(c.activation, call.x),
});

export const ReLU = defineLayer({
  config: z.object({
    max_value: z.number().nullish(),
    negative_slope: z.number().nullish(),
    threshold: z.number().nullish(),
  }),
  refuse(c) {
    if (c.max_value != null && c.max_value !== 6) return `max_value ${c.max_value} (6 or none is read)`;
    if (c.negative_slope) return `negative_slope ${c.negative_slope}`;
    return c.threshold ? `threshold ${c.threshold}` : null;
  },
  read: (call, c) => call.activate(c.max_value === 6 ? "relu6" : "relu", call.x),
});

const oneAxis = z.union([z.int(), z.tuple([z.int()]).transform(([a]) => a)]).default(-1);

export const Softmax = defineLayer({
  config: z.object({ axis: oneAxis }),
  read(call, c) {
    return call.emit("softmax", [call.x], { axis: axisOf(c.axis, call.type().shape.length, call.where) });
  },
});

/** gamma and beta may be absent (scale, center); the statistics are the moving ones. */
export const BatchNormalization = defineLayer({
  config: z.object({
    axis: oneAxis,
    epsilon: z.number().positive().default(1e-3),
    center: z.boolean().default(true),
    scale: z.boolean().default(true),
  }),
  read(call, c) {
    const { shape } = call.type();
    if (axisOf(c.axis, shape.length, call.where) !== shape.length - 1) {
      throw new IdapError(
        "E_UNSUPPORTED",
        `${call.where} normalises axis ${c.axis} of [${shape}]; only the last axis is read`,
        "Convert the model to channels_last.",
      );
    }
    const mean = call.weight("moving_mean", 1);
    const channels = mean.shape[0]!;
    const gamma = c.scale ? call.weight("gamma", 1).tensor : call.filled("gamma", channels, 1);
    const beta = c.center ? call.weight("beta", 1).tensor : call.filled("beta", channels, 0);
    const variance = call.weight("moving_variance", 1).tensor;
    return call.emit("batch_norm", [call.x, gamma, beta, mean.tensor, variance], { epsilon: c.epsilon });
  },
});

/** A chain of `op` over operands of one rank (Keras aligns other ranks at the front, unlike numpy). */
function merge(op: string): LayerReader {
  return defineLayer({
    config: z.object({}),
    read(call) {
      const [first, ...rest] = sameRank(call);
      const last = rest.pop();
      if (first === undefined || last === undefined) {
        throw new IdapError("E_FORMAT", `${call.where} needs at least two inputs, got ${call.inputs.length}`);
      }
      const sum = rest.reduce((acc, x, i) => call.step(`${op}_${i}`, op, [acc, x]), first);
      return call.emit(op, [sum, last]);
    },
  });
}

function sameRank(call: LayerCall): string[] {
  const ranks = new Set(call.inputs.map((x) => call.type(x).shape.length));
  if (ranks.size > 1) {
    throw new IdapError(
      "E_RANK",
      `${call.where} joins tensors of ranks ${[...ranks].join(" and ")}; they must be equal`,
    );
  }
  return [...call.inputs];
}

export const Add = merge("add");
export const Multiply = merge("mul");

export const Concatenate = defineLayer({
  config: z.object({ axis: z.int().default(-1) }),
  read(call, c) {
    return call.emit("concat", call.inputs, { axis: axisOf(c.axis, call.type().shape.length, call.where) });
  },
});

/** Layers that do nothing at inference. */
export const Identity = defineLayer({ config: z.object({}), read: (call) => call.x });
