import { INTEGER_RANGE, type QuantAttrs, type ScaleAttrs } from "../../model/ops/shared/quant.js";
import { defineCalls } from "../define-calls.js";
import { blocks } from "../strided.js";

/** Bytes of an entry of the table that the kernels read. */
const ENTRY = 16;

/** {scale, lowest, highest, zero point}: the bounds less the zero point as f32, the zero point as i32. */
function scaleTable({ scale, zeroPoint, dtype }: ScaleAttrs & { dtype?: QuantAttrs["dtype"] }): Int32Array {
  const words = new Int32Array(4 * scale.length);
  const floats = new Float32Array(words.buffer);
  const [low, high] = INTEGER_RANGE[dtype ?? "i32"];
  scale.forEach((s, i) => {
    const zero = zeroPoint[zeroPoint.length === 1 ? 0 : i]!;
    floats.set([s, low - zero, high - zero], 4 * i);
    words[4 * i + 3] = zero;
  });
  return words;
}

/** Between reals and integers of a scale and a zero point. */
export const quantize = defineCalls({
  ops: ["dequantize", "fake_quantize", "quantize"],
  inPlace: true,
  calls({ op, attrs, inputs: [x], outputs: [y], table, call }) {
    const a = attrs as unknown as QuantAttrs;
    const strides = y!.shape.map((_, axis) => (axis === a.axis && a.scale.length > 1 ? ENTRY : 0));
    const scales = { address: table(scaleTable(a)), strides };
    const rounding = op === "dequantize" ? [] : [a.rounding === "even" ? 1 : 0];
    for (const { extents, addresses, strides: s } of blocks(y!.shape, [x!, scales, y!])) {
      call("quantize", `${op}_words`, ...addresses, ...extents, ...s.flat(), ...rounding);
    }
  },
});
