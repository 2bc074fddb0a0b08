/** Cases of the operators that move, pick, order and fold values. */
import type { Attrs, Dtype, TensorType } from "../../../src/model/types.js";
import type { Draw, OpCase } from "../op-cases.js";

const x = (...shape: number[]): TensorType => ({ dtype: "f32", shape: [1, ...shape], batchAxis: 0 });
const w = (...shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis: null });
const as = (dtype: Dtype, type: TensorType): TensorType => ({ ...type, dtype });
const i32 = (type: TensorType): TensorType => as("i32", type);
/** The batch on another axis. */
const batched = (batchAxis: number, ...shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis });

const make = (op: string, title: string, attrs: Attrs, inputs: TensorType[], draw?: Draw[]): OpCase => ({
  op,
  title,
  attrs,
  inputs,
  ...(draw && { draw }),
});

const slices: OpCase[] = [
  ["every second", { begin: [0, 1, 0], size: [-1, -1, -1], steps: [1, 2, 1] }],
  ["every third of some", { begin: [0, 0, 1], size: [-1, 4, 2], steps: [1, 1, 3] }],
  ["backwards", { begin: [0, 4, 5], size: [-1, -1, -1], steps: [1, -1, -1] }],
  ["backwards in steps", { begin: [0, 3, 4], size: [-1, 2, -1], steps: [1, -2, -3] }],
].map(([title, attrs]) => make("slice", title as string, attrs as Attrs, [x(5, 6)]));

const pads: OpCase[] = (["reflect", "symmetric", "edge", "wrap"] as const).flatMap((mode) => [
  make("pad", mode, { before: [0, 2, 1, 0], after: [0, 1, 3, 0], value: 0, mode }, [x(4, 5, 3)]),
  make("pad", `${mode}, more than there is`, { before: [0, 5], after: [0, 7], value: 0, mode }, [x(3)]),
  make("pad", `${mode}, channels`, { before: [0, 0, 1], after: [0, 0, 2], value: 0, mode }, [x(2, 3)]),
]);

const gathers: OpCase[] = [
  make("gather", "rows", { axis: 1 }, [x(5, 3), i32(w(4))]),
  make("gather", "channels", { axis: 2 }, [x(3, 5), i32(w(7))]),
  make("gather", "one", { axis: 1 }, [x(5, 6), i32(w())]),
  make("gather", "a matrix of indices", { axis: 1 }, [x(5, 2), i32(w(2, 3))]),
  make("gather", "a table by a batch", { axis: 0 }, [w(6, 5), i32(x(4))]),
  make("gather", "columns of a table by a batch", { axis: 1 }, [w(2, 6), i32(x())]),
  make("gather", "the batch after the axis", { axis: 0 }, [batched(1, 4, 1, 3), i32(w(2, 2))]),
  make("gather", "a vector", { axis: 0 }, [w(6), i32(x(3))]),
];

const repeats: OpCase[] = [
  make("tile", "rows and channels", { repeats: [1, 2, 3] }, [x(3, 2)]),
  make("tile", "images", { repeats: [1, 2, 1, 2] }, [x(2, 3, 5)]),
  make("tile", "nothing", { repeats: [1, 1] }, [x(4)]),
  make("tile", "in front of the batch", { repeats: [3, 1, 2] }, [batched(1, 2, 1, 3)]),
  make("broadcast_to", "channels", { shape: [-1, 3, 4] }, [x(3, 1)]),
  make("broadcast_to", "rows of channels", { shape: [-1, 3, 5] }, [x(1, 5)]),
  make("broadcast_to", "new axes", { shape: [2, 3, -1, 4] }, [x(4)]),
  make("broadcast_to", "a scalar", { shape: [2, 3] }, [w()]),
];

const image = { rounding: "round_prefer_floor", cubicCoefficient: -0.75, excludeOutside: false };
const resized = (title: string, attrs: Attrs, ...shape: number[]): OpCase =>
  make("resize", title, { ...image, ...attrs }, [x(...shape)]);

