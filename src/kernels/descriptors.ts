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
    implements: ["conv2d", "dense", "depthwise_conv2d"],
    fuses: "zero padding, bias, batch norm, residual addition, relu, relu6, flatten before dense",
    families: ["conv", "pointwise", "dense"],
    error: "2K + 2 for sums of K terms",
  },
  {
    name: "depthwise",
    implements: ["depthwise_conv2d", "conv2d"],
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
  { name: "softmax", implements: ["softmax"], fuses: "", families: null, error: "terms + 6, and |x - max|" },
  { name: "matmul", implements: ["matmul"], fuses: "", families: null, error: "2K for sums of K terms" },
  {
    name: "copy",
    implements: ["reshape", "transpose", "slice", "pad", "concat"],
    fuses: "",
    families: null,
    error: "0",
  },
];
