/** Operator → how a step of it becomes kernel calls. */
import { calledOps, callsOf } from "../../kernels/calls/index.js";
import { getOp, hasOp, opNames } from "../../model/ops/index.js";
import type { Dtype, Shape } from "../../model/types.js";
import type { Step } from "../fuse.js";
import type { Halo } from "../layout.js";
import type { Lowering } from "./context.js";
import { conv2d, conv2dGradInput, conv2dGradWeight, dense, gradientHalo, matmul, windowHalo } from "./conv.js";
import { depthwise, depthwiseGradInput, depthwiseGradWeight } from "./depthwise.js";
import { activationGrad, binary, softmax, softmaxGrad, unary } from "./elementwise.js";
import { crossEntropy, crossEntropyGrad, squaredError, squaredErrorGrad } from "./loss.js";
import { concat, reshape, transpose } from "./move.js";
import { batchNorm, batchNormGrad, batchNormTrain } from "./norm.js";
import { pool, poolGrad } from "./pool.js";
import { reduce, reduceMaxGrad, reduceMeanGrad } from "./reduce.js";
import { sharedCalls } from "./shared.js";

const own: Readonly<Record<string, Lowering>> = {
  conv2d,
  conv2d_grad_input: conv2dGradInput,
  conv2d_grad_weight: conv2dGradWeight,
  depthwise_conv2d: depthwise,
  depthwise_conv2d_grad_input: depthwiseGradInput,
  depthwise_conv2d_grad_weight: depthwiseGradWeight,
  dense,
  matmul,
  batch_norm: batchNorm,
  batch_norm_train: batchNormTrain,
  batch_norm_grad: batchNormGrad,
  add: binary,
  mul: binary,
  relu: unary,
  relu6: unary,
  sigmoid: unary,
  relu_grad: activationGrad,
  relu6_grad: activationGrad,
  sigmoid_grad: activationGrad,
  softmax,
  softmax_grad: softmaxGrad,
  concat,
  transpose,
  reshape,
  max_pool2d: pool,
  avg_pool2d: pool,
  max_pool2d_grad: poolGrad,
  avg_pool2d_grad: poolGrad,
  reduce_sum: reduce,
  reduce_mean: reduce,
  reduce_max: reduce,
  reduce_mean_grad: reduceMeanGrad,
  reduce_max_grad: reduceMaxGrad,
  softmax_cross_entropy: crossEntropy,
  softmax_cross_entropy_grad: crossEntropyGrad,
  mean_squared_error: squaredError,
  mean_squared_error_grad: squaredErrorGrad,
};

/** Operators that have kernel calls here. */
const lowered: ReadonlySet<string> = new Set([...Object.keys(own), ...calledOps].filter(hasOp));

/** Whether an operator runs as it is; others run in their expanded form. */
export const isLowered = (op: string): boolean => lowered.has(op);

/** Operators that the host runs, sorted. */
export const hostOps: readonly string[] = opNames.filter((op) => lowered.has(op) || getOp(op).expand);

/** Operators that move words, whatever they stand for. */
const MOVES = new Set(["transpose", "reshape", "concat"]);

/**
 * How a step is lowered: by code of its own where there is some for f32, else by the calls that host and device share.
 * @param dtypes of everything the step reads and writes
 */
export function loweringOf(step: Step, dtypes: readonly Dtype[]): Lowering | null {
  const special = own[step.op];
  if (special && (MOVES.has(step.op) || dtypes.every((d) => d === "f32"))) return special;
  return callsOf(step.op) ? sharedCalls : null;
}

/** Operators that copy an image's windows through scratch memory anyway, so that a border would be of no use. */
function throughScratch(step: Step, weights: Shape): boolean {
  const grouped = ((step.attrs.groups as number | undefined) ?? 1) > 1;
  return grouped || (step.op.startsWith("depthwise") && step.op !== "depthwise_conv2d_grad_input" && weights[3]! > 1);
}

/** The border of zeros that a step wants around one of its inputs, if any. */
export function haloWish(step: Step, shape: (tensor: string) => Shape): { tensor: string; halo: Halo } | null {
  const [x, second] = step.inputs as [string, string];
  const a = step.attrs as never;
  switch (step.op) {
    case "conv2d":
    case "depthwise_conv2d": {
      const w = shape(second);
      return throughScratch(step, w) ? null : { tensor: x, halo: windowHalo(shape(x), shape(step.outputs[0]!), w, a) };
    }
    case "conv2d_grad_weight":
    case "depthwise_conv2d_grad_weight": {
      const kernel = step.attrs.kernel as number[];
      const w = shape(step.outputs[0]!);
      return throughScratch(step, w) ? null : { tensor: x, halo: windowHalo(shape(x), shape(second), kernel, a) };
    }
    case "conv2d_grad_input":
    case "depthwise_conv2d_grad_input": {
      const w = shape(second);
      return throughScratch(step, w)
        ? null
        : { tensor: x, halo: gradientHalo(shape(x), step.attrs.extent as number[], w, a) };
    }
    default:
      return null;
  }
}
