import { binaryOp } from "./shared/binary.js";
import { int32 } from "./shared/integer.js";

/** y = floor(a / b). TFLite `FLOOR_DIV`. */
export const floorDiv = binaryOp({
  name: "floor_div",
  summary: "floor(a / b) with broadcasting",
  f: (a, b) => Math.floor(a / b),
  integer: int32.floorDiv,
  gradient: [null, null],
  tolerance: { kind: "roundings", count: 1 },
});
