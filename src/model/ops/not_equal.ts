import { ORDERED, predicateOp } from "./shared/binary.js";

/** y = a is not b; true where one is NaN. TFLite `NOT_EQUAL`. */
export const notEqual = predicateOp({
  name: "not_equal",
  summary: "whether a differs from b",
  dtypes: [...ORDERED, "bool"],
  f: (a, b) => a !== b,
});
