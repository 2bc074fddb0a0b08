import { z } from "zod";
import { IdapError } from "../../../model/errors.js";
import type { Shape } from "../../../model/types.js";
import { activation, refuseActivation } from "../activations.js";
import { defineLayer, layout, pairOf, refusePadding, singleOf, type LayerCall, type LayerReader } from "../layer.js";
import type { Variables } from "../weights.js";

const common = {
  ...layout,
  groups: z.int().positive().default(1),
  activation,
  use_bias: z.boolean().default(true),
};
const planar = z.object({ ...common, strides: pairOf.default([1, 1]), dilation_rate: pairOf.default([1, 1]) });
type Planar = z.infer<typeof planar>;

/** One spatial axis: the columns of an image of one row. */
const linear = z.object({ ...common, strides: singleOf.default(1), dilation_rate: singleOf.default(1) });
const asPlanar = (c: z.infer<typeof linear>): Planar => ({
  ...c,
  strides: [1, c.strides],
  dilation_rate: [1, c.dilation_rate],
});

interface Options {
  readonly padding: string;
  readonly activation: string;
}

const refuse = (c: Options): string | null => refusePadding(c) ?? refuseActivation(c.activation);
const refuseLinear = (c: Options): string | null =>
  refusePadding({ padding: c.padding === "causal" ? "same" : c.padding }) ?? refuseActivation(c.activation);

const kernelAndBias = (kernel: string) => (c: { use_bias: boolean }) => ({
  "": [kernel, ...(c.use_bias ? ["bias"] : [])],
});

/** A kernel of `axes` spatial axes with a first axis of 1 where there is one only. */
function kernel(call: LayerCall, kind: string, axes: 1 | 2): { tensor: string; shape: Shape } {
  if (axes === 2) return call.weight(kind, 4);
  const shape = [1, ...call.weightData(kind, 3).shape];
  return { tensor: call.weightShaped(kind, shape), shape };
}

function bias(call: LayerCall, { use_bias }: { use_bias: boolean }): string[] {
  return use_bias ? [call.weight("bias", 1).tensor] : [];
}

/** The result with the activation after it, also where an image of one row becomes a sequence again. */
function finished(call: LayerCall, c: Planar, axes: 1 | 2, work: (image: string, last: Emit) => string): string {
  const whole = axes === 2 && c.data_format !== "channels_first";
  const emit: Emit = (op, inputs, attrs) =>
    whole && c.activation === "linear" ? call.result(op, inputs, attrs) : call.emit(op, inputs, attrs);
  return call.activate(
    c.activation,
    call.asImage(axes, c.data_format, (image) => work(image, emit)),
  );
}

type Emit = (op: string, inputs: readonly string[], attrs: Readonly<Record<string, unknown>>) => string;

/** kernel [kh, kw, ci/groups, co] as in the IR. */
function convolve(call: LayerCall, c: Planar, axes: 1 | 2): string {
  const { tensor: w, shape } = kernel(call, "kernel", axes);
  return finished(call, c, axes, (image, last) =>
    last("conv2d", [image, w, ...bias(call, c)], {
      strides: c.strides,
      dilations: c.dilation_rate,
      pads: call.pads(image, c.padding, shape, c.strides, c.dilation_rate),
      groups: c.groups,
    }),
  );
}

/** depthwise_kernel [kh, kw, c, m] as in the IR; Keras 3 calls it kernel. */
const DEPTHWISE = "depthwise_kernel|kernel";

function convolveDepthwise(call: LayerCall, c: Planar, axes: 1 | 2): string {
  const { tensor: w, shape } = kernel(call, DEPTHWISE, axes);
  return finished(call, c, axes, (image, last) =>
    last("depthwise_conv2d", [image, w, ...bias(call, c)], {
      strides: c.strides,
      dilations: c.dilation_rate,
      pads: call.pads(image, c.padding, shape, c.strides, c.dilation_rate),
    }),
  );
}

/** A depthwise convolution without bias, then a 1x1 convolution. */
function convolveSeparable(call: LayerCall, c: Planar, axes: 1 | 2): string {
  const depthwise = kernel(call, "depthwise_kernel", axes);
  const pointwise = kernel(call, "pointwise_kernel", axes);
  if (pointwise.shape[0] !== 1 || pointwise.shape[1] !== 1) {
    throw new IdapError("E_SHAPE", `${call.where}: its pointwise kernel must be 1 x 1, got [${pointwise.shape}]`);
  }
  return finished(call, c, axes, (image, last) => {
    const inner = call.emit("depthwise_conv2d", [image, depthwise.tensor], {
      strides: c.strides,
      dilations: c.dilation_rate,
      pads: call.pads(image, c.padding, depthwise.shape, c.strides, c.dilation_rate),
    });
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
    return last("conv2d", [inner, pointwise.tensor, ...bias(call, c)], attrs);
  });
}

interface Transpose {
  readonly padding: string;
  readonly strides: readonly number[];
  readonly dilation_rate: readonly number[];
}

