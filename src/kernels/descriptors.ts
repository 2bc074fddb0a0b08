/**
 * What is known of each device kernel: its file, the operators it implements, how its error grows, and the table of a
 * device profile that predicts its time. Operators do not name kernels; a new kernel is one entry here.
 */
import type { KernelFamily } from "../model/device-profile.js";

export interface KernelDescriptor {
  /** File in `assembly/kernels`, without extension. */
  readonly name: string;
  /** Operators that can become calls of it. */
  readonly implements: readonly string[];
  /** What it takes in beside its operator. */
  readonly fuses: string;
  /** Tables of a device profile; null: its time is that of the bytes it moves. */
  readonly families: readonly KernelFamily[] | null;
  /** Forward error in units of 2^-24, relative to the sum of absolute values of the terms. */
  readonly error: string;
}

export const KERNELS: readonly KernelDescriptor[] = [
  {
    name: "conv",
    implements: ["conv2d", "dense", "depthwise_conv2d", "conv_transpose2d"],
    fuses: "zero padding, bias, batch norm, residual addition, relu, relu6, flatten before dense",
    families: ["conv", "pointwise", "dense"],
    error: "2K + 2 for sums of K terms",
  },
  {
    name: "depthwise",
    implements: ["depthwise_conv2d", "conv2d", "conv_transpose2d"],
    fuses: "zero padding, bias, batch norm, relu, relu6",
    families: ["depthwise"],
    error: "2K + 1 for windows of K taps",
  },
  { name: "pool", implements: ["max_pool2d", "avg_pool2d"], fuses: "", families: null, error: "0; average: taps + 1" },
  {
    name: "reduce",
    implements: ["reduce_mean", "reduce_sum", "reduce_max"],
    fuses: "",
    families: null,
    error: "0 for the maximum, else the number of terms",
  },
  {
    name: "elementwise",
    implements: ["relu", "relu6", "sigmoid", "add", "mul", "batch_norm"],
    fuses: "",
    families: null,
    error: "0 for relu and relu6, 1 for add and mul, 8 for sigmoid",
  },
  {
    name: "unary",
    implements: [
      "abs",
      "cast",
      "ceil",
      "clip",
      "cos",
      "elu",
      "erf",
      "exp",
      "floor",
      "gelu",
      "hard_sigmoid",
      "hard_swish",
      "leaky_relu",
      "log",
      "logical_not",
      "neg",
      "reciprocal",
      "round",
      "rsqrt",
      "selu",
      "sign",
      "silu",
      "sin",
      "softplus",
      "softsign",
      "sqrt",
      "tanh",
    ],
    fuses: "",
    families: null,
    error: "what the operator states: 0 to 2 for arithmetic, 4 to 10 for exponentials, logarithms and what uses them",
  },
  {
    name: "binary",
    implements: [
      "add",
      "div",
      "equal",
      "floor_div",
      "floor_mod",
      "greater",
      "greater_equal",
      "less",
      "less_equal",
      "logical_and",
      "logical_or",
      "logical_xor",
      "max",
      "min",
      "mod_trunc",
      "mul",
      "not_equal",
      "pow",
      "prelu",
      "sub",
    ],
    fuses: "",
    families: null,
    error: "1; 0 for choices, comparisons and integers",
  },
  { name: "select", implements: ["select"], fuses: "", families: null, error: "0" },
  {
    name: "quantize",
    implements: ["dequantize", "fake_quantize", "quantize"],
    fuses: "",
    families: null,
    error: "1 for reals, 0 for integers",
  },
  { name: "requantize", implements: ["requantize"], fuses: "", families: null, error: "0" },
  { name: "softmax", implements: ["softmax"], fuses: "", families: null, error: "terms + 6, and |x - max|" },
  {
    name: "attention",
    implements: ["attention"],
    fuses: "",
    families: null,
    error: "2 (d + 3) + 2 keys + 11, of the weighted sums of |v|, times the largest sum of |q k| beyond 1",
  },
  { name: "matmul", implements: ["matmul"], fuses: "", families: null, error: "2K for sums of K terms" },
  {
    name: "recurrent",
    implements: ["lstm", "gru", "rnn"],
    fuses: "",
    families: null,
    error: "for each step 2 (I + H) + 30 at most, of sums of I + H terms",
  },
  {
    name: "norm",
    implements: ["layer_norm", "group_norm"],
    fuses: "",
    families: null,
    error: "about 1.5 n + 8 for n normalised elements",
  },
  {
    name: "copy",
    implements: ["reshape", "transpose", "slice", "pad", "concat", "tile", "broadcast_to"],
    fuses: "",
    families: null,
    error: "0",
  },
  { name: "gather", implements: ["gather"], fuses: "", families: null, error: "0" },
  {
    name: "resize",
    implements: ["resize"],
    fuses: "",
    families: null,
    error: "0 for nearest, 4 for linear, 8 for cubic",
  },
  { name: "order", implements: ["arg_reduce", "top_k"], fuses: "", families: null, error: "0" },
  {
    name: "fold",
    implements: ["reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "cumsum"],
    fuses: "",
    families: null,
    error: "0 for minimum, maximum and integers, else the number of terms",
  },
];
