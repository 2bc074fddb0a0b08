import { z } from "zod";
import type { VjpContext } from "../../define-op.js";
import { IdapError } from "../../errors.js";
import type { TensorType } from "../../types.js";
import { showType } from "./checks.js";
import { pads2d, pair, windowExtent } from "./window.js";

/** Geometry that every convolution and its gradients share. */
export const geometry = { strides: pair, dilations: pair, pads: pads2d };
export interface ConvGeometry {
  strides: [number, number];
  dilations: [number, number];
  pads: [number, number, number, number];
}

/** Spatial output extents [oh, ow] of an input [h, w] under a kernel [kh, kw]. */
export function convExtent(h: number, w: number, kh: number, kw: number, a: ConvGeometry): [number, number] {
  const [top, left, bottom, right] = a.pads;
  return [
    windowExtent(h, kh, a.strides[0], a.dilations[0], top + bottom),
    windowExtent(w, kw, a.strides[1], a.dilations[1], left + right),
  ];
}

/** Throws unless `dy` has the extents that the forward convolution gives. */
export function needExtent(op: string, dy: TensorType, expected: readonly [number, number]): void {
  if (dy.shape[1] !== expected[0] || dy.shape[2] !== expected[1]) {
    throw new IdapError("E_SHAPE", `${op}: dy must have spatial extent [${expected}], got ${showType(dy)}`);
  }
}

/** Extent of an image, for the gradient operators that cannot infer it. */
export const extent2d = z.tuple([z.int().positive(), z.int().positive()]);

/** Gradients of x, w and the bias of a convolution `op`, by its operators `<op>_grad_input` and `<op>_grad_weight`. */
export function convGradients(op: string, g: VjpContext<ConvGeometry>): (string | null)[] {
  const dy = g.gradOutputs[0];
  if (!dy) return [null, null, null];
  const [x, w] = g.inputs as [string, string];
  const [, h, wd] = g.inputTypes[0]!.shape as [number, number, number, number];
  const [kh, kw] = g.inputTypes[1]!.shape as [number, number];
  return [
    g.wanted[0] ? g.emit(`${op}_grad_input`, [dy, w], { ...g.attrs, extent: [h, wd] })[0]! : null,
    g.wanted[1] ? g.emit(`${op}_grad_weight`, [x, dy], { ...g.attrs, kernel: [kh, kw] })[0]! : null,
    g.wanted[2] ? g.emit("reduce_sum", [dy], { axes: [0, 1, 2], keepDims: false })[0]! : null,
  ];
}
