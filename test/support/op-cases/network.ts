/** Cases of the network operators: transposed convolutions, matrix products, normalisations, pools, recurrences. */
import type { Attrs, TensorType } from "../../../src/model/types.js";
import type { Draw, OpCase } from "../op-cases.js";

const x = (...shape: number[]): TensorType => ({ dtype: "f32", shape: [1, ...shape], batchAxis: 0 });
const w = (...shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis: null });
/** The batch on another axis. */
const batched = (batchAxis: number, ...shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis });

const transposed = (title: string, inputs: TensorType[], attrs: Attrs = {}): OpCase => ({
  title,
  op: "conv_transpose2d",
  attrs: { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], outputPads: [0, 0], groups: 1, ...attrs },
  inputs,
});

const product = (title: string, inputs: TensorType[], transposeA = false, transposeB = false): OpCase => ({
  title,
  op: "matmul",
  attrs: { transposeA, transposeB },
  inputs,
});

const norm = (op: string, title: string, attrs: Attrs, inputs: TensorType[]): OpCase => ({ op, title, attrs, inputs });

const pooled = (op: string, title: string, attrs: Attrs, inputs: TensorType[]): OpCase => ({
  title,
  op,
  attrs: { strides: [1, 1], pads: [0, 0, 0, 0], ...attrs },
  inputs,
  ...(op === "max_pool2d" && { draw: ["spread"] as const }),
});

/** Weights small enough that a step of the recurrence does not enlarge differences. */
const SMALL: readonly Draw[] = ["normal", "small", "small", "small", "small", "small", "small"];

const recurrent = (op: string, title: string, inputs: TensorType[], attrs: Attrs = {}): OpCase => {
  const one = { lstm: ["sigmoid", "tanh", "tanh"], gru: ["sigmoid", "tanh"], rnn: ["tanh"] }[op]!;
  const activations = attrs["direction"] === "bidirectional" ? [...one, ...one] : one;
  return {
    op,
    title,
    attrs: {
      direction: "forward",
      activations,
      clip: null,
      ...(op === "gru" && { linearBeforeReset: false }),
      ...attrs,
    },
    inputs,
    draw: SMALL.slice(0, inputs.length),
  };
};

const attention = (title: string, inputs: TensorType[], attrs: Attrs = {}): OpCase => ({
  title,
  op: "attention",
  attrs: { heads: 2, kvHeads: 2, scale: 0.6, causal: false, ...attrs },
  inputs,
});