const resizes: OpCase[] = [
  ...["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"].flatMap(
    (coordinates) => [
      resized(
        `linear, ${coordinates}, larger`,
        { sizes: [7, 8], mode: "linear", coordinates, scales: [1.8, 2] },
        4,
        4,
        5,
      ),
      resized(
        `linear, ${coordinates}, TensorFlow`,
        { sizes: [5, 3], mode: "linear", coordinates, scales: null },
        3,
        6,
        3,
      ),
      resized(`cubic, ${coordinates}`, { sizes: [7, 3], mode: "cubic", coordinates, scales: [1.75, 0.5] }, 4, 6, 6),
      resized(`nearest, ${coordinates}`, { sizes: [6, 3], mode: "nearest", coordinates, scales: [1.5, 0.6] }, 4, 5, 5),
    ],
  ),
  ...["floor", "ceil", "round_prefer_ceil"].map((rounding) =>
    resized(
      `nearest, ${rounding}`,
      { sizes: [7, 8], mode: "nearest", coordinates: "asymmetric", rounding, scales: null },
      3,
      4,
      4, // prettier-ignore
    ),
  ),
  resized(
    "cubic, nothing outside",
    { sizes: [5, 6], mode: "cubic", coordinates: "half_pixel", excludeOutside: true, cubicCoefficient: -0.5 },
    4,
    3,
    4, // prettier-ignore
  ),
  resized("one pixel", { sizes: [3, 1], mode: "linear", coordinates: "align_corners" }, 1, 4, 9),
  make(
    "resize",
    "integers",
    { ...image, sizes: [4, 6], mode: "nearest", coordinates: "tf_half_pixel_for_nn", rounding: "floor" },
    [i32(x(2, 3, 5))],
  ),
];

const orders: OpCase[] = [
  make("arg_reduce", "channels", { axis: 3, keepDims: false, kind: "max", last: false }, [x(3, 2, 6)]),
  make("arg_reduce", "rows, kept", { axis: 1, keepDims: true, kind: "min", last: false }, [x(5, 3)]),
  make("arg_reduce", "the last of equal ones", { axis: 1, keepDims: false, kind: "max", last: true }, [i32(x(12))]),
  make("arg_reduce", "the first of equal ones", { axis: 2, keepDims: false, kind: "min", last: false }, [
    i32(x(3, 12)),
  ]),
  make("top_k", "channels", { axis: 2, k: 3, largest: true }, [x(3, 7)], ["spread"]),
  make("top_k", "all rows, smallest first", { axis: 1, k: 5, largest: false }, [x(5, 3)], ["spread"]),
  make("top_k", "equal ones", { axis: 1, k: 6, largest: true }, [i32(x(15))]),
];

const folds: OpCase[] = [
  make("reduce_min", "global", { axes: [1, 2], keepDims: false }, [x(3, 4, 2)], ["spread"]),
  make("reduce_min", "channels, kept", { axes: [2], keepDims: true }, [x(3, 5)], ["spread"]),
  make("reduce_prod", "channels", { axes: [2], keepDims: false }, [x(3, 4)]),
  make("reduce_prod", "with zeros", { axes: [1, 3], keepDims: false }, [x(2, 5, 1)], ["relu"]),
  make("reduce_prod", "rows, kept", { axes: [1], keepDims: true }, [x(4, 3)]),
  ...["sum", "max", "min", "prod"].map((kind) =>
    make(`reduce_${kind}`, "integers", { axes: [1, 3], keepDims: kind === "max" }, [i32(x(2, 3, 3))]),
  ),
  make("cumsum", "rows", { axis: 1, exclusive: false, reverse: false }, [x(4, 3)]),
  make("cumsum", "channels, from the end", { axis: 2, exclusive: false, reverse: true }, [x(3, 6)]),
  make("cumsum", "without itself", { axis: 2, exclusive: true, reverse: false }, [x(2, 5, 3)]),
  make("cumsum", "integers", { axis: 1, exclusive: true, reverse: true }, [i32(x(7))]),
];

/** Moves do not care what a word stands for. */
const dtypes: OpCase[] = (["i32", "i8", "u8", "bool", "i64"] as const).flatMap((dtype) => [
  make("slice", dtype, { begin: [0, 3, 0], size: [-1, 2, -1], steps: [1, -2, 1] }, [as(dtype, x(4, 5))]),
  make("pad", dtype, { before: [0, 1, 0], after: [0, 0, 2], value: 1 }, [as(dtype, x(2, 3))]),
  make("pad", `${dtype}, mirrored`, { before: [0, 1, 0], after: [0, 0, 2], value: 0, mode: "reflect" }, [
    as(dtype, x(2, 3)),
  ]),
  make("gather", dtype, { axis: 1 }, [as(dtype, x(5, 3)), i32(w(4))]),
  make("tile", dtype, { repeats: [1, 2, 2] }, [as(dtype, x(2, 3))]),
  make("broadcast_to", dtype, { shape: [-1, 3, 2] }, [as(dtype, x(1, 2))]),
]);

export const movementCases: readonly OpCase[] = [
  ...slices,
  ...pads,
  ...gathers,
  ...repeats,
  ...resizes,
  ...orders,
  ...folds,
  ...dtypes,
];
