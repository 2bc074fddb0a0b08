import { expect, test } from "vitest";
import { getOp } from "../../../src/model/ops/index.js";

/** Where several elements are the maximum, the first in row-major order takes the whole gradient, on every back end. */
test("reduce_max_grad gives to the first maximum", () => {
  const dx = getOp("reduce_max_grad").reference(
    [
      { data: new Float64Array([5]), shape: [1] },
      { data: new Float64Array([1, 3, 3, 3]), shape: [1, 4] },
      { data: new Float64Array([3]), shape: [1] },
    ],
    { axes: [1], keepDims: false },
    [[1, 4]],
  );
  expect([...dx[0]!.data]).toEqual([0, 5, 0, 0]);
});

test("max_pool2d_grad gives to the first maximum of each window", () => {
  const dx = getOp("max_pool2d_grad").reference(
    [
      { data: new Float64Array([1, 10]), shape: [1, 1, 2, 1] },
      { data: new Float64Array([7, 7, 7, 7, 0, 7]), shape: [1, 2, 3, 1] },
      { data: new Float64Array([7, 7]), shape: [1, 1, 2, 1] },
    ],
    { kernel: [2, 2], strides: [1, 1], pads: [0, 0, 0, 0] },
    [[1, 2, 3, 1]],
  );
  expect([...dx[0]!.data]).toEqual([1, 10, 0, 0, 0, 0]);
});
