import { defineOp } from "../define-op.js";
import { moved, needF32 } from "./shared/checks.js";
import { cutScales, mapScales, needScales, quantAttrs, stepsOf, type QuantAttrs } from "./shared/quant.js";
import { coupleAll } from "./shared/unary.js";

/**
 * The real that x becomes when it is quantised and dequantised again; NaN stays. Its gradient passes straight through.
 * TFLite `FAKE_QUANT`; simulates the rounding of integer kernels in a float graph.
 */
export const fakeQuantize = defineOp<QuantAttrs>({
  name: "fake_quantize",
  summary: "x rounded to what an integer of a scale and a zero point can hold",
  inputs: ["x"],
  outputs: ["y"],
  attrs: quantAttrs,
  infer([x], a) {
    needF32("fake_quantize", [x!]);
    needScales("fake_quantize", x!, a, a.dtype);
    return [x!];
  },
  couple: coupleAll,
  cut: cutScales,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: ([x], a) => [
    mapScales(x!, a, (v, scale, zero) => (Number.isNaN(v) ? v : stepsOf(v, scale, zero, a) * scale)),
  ],
  vjp: (g) => [g.gradOutputs[0]!],
  tolerance: () => ({ kind: "roundings", count: 1 }),
});
