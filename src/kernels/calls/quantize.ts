import { INTEGER_RANGE, type QuantAttrs, type ScaleAttrs } from "../../model/ops/shared/quant.js";
import { defineCalls } from "../define-calls.js";
import { blocks } from "../strided.js";

/** Bytes of an entry of the table that the kernels read. */
const ENTRY = 16;
const ROUNDING = { away: 0, even: 1, code: 2 } as const;

type Scales = ScaleAttrs & Partial<Pick<QuantAttrs, "dtype">>;

/** {scale, lowest, highest, zero point}: all f32 but the zero point; bounds less the zero point. */
function scaleTable({ scale, zeroPoint, dtype }: Scales): Int32Array {
  const words = new Int32Array((ENTRY / 4) * scale.length);
  const floats = new Float32Array(words.buffer);
  const [low, high] = INTEGER_RANGE[dtype ?? "i32"];
  for (let i = 0; i < scale.length; i++) {
    const zero = zeroPoint[zeroPoint.length === 1 ? 0 : i]!;
    const at = (ENTRY / 4) * i;
    floats.set([scale[i]!, low - zero, high - zero], at);
    words[at + 3] = zero;
  }
  return words;
}

/** Between reals and integers of a scale and a zero point. */
export const quantize = defineCalls({
  ops: ["dequantize", "fake_quantize", "quantize"],
  inPlace: true,
  calls({ op, attrs, inputs: [x], outputs: [y], table, call }) {
    const a = attrs as unknown as QuantAttrs;
    const along = a.scale.length > 1 ? a.axis : null;
    const strides = y!.shape.map((_, axis) => (axis === along ? ENTRY : 0));
    const scales = { address: table(scaleTable(a)), strides };
    const rounding = op === "dequantize" ? [] : [ROUNDING[a.rounding]];
    for (const { extents, addresses, strides: s } of blocks(y!.shape, [x!, scales, y!])) {
      call("quantize", `${op}_words`, ...addresses, ...extents, ...s.flat(), ...rounding);
    }
  },
});