export const networkCases: readonly OpCase[] = [
  attention("two heads", [x(5, 6), x(5, 6), x(5, 6)]),
  attention("other tokens, wider values", [x(3, 6), x(10, 6), x(10, 18)]),
  attention("causal", [x(9, 4), x(9, 4), x(9, 4)], { causal: true }),
  attention("causal, more keys than tokens", [x(3, 4), x(5, 4), x(5, 4)], { causal: true }),
  attention("four heads share two, mask of each head", [x(3, 12), x(4, 6), x(4, 10), w(4, 3, 4)], { heads: 4 }),
  attention("mask of each sample", [x(3, 4), x(4, 4), x(4, 4), x(1, 1, 4)]),
  attention("fixed queries", [w(1, 3, 4), x(4, 4), x(4, 4), w(3, 4)]),
  transposed("3x3, stride 2, SAME", [x(3, 4, 3), w(3, 3, 3, 5), w(5)], {
    strides: [2, 2],
    pads: [0, 0, 1, 1],
  }),
  transposed("dilated, uneven pads and output pads, no bias", [x(4, 3, 2), w(2, 3, 2, 3)], {
    strides: [3, 2],
    dilations: [1, 2],
    pads: [1, 0, 0, 2],
    outputPads: [2, 1],
  }),
  transposed("two groups", [x(3, 3, 4), w(3, 2, 4, 3), w(6)], { strides: [1, 2], groups: 2 }),
  transposed("depthwise, stride beyond the kernel", [x(3, 2, 3), w(2, 2, 3, 1), w(3)], { strides: [3, 4], groups: 3 }),
  transposed("pads beyond the kernel", [x(6, 5, 2), w(2, 2, 2, 2)], { pads: [2, 1, 1, 3] }),

  product("batch of matrices", [x(2, 3, 4), x(2, 4, 5)]),
  product("one matrix for all", [x(2, 3, 4), w(4, 5)]),
  product("leading axes repeat on both sides", [x(1, 3, 4), w(1, 2, 5, 4)], false, true),
  product("a transposed, b without batch", [x(4, 3), w(4, 2)], true, false),
  product("both transposed", [x(2, 4, 3), x(2, 5, 4)], true, true),
  product("rows of the batch, more axes on the left", [batched(1, 2, 1, 4), w(4, 3)]),
  product("vectors as matrices", [x(1, 6), x(6, 1)]),

  norm("layer_norm", "last axis", { axis: 2, epsilon: 1e-5 }, [x(3, 6), w(6), w(6)]),
  norm("layer_norm", "several axes, no offset", { axis: 1, epsilon: 1e-3 }, [x(2, 3, 5), w(2, 3, 5)]),
  norm("layer_norm", "nothing learnt", { axis: 1, epsilon: 1e-5 }, [x(7)]),
  norm("group_norm", "two groups", { groups: 2, epsilon: 1e-5 }, [x(3, 2, 6), w(6), w(6)]),
  norm("group_norm", "instances", { groups: 5, epsilon: 1e-3 }, [x(4, 3, 5), w(5), w(5)]),
  norm("group_norm", "one group, sequence", { groups: 1, epsilon: 1e-5 }, [x(5, 4), w(4)]),

  pooled("max_pool2d", "dilated", { kernel: [2, 3], dilations: [2, 1], strides: [1, 2], pads: [1, 1, 1, 0] }, [
    x(5, 6, 3),
  ]),
  pooled("max_pool2d", "stride beyond the kernel", { kernel: [2, 1], strides: [3, 4] }, [x(8, 9, 2)]),
  pooled("max_pool2d", "kernel beyond the image", { kernel: [4, 5], pads: [1, 2, 1, 2], strides: [2, 2] }, [
    x(3, 2, 5),
  ]),
  pooled("avg_pool2d", "dilated", { kernel: [3, 2], dilations: [2, 3], pads: [2, 1, 1, 2], countIncludePad: false }, [
    x(6, 6, 2),
  ]),
  pooled(
    "avg_pool2d",
    "dilated, padding counted",
    {
      kernel: [3, 2],
      dilations: [2, 3],
      pads: [2, 1, 1, 2],
      countIncludePad: true,
    },
    [x(6, 6, 2)],
  ),
  pooled(
    "avg_pool2d",
    "ceil mode: what lies beyond the padding does not count",
    {
      kernel: [3, 3],
      strides: [2, 2],
      pads: [1, 1, 2, 2],
      padsCounted: [1, 1, 1, 1],
      countIncludePad: true,
    },
    [x(4, 6, 3)],
  ),

  recurrent("lstm", "forward", [batched(1, 4, 1, 3), w(1, 20, 3), w(1, 20, 5), w(1, 40)]),
  recurrent(
    "lstm",
    "bidirectional, given states, peepholes, clipped",
    [batched(1, 3, 1, 2), w(2, 12, 2), w(2, 12, 3), w(2, 24), batched(1, 2, 1, 3), batched(1, 2, 1, 3), w(2, 9)],
    { direction: "bidirectional", clip: 0.6, cellClip: 0.5 },
  ),
  recurrent(
    "lstm",
    "reverse, one state for all, other functions",
    [batched(1, 3, 1, 2), w(1, 16, 2), w(1, 16, 4), w(1, 32), w(1, 1, 4), w(1, 1, 4)],
    { direction: "reverse", activations: ["hard_sigmoid", "relu", "linear"] },
  ),
  recurrent("gru", "forward", [batched(1, 4, 1, 3), w(1, 15, 3), w(1, 15, 5), w(1, 30)]),
  recurrent(
    "gru",
    "bidirectional, linear before reset, given state",
    [batched(1, 3, 1, 2), w(2, 12, 2), w(2, 12, 4), w(2, 24), batched(1, 2, 1, 4)],
    { direction: "bidirectional", linearBeforeReset: true, clip: 0.5 },
  ),
  recurrent("gru", "reverse, no bias, fixed batch", [w(3, 2, 2), w(1, 9, 2), w(1, 9, 3)], { direction: "reverse" }),
  recurrent("rnn", "forward", [batched(1, 4, 1, 3), w(1, 5, 3), w(1, 5, 5), w(1, 10)]),
  recurrent("rnn", "bidirectional, given state", [batched(1, 3, 1, 2), w(2, 4, 2), w(2, 4, 4), w(2, 8), w(2, 1, 4)], {
    direction: "bidirectional",
    activations: ["tanh", "relu"],
  }),
];
