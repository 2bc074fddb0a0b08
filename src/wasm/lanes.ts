/** SIMD instructions that do the same to every lane, and what each does to one, as bytes of WebAssembly. */

/** What the lanes of a vector are: four f32, four i32, two f64; `mask`: four truths, 0 or 1, of i32. */
export type Kind = "f32" | "i32" | "f64" | "mask";

export const LANES: Readonly<Record<Kind, number>> = { f32: 4, i32: 4, f64: 2, mask: 4 };

/** One lane: operands are put on the stack by their letters, other numbers are bytes of code. */
type Piece = "a" | "b" | number;

export interface LaneOp {
  readonly takes: readonly Kind[];
  readonly gives: Kind;
  readonly code: readonly Piece[];
}

const SELECT = 0x1b;
const F32_LT = 0x5d;
const F64_LT = 0x63;

const unary = (takes: Kind, gives: Kind, ...code: number[]): LaneOp => ({
  takes: [takes],
  gives,
  code: ["a", ...code],
});
const binary = (kind: Kind, code: number, gives = kind): LaneOp => ({
  takes: [kind, kind],
  gives,
  code: ["a", "b", code],
});
/** a or b, whichever the comparison of `code` wants: a where it is true. */
const choice = (kind: Kind, ...comparison: Piece[]): LaneOp => ({
  takes: [kind, kind],
  gives: kind,
  code: ["a", "b", ...comparison, SELECT],
});

const I32_ZERO = [0x41, 0] as const;
const MINUS_ONE = [0x41, 0x7f] as const;

/** By the second part of the opcode, after 0xfd. */
export const LANE_OPS: ReadonlyMap<number, LaneOp> = new Map<number, LaneOp>([
  // Comparisons.
  ...[0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f].map((code, i): [number, LaneOp] => [
    0x37 + i,
    binary("i32", code, "mask"),
  ]),
  ...[0x5b, 0x5c, 0x5d, 0x5e, 0x5f, 0x60].map((code, i): [number, LaneOp] => [0x41 + i, binary("f32", code, "mask")]),
  // Bits.
  [0x4d, { takes: ["i32"], gives: "i32", code: ["a", ...MINUS_ONE, 0x73] }], // not
  [0x4e, binary("i32", 0x71)], // and
  [0x4f, { takes: ["i32", "i32"], gives: "i32", code: ["a", "b", ...MINUS_ONE, 0x73, 0x71] }], // andnot
  [0x50, binary("i32", 0x72)], // or
  [0x51, binary("i32", 0x73)], // xor
  // i32x4; abs: a where 0 <= a, else 0 - a.
  [0xa0, { takes: ["i32"], gives: "i32", code: ["a", ...I32_ZERO, "a", 0x6b, ...I32_ZERO, "a", 0x4c, SELECT] }],
  [0xa1, { takes: ["i32"], gives: "i32", code: [...I32_ZERO, "a", 0x6b] }],
  [0xae, binary("i32", 0x6a)],
  [0xb1, binary("i32", 0x6b)],
  [0xb5, binary("i32", 0x6c)],
  [0xb6, choice("i32", "a", "b", 0x48)], // min_s
  [0xb7, choice("i32", "a", "b", 0x49)],
  [0xb8, choice("i32", "a", "b", 0x4a)], // max_s
  [0xb9, choice("i32", "a", "b", 0x4b)],
  // f32x4
  [0x67, unary("f32", "f32", 0x8d)], // ceil
  [0x68, unary("f32", "f32", 0x8e)], // floor
  [0x69, unary("f32", "f32", 0x8f)], // trunc
  [0x6a, unary("f32", "f32", 0x90)], // nearest
  [0xe0, unary("f32", "f32", 0x8b)], // abs
  [0xe1, unary("f32", "f32", 0x8c)], // neg
  [0xe3, unary("f32", "f32", 0x91)], // sqrt
  ...[0x92, 0x93, 0x94, 0x95, 0x96, 0x97].map((code, i): [number, LaneOp] => [0xe4 + i, binary("f32", code)]),
  // pmin is b where b < a, pmax b where a < b, else a.
  [0xea, { takes: ["f32", "f32"], gives: "f32", code: ["b", "a", "b", "a", F32_LT, SELECT] }],
  [0xeb, { takes: ["f32", "f32"], gives: "f32", code: ["b", "a", "a", "b", F32_LT, SELECT] }],
  // f64x2
  [0xec, unary("f64", "f64", 0x99)],
  [0xed, unary("f64", "f64", 0x9a)],
  [0xef, unary("f64", "f64", 0x9f)],
  ...[0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5].map((code, i): [number, LaneOp] => [0xf0 + i, binary("f64", code)]),
  [0xf6, { takes: ["f64", "f64"], gives: "f64", code: ["b", "a", "b", "a", F64_LT, SELECT] }],
  [0xf7, { takes: ["f64", "f64"], gives: "f64", code: ["b", "a", "a", "b", F64_LT, SELECT] }],
  // Conversions.
  [0xf8, unary("f32", "i32", 0xfc, 0)], // trunc_sat_s
  [0xf9, unary("f32", "i32", 0xfc, 1)],
  [0xfa, unary("i32", "f32", 0xb2)], // convert_s
  [0xfb, unary("i32", "f32", 0xb3)],
]);

/** Shifts take their count from the stack. */
export const SHIFTS: ReadonlyMap<number, number> = new Map([
  [0xab, 0x74],
  [0xac, 0x75],
  [0xad, 0x76],
]);

export const VALUE_TYPE = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
/** Type of the scalar that holds a lane. */
export const TYPE_OF: Readonly<Record<Kind, number>> = {
  f32: VALUE_TYPE.f32,
  i32: VALUE_TYPE.i32,
  mask: VALUE_TYPE.i32,
  f64: VALUE_TYPE.f64,
};
