import { defineOp } from "../define-op.js";
import { moved, needDtype } from "./shared/checks.js";
import { cutScales, mapScales, needScales, scaleAttrs, type ScaleAttrs } from "./shared/quant.js";
import { coupleAll } from "./shared/unary.js";

/** x = (q - zeroPoint) * scale. ONNX `DequantizeLinear`, TFLite `DEQUANTIZE`. */
export const dequantize = defineOp<ScaleAttrs>({
  name: "dequantize",
  summary: "reals from integers of a scale and a zero point",
  inputs: ["q"],
  outputs: ["x"],
  attrs: scaleAttrs,
  infer([q], a) {
    needDtype("dequantize", [q!], ["i8", "u8", "i32"]);
    needScales("dequantize", q!, a, q!.dtype);
    return [{ ...q!, dtype: "f32" }];
  },
  couple: coupleAll,
  cut: cutScales,
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference: ([q], a) => [mapScales(q!, a, (v, scale, zero) => (v - zero) * scale)],
  vjp: () => [null],
  // The product, and the conversion where the integer may have more than 24 bits.
  tolerance: ([q]) => ({ kind: "roundings", count: q!.dtype === "i32" ? 2 : 1 }),
});
