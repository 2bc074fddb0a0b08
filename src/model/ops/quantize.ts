import { defineOp } from "../define-op.js";
import { moved, needF32 } from "./shared/checks.js";
import { cutScales, mapScales, needScales, quantAttrs, stepsOf, type QuantAttrs } from "./shared/quant.js";
import { coupleAll } from "./shared/unary.js";

/**
 * q = round(x / scale) + zeroPoint, at the ends of the range where it lies outside. The quotient is rounded to f32.
 * ONNX `QuantizeLinear` (rounding: even), TFLite `QUANTIZE` (away).
 */
export const quantize = defineOp<QuantAttrs>({
  name: "quantize",
  summary: "integers of a scale and a zero point from reals",
  inputs: ["x"],
  outputs: ["q"],
  attrs: quantAttrs,
  infer([x], a) {
    needF32("quantize", [x!]);
    needScales("quantize", x!, a, a.dtype);
    return [{ ...x!, dtype: a.dtype }];
  },
  couple: coupleAll,
  cut: cutScales,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: ([x], a) => [mapScales(x!, a, (v, scale, zero) => stepsOf(v, scale, zero, a) + zero)],
  vjp: () => [null],
  tolerance: () => ({ kind: "exact" }),
});
