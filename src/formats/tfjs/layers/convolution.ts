import { z } from "zod";
import { IdapError } from "../../../model/errors.js";
import { activation, defineLayer, layout, pairOf, refuseActivation, refuseLayout, type LayerCall } from "../layer.js";

const convolution = z.object({
  ...layout,
  strides: pairOf.default([1, 1]),
  dilation_rate: pairOf.default([1, 1]),
  groups: z.int().positive().default(1),
  activation,
  use_bias: z.boolean().default(true),
});

const refuse = (c: z.infer<typeof convolution>): string | null => refuseLayout(c) ?? refuseActivation(c.activation);

function bias(call: LayerCall, used: boolean): string[] {
  return used ? [call.weight("bias", 1).tensor] : [];
}

/** kernel [kh, kw, ci/groups, co] as in the IR. */
export const Conv2D = defineLayer({
  config: convolution,
  refuse,
  read(call, c) {
    const { tensor: w, shape } = call.weight("kernel", 4);
    const pads = call.pads(c.padding, shape, c.strides, c.dilation_rate);
    const attrs = { strides: c.strides, dilations: c.dilation_rate, pads, groups: c.groups };
    return call.emit("conv2d", [call.x, w, ...bias(call, c.use_bias)], attrs, c.activation);
  },
});

/** depthwise_kernel [kh, kw, c, m] as in the IR. */
export const DepthwiseConv2D = defineLayer({
  config: convolution,
  refuse,
  read(call, c) {
    const { tensor: w, shape } = call.weight("depthwise_kernel", 4);
    const pads = call.pads(c.padding, shape, c.strides, c.dilation_rate);
    const attrs = { strides: c.strides, dilations: c.dilation_rate, pads };
    return call.emit("depthwise_conv2d", [call.x, w, ...bias(call, c.use_bias)], attrs, c.activation);
  },
});

/** A depthwise convolution without bias, then a 1x1 convolution. */
export const SeparableConv2D = defineLayer({
  config: convolution,
  refuse,
  read(call, c) {
    const depthwise = call.weight("depthwise_kernel", 4);
    const pointwise = call.weight("pointwise_kernel", 4);
    if (pointwise.shape[0] !== 1 || pointwise.shape[1] !== 1) {
      throw new IdapError("E_SHAPE", `${call.where}: its pointwise kernel must be 1 x 1, got [${pointwise.shape}]`);
    }
    const inner = call.step("depthwise", "depthwise_conv2d", [call.x, depthwise.tensor], {
      strides: c.strides,
      dilations: c.dilation_rate,
      pads: call.pads(c.padding, depthwise.shape, c.strides, c.dilation_rate),
    });
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
    return call.emit("conv2d", [inner, pointwise.tensor, ...bias(call, c.use_bias)], attrs, c.activation);
  },
});

/** kernel [in, out], applied to the last axis. */
export const Dense = defineLayer({
  config: z.object({ activation, use_bias: z.boolean().default(true) }),
  refuse: (c) => refuseActivation(c.activation),
  read(call, c) {
    return call.emit("dense", [call.x, call.weight("kernel", 2).tensor, ...bias(call, c.use_bias)], {}, c.activation);
  },
});