/**
 * What a transposed convolution cuts off its full output [before, after], and what it adds.
 * "same" gives size * stride, "valid" (size - 1) * stride + reach and at least size * stride; with output_padding p it
 * is (size - 1) * stride + reach - 2 * pad + p, pad = floor(kernel / 2) or 0. The cut is TensorFlow's: the padding that
 * the convolution in the other direction would have, its odd one at the end.
 */
function cut(
  size: number,
  kernelSize: number,
  [stride, dilation]: readonly [number, number],
  padding: string,
  outputPadding: number | null,
): { before: number; after: number; extra: number } {
  const reach = dilation * (kernelSize - 1) + 1;
  const full = (size - 1) * stride + reach;
  const pad = padding === "same" ? Math.floor(reach / 2) : 0;
  const wanted =
    outputPadding !== null
      ? full - 2 * pad + outputPadding
      : padding === "same"
        ? size * stride
        : size * stride + Math.max(reach - stride, 0);
  const total = Math.max(full - wanted, 0);
  const before = Math.floor(total / 2);
  return { before, after: total - before, extra: Math.max(wanted - full, 0) };
}

/** kernel [kh, kw, co, ci]; the IR has [kh, kw, ci, co]. */
function convolveTransposed(
  call: LayerCall,
  c: Planar & Transpose,
  axes: 1 | 2,
  outputPadding: readonly (number | null)[],
): string {
  const stored = call.weightData("kernel", axes + 2).shape;
  const shape = axes === 1 ? [1, ...stored] : stored;
  const swapped = [...shape.slice(0, 2), shape[3]!, shape[2]!];
  const w = call.weightPermuted("kernel", axes === 1 ? [0, 2, 1] : [0, 1, 3, 2], swapped);
  return finished(call, c, axes, (image, last) => {
    const [, h, wide] = call.image(image);
    const along = (k: 0 | 1, size: number): ReturnType<typeof cut> =>
      cut(size, shape[k]!, [c.strides[k], c.dilation_rate[k]], c.padding, outputPadding[k] ?? null);
    const [rows, columns] = [along(0, h), along(1, wide)];
    return last("conv_transpose2d", [image, w, ...bias(call, c)], {
      strides: c.strides,
      dilations: c.dilation_rate,
      pads: [rows.before, columns.before, rows.after, columns.after],
      outputPads: [rows.extra, columns.extra],
      groups: 1,
    });
  });
}

const separable = (c: { use_bias: boolean }): Variables => ({
  "": ["depthwise_kernel", "pointwise_kernel", ...(c.use_bias ? ["bias"] : [])],
});

export const Conv2D = defineLayer({
  config: planar,
  refuse,
  variables: kernelAndBias("kernel"),
  read: (call, c) => convolve(call, c, 2),
});

export const Conv1D = defineLayer({
  config: linear,
  refuse: refuseLinear,
  variables: kernelAndBias("kernel"),
  read: (call, c) => convolve(call, asPlanar(c), 1),
});

export const DepthwiseConv2D = defineLayer({
  config: planar,
  refuse,
  variables: kernelAndBias(DEPTHWISE),
  read: (call, c) => convolveDepthwise(call, c, 2),
});

export const DepthwiseConv1D = defineLayer({
  config: linear,
  refuse: refuseLinear,
  variables: kernelAndBias(DEPTHWISE),
  read: (call, c) => convolveDepthwise(call, asPlanar(c), 1),
});

export const SeparableConv2D = defineLayer({
  config: planar,
  refuse,
  variables: separable,
  read: (call, c) => convolveSeparable(call, c, 2),
});

export const SeparableConv1D = defineLayer({
  config: linear,
  refuse: refuseLinear,
  variables: separable,
  read: (call, c) => convolveSeparable(call, asPlanar(c), 1),
});

const whole = z.int().nonnegative();

export const Conv2DTranspose = defineLayer({
  config: planar.extend({
    output_padding: z.union([whole.transform((n) => [n, n]), z.tuple([whole, whole])]).nullish(),
  }),
  refuse,
  variables: kernelAndBias("kernel"),
  read: (call, c) => convolveTransposed(call, c, 2, c.output_padding ?? [null, null]),
});

export const Conv1DTranspose = defineLayer({
  config: linear.extend({
    output_padding: z.union([whole, z.tuple([whole]).transform(([n]) => n)]).nullish(),
  }),
  refuse,
  variables: kernelAndBias("kernel"),
  read: (call, c) => convolveTransposed(call, asPlanar(c), 1, [null, c.output_padding ?? null]),
});

/** kernel [in, out], applied to the last axis. */
export const Dense: LayerReader = defineLayer({
  config: z.object({ activation, use_bias: z.boolean().default(true) }),
  refuse: (c) => refuseActivation(c.activation),
  variables: kernelAndBias("kernel"),
  read(call, c) {
    return call.result("dense", [call.floats, call.weight("kernel", 2).tensor, ...bias(call, c)], {}, c.activation);
  },
});
