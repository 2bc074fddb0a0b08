import { type Converter, type OnnxOp } from "../op.js";
import { batchFirst, onImage, padsOf, pairOf, refuseWindow, spatialOf, windowOf, type Window } from "./window.js";

/** Attributes of a pool over the spatial axes `axes`; those that are as usual are left out. */
function poolAttrs(w: Window, axes: readonly number[]): { kernel: [number, number] } & Record<string, unknown> {
  const dilations = pairOf(w.dilations, axes, 1);
  return {
    kernel: pairOf(w.kernel, axes, 1),
    strides: pairOf(w.strides, axes, 1),
    pads: padsOf(w.begin, w.end, axes),
    ...(dilations.some((d) => d !== 1) && { dilations }),
  };
}

function averageAttrs(op: OnnxOp, w: Window, axes: readonly number[]): { kernel: [number, number] } {
  const countIncludePad = op.int("count_include_pad", 0) !== 0;
  const padsCounted = padsOf(w.begin, w.stated, axes);
  const differ = countIncludePad && axes.some((i) => w.stated[i] !== w.end[i]);
  return { ...poolAttrs(w, axes), countIncludePad, ...(differ && { padsCounted }) } as { kernel: [number, number] };
}

/** Volumes are pooled over rows and columns, then over their depth: both the maximum and the mean of a box allow it. */
function pool(op: OnnxOp, ir: string, attrs: (w: Window, axes: readonly number[]) => object): void {
  const size = spatialOf(op);
  const w = windowOf(op, size);
  if (size.length < 3) {
    return onImage(op, (x) => [
      ir,
      [x],
      attrs(
        w,
        size.map((_, i) => i),
      ),
    ]);
  }
  const x = op.inputLast(0);
  const [n, d, h, wd, c] = op.typeOf(x).shape as [number, number, number, number, number];
  const images = batchFirst(op, "images", x, [n * d, h, wd, c]);
  const rows = op.step("rows", ir, [images], { ...attrs(w, [1, 2]) });
  const [, oh, ow] = op.typeOf(rows).shape as [number, number, number];
  const column = batchFirst(op, "depths", rows, [n, d, oh * ow, c]);
  const deep = op.step("deep", ir, [column], { ...attrs(onlyDepth(w), [0, 1]) });
  op.give(batchFirst(op, "volume", deep, [n, op.typeOf(deep).shape[1]!, oh, ow, c]), { last: true });
}

/** The window of the depth, beside an axis that it leaves alone. */
function onlyDepth(w: Window): Window {
  return {
    kernel: [w.kernel[0]!, 1],
    strides: [w.strides[0]!, 1],
    dilations: [w.dilations[0]!, 1],
    begin: [w.begin[0]!, 0],
    end: [w.end[0]!, 0],
    stated: [w.stated[0]!, 0],
  };
}

export const MaxPool: Converter = {
  refuse: (op) => (op.wants(1) ? "a second output" : refuseWindow(op)),
  convert(op) {
    if (op.dtype(0) === "f32") return pool(op, "max_pool2d", poolAttrs);
    // Integers of 8 bits are floats without loss.
    const floats = op.step("f32", "cast", [op.input(0)], { to: "f32" });
    const name = `${op.inputName(0)}/f32`;
    op.context.bind(name, { file: floats, dtype: "f32" });
    const inner = op.derived({ input: [name], output: [`${op.output}/f32`] });
    pool(inner, "max_pool2d", poolAttrs);
    op.emit("cast", [op.context.inFileOrder(inner.output)], { to: "i32" }, { dtype: op.dtype(0) });
  },
};

export const AveragePool: Converter = {
  refuse: refuseWindow,
  convert: (op) => pool(op, "avg_pool2d", (w, axes) => averageAttrs(op, w, axes)),
};

/** (sum |x|^p)^(1/p) over a window: an average of powers times the size of the window. */
export const LpPool: Converter = {
  refuse: refuseWindow,
  convert(op) {
    const p = op.int("p", 2);
    const powers = `${op.output}/powers`;
    const { x, last } = op.anyOrder;
    const power = op.step("powers", "pow", [op.step("abs", "abs", [x]), op.scalar("p", p)]);
    op.context.bind(powers, last ? { last: power, dtype: "f32" } : { file: power, dtype: "f32" });
    const inner = op.derived({ input: [powers], output: [`${op.output}/mean`] });
    const count = (op.ints("kernel_shape") ?? []).reduce((n, k) => n * k, 1);
    pool(inner, "avg_pool2d", (w, axes) => ({ ...poolAttrs(w, axes), countIncludePad: true }));
    const mean = op.context.inLastOrder(inner.output);
    const sum = op.step("sum", "mul", [mean, op.scalar("count", count)]);
    op.emitLast("pow", [sum, op.scalar("root", 1 / p)]);
  },
};

function spatialAxes(op: OnnxOp): number[] {
  const rank = op.type(0).shape.length;
  if (rank < 3) throw op.malformed(`needs an operand of rank 3 or more, got rank ${rank}`);
  return Array.from({ length: rank - 2 }, (_, i) => i + 1);
}

function globalPool(ir: string): Converter {
  return {
    convert: (op) => op.emitLast(ir, [op.inputLast(0)], { axes: spatialAxes(op), keepDims: true }),
  };
}

export const GlobalAveragePool = globalPool("reduce_mean");
export const GlobalMaxPool = globalPool("reduce_max");

export const GlobalLpPool: Converter = {
  convert(op) {
    const p = op.int("p", 2);
    const power = op.step("powers", "pow", [op.step("abs", "abs", [op.inputLast(0)]), op.scalar("p", p)]);
    const sum = op.step("sum", "reduce_sum", [power], { axes: spatialAxes(op), keepDims: true });
    op.emitLast("pow", [sum, op.scalar("root", 1 / p)]);
  },
};

/**
 * x / (bias + alpha / size * sum of squares over `size` neighbouring channels)^beta. The sum is an average over windows
 * that count their padding.
 */
export const LRN: Converter = {
  convert(op) {
    const size = op.int("size", 1);
    const x = op.inputLast(0);
    const { shape } = op.typeOf(x);
    const [n, c] = [shape[0]!, shape.at(-1)!];
    const pixels = shape.slice(1, -1).reduce((a, b) => a * b, 1);
    const square = batchFirst(op, "squares", op.step("square", "mul", [x, x]), [n, pixels, c, 1]);
    const before = Math.floor((size - 1) / 2);
    const mean = op.step("mean", "avg_pool2d", [square], {
      kernel: [1, size],
      strides: [1, 1],
      pads: [0, before, 0, size - 1 - before],
      countIncludePad: true,
    });
    const scaled = op.step("scaled", "mul", [
      batchFirst(op, "means", mean, shape),
      op.scalar("alpha", op.float("alpha", 1e-4)),
    ]);
    const base = op.step("base", "add", [scaled, op.scalar("bias", op.float("bias", 1))]);
    const power = op.step("power", "pow", [base, op.scalar("beta", op.float("beta", 0.75))]);
    op.emitLast("div", [x, power]);
  },
};
