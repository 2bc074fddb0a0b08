/** Operators on the bits of integers, as arithmetic: exact, since the IR's integers have 32 bits and wrap around. */
import type { Converter, OnnxOp } from "../op.js";
import { Pieces } from "./pieces.js";

/** Bits that an element type has here; what the file holds in 64 is computed in 32. */
function widthOf(op: OnnxOp): number {
  return ["i8", "u8"].includes(op.dtype(0)) ? 8 : 32;
}

/** 0 or 1 for each bit of x, the lowest first, along a new last axis. */
function bitsOf(p: Pieces, x: string, width: number): string {
  const { shape, batchAxis } = p.op.typeOf(x);
  const column = p.do("reshape", [x], { shape: [...shape.map((d, i) => (i === batchAxis ? -1 : d)), 1] });
  const powers = p.op.literal(
    "powers",
    [width - 1],
    Int32Array.from({ length: width - 1 }, (_, k) => 2 ** k),
  );
  const low = p.do("floor_mod", [p.do("floor_div", [column, powers]), 2]);
  // The highest bit of 32 is the sign; of 8 it is a bit like the others.
  const high =
    width === 32
      ? p.do("cast", [p.do("less", [column, 0])], { to: "i32" })
      : p.do("floor_mod", [p.do("floor_div", [column, 2 ** (width - 1)]), 2]);
  return p.do("concat", [low, high], { axis: shape.length });
}

function bitwise(join: (p: Pieces, a: string, b: string) => string): Converter {
  return {
    convert(op) {
      const p = new Pieces(op);
      const width = op.dtype(0) === "u8" ? 8 : 32;
      const y = join(p, bitsOf(p, op.input(0), width), bitsOf(p, op.input(1), width));
      const weights = op.literal(
        "weights",
        [width],
        Int32Array.from({ length: width }, (_, k) => (2 ** k) | 0),
      );
      const axes = [p.shape(y).length - 1];
      p.finish("reduce_sum", [p.do("mul", [y, weights])], { axes, keepDims: false }, { dtype: op.dtype(0) });
    },
  };
}

export const BitwiseAnd = bitwise((p, a, b) => p.do("min", [a, b]));
export const BitwiseOr = bitwise((p, a, b) => p.do("max", [a, b]));
export const BitwiseXor = bitwise((p, a, b) => p.do("cast", [p.do("not_equal", [a, b])], { to: "i32" }));

export const BitwiseNot: Converter = {
  convert(op) {
    const all = op.dtype(0) === "u8" ? 255 : -1;
    new Pieces(op).finish("sub", [all, op.input(0)], {}, { dtype: op.dtype(0) });
  },
};

/** By less than 0 or by the whole width everything is shifted out: 0 is left, to the right of negative numbers -1. */
export const BitShift: Converter = {
  convert(op) {
    const p = new Pieces(op);
    const width = widthOf(op);
    const [x, by] = [op.input(0), op.input(1)];
    const possible = p.do("logical_and", [p.do("greater_equal", [by, 0]), p.do("less", [by, width])]);
    const two = op.scalar("two", 2, "i32");
    if (op.string("direction", "LEFT") === "LEFT") {
      const inside = op.step("inside", "clip", [by], { min: 0, max: width - 1 });
      const product = p.do("mul", [x, p.do("pow", [two, inside])]);
      return p.finish("mul", [product, p.do("cast", [possible], { to: "i32" })], {}, { dtype: op.dtype(0) });
    }
    // In two steps: 2^31 is no 32-bit number.
    const places = p.do("select", [possible, by, op.scalar("all", 31, "i32")]);
    const first = p.do("min", [places, 16]);
    const divisors = [first, p.do("sub", [places, first])].map((n) => p.do("pow", [two, n]));
    p.finish("floor_div", [p.do("floor_div", [x, divisors[0]!]), divisors[1]!], {}, { dtype: op.dtype(0) });
  },
};
