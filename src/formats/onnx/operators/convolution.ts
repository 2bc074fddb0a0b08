import { permute } from "../../shared/permute.js";
import { refuseComputed, type Converter } from "../context.js";
import { refuseWindow, windowOf } from "./window.js";

/**
 * x [n, ci, h, w], weights [co, ci/group, kh, kw], bias?.
 * With as many groups as channels it is a depthwise convolution: output channel c * m + j in both.
 */
export const Conv: Converter = {
  refuse(op) {
    const weights = op.constant(1);
    if (weights && weights.shape.length !== 4) return `a ${weights.shape.length - 2}-D window`;
    return refuseWindow(op) ?? refuseComputed(op, { 1: "weights", 2: "a bias" });
  },
  convert(op) {
    const shape = op.constant(1)?.shape ?? [];
    if (shape.length !== 4) throw op.malformed(`needs weights of rank 4, got [${shape}]`);
    const [co, perGroup, kh, kw] = shape as unknown as [number, number, number, number];
    const { strides, dilations, pads } = windowOf(op, [kh, kw]);
    const channels = op.type(0).shape[1]!;
    const groups = op.int("group", 1);
    if (groups < 1 || perGroup * groups !== channels || co % groups !== 0) {
      throw op.malformed(`has ${groups} groups for ${channels} channels and weights [${shape}]`);
    }
    const bias = op.has(2) ? [op.input(2)] : [];
    // Our writer states the group of a depthwise convolution even where it is 1.
    const depthwise = perGroup === 1 && (groups > 1 || (op.context.ours && op.hasAttribute("group")));
    if (depthwise) {
      // [c * m, 1, kh, kw] -> [kh, kw, c * m], which is [kh, kw, c, m].
      const w = op.weight(1, "depthwise", [kh, kw, channels, co / channels], (d) =>
        permute(d, [co, kh, kw], [1, 2, 0]),
      );
      op.emitLast("depthwise_conv2d", [op.inputLast(0), w, ...bias], { strides, dilations, pads });
    } else {
      const w = op.weight(1, "hwio", [kh, kw, perGroup, co], (d) => permute(d, shape, [2, 3, 1, 0]));
      op.emitLast("conv2d", [op.inputLast(0), w, ...bias], { strides, dilations, pads, groups });
    }
  },
};

/** Inference form; the channel is axis 1. */
export const BatchNormalization: Converter = {
  refuse(op) {
    if (op.int("training_mode", 0) !== 0) return "training_mode";
    if (op.int("spatial", 1) !== 1) return "spatial 0";
    return refuseComputed(op, { 1: "a scale", 2: "a bias", 3: "a mean", 4: "a variance" });
  },
  convert(op) {
    const parameters = [1, 2, 3, 4].map((i) => op.input(i));
    // The attribute is a 32-bit float; the shortest decimal that gives it is what its writer meant.
    const attrs = { epsilon: shortest(op.float("epsilon", 1e-5)) };
    if (op.type(0).shape.length > 2) op.emitLast("batch_norm", [op.inputLast(0), ...parameters], attrs);
    else op.emit("batch_norm", [op.input(0), ...parameters], attrs);
  },
};

/** The decimal with the fewest digits that rounds to the 32-bit float `x`. */
export function shortest(x: number): number {
  const float = Math.fround(x);
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(float.toPrecision(digits));
    if (Math.fround(candidate) === float) return candidate;
  }
  return float;
}
