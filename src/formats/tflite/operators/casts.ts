import { dtypeOf, isQuantised } from "../constants.js";
import type { Converter } from "../context.js";

/** Integers of a narrow type wrap around; inside, all integers are i32. */
const NARROW: Readonly<Record<string, string>> = { int8: "i8", uint8: "u8" };

const CAST: Converter = {
  convert(o) {
    const target = o.outputTensor();
    const to = dtypeOf(target, o.context.source.file);
    const raw = o.context.rawPort(o.index(0));
    if (raw !== undefined && to === "f32") return o.result("cast", [raw], { to });
    let x = o.input(0);
    const { dtype } = o.type(x);
    const narrow = isQuantised(target) ? undefined : NARROW[target.type];
    if (narrow !== undefined && o.fileTensor(0).type !== target.type) x = o.step("narrow", "cast", [x], { to: narrow });
    else if (dtype === to) return o.bind(x);
    o.result("cast", [x], { to });
  },
};

/**
 * To a quantised tensor from a float one or from one of another scale. The result is the operand, annotated: with the
 * rounding it is a second tensor, unless nobody else looks at the operand.
 */
const QUANTIZE: Converter = {
  convert(o) {
    const x = o.input(0);
    const annotated = o.context.builder.tensor(x)!.quant !== undefined;
    if (!annotated && o.context.readersOf(o.index(0)) > 1) {
      const { shape, batchAxis } = o.type(x);
      return o.result("reshape", [x], { shape: shape.map((d, i) => (i === batchAxis ? -1 : d)) });
    }
    o.bind(x);
  },
};

/** The floats that are computed with anyway; constants of 16 and 8 bits are decompressed while reading. */
const DEQUANTIZE: Converter = { convert: (o) => o.bind(o.input(0)) };

export const casts: Readonly<Record<string, Converter>> = { CAST, DEQUANTIZE, QUANTIZE };
