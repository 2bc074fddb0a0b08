import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { moved, needF32, showType } from "./shared/checks.js";
import { cutScales, mapScales, needScales, quantAttrs, stepsOf, type QuantAttrs } from "./shared/quant.js";
import { coupleAll } from "./shared/unary.js";

/** Throws unless there is one number of bits, or one for each channel, which may have scales of their own. */
function needBits(x: TensorType, { bits, axis }: QuantAttrs): void {
  const last = x.shape.length - 1;
  if (bits === null || bits.length === 1) return;
  if (bits.length !== x.shape[last] || (axis !== null && axis !== last)) {
    throw new IdapError("E_QUANT", `fake_quantize: ${showType(x)} has ${bits.length} numbers of bits for axis ${axis}`);
  }
}

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
    needBits(x!, a);
    return [x!];
  },
  couple: coupleAll,
  cut: (c, a) => ({
    ...cutScales(c, a),
    bits: a.bits && a.bits.length > 1 ? c.keptInput(0, -1).map((i) => a.bits![i]!) : a.bits,
  }),
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: ([x], a) => [
    mapScales(x!, a, (v, scale, zero, p) =>
      Number.isNaN(v) ? v : stepsOf(v, scale, zero, a, a.bits && a.bits[p % a.bits.length]!) * scale,
    ),
  ],
  vjp: (g) => [g.gradOutputs[0]!],
  tolerance: () => ({ kind: "roundings", count: 1 }),
});
