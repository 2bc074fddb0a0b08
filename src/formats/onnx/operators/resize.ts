import { axisOf } from "../../shared/check.js";
import { refuseComputedShape, shapeInFile, type Converter, type OnnxOp } from "../op.js";
import { Pieces, type Piece } from "./pieces.js";
import { resample, type Axis } from "./resample.js";

const MODES: Readonly<Record<string, string>> = {
  nearest: "nearest",
  linear: "linear",
  bilinear: "linear",
  cubic: "cubic",
};

const COORDINATES: readonly string[] = [
  "half_pixel",
  "half_pixel_symmetric",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
  "tf_half_pixel_for_nn",
  "tf_crop_and_resize",
];

/** How one axis changes. */
interface Change {
  readonly axis: number;
  readonly size: number;
  readonly scale: number;
  /** Only its size is stated. */
  readonly bySize: boolean;
}

interface Method {
  readonly mode: string;
  readonly coordinates: string;
  readonly rounding: string;
  readonly cubicCoefficient: number;
  readonly excludeOutside: boolean;
}

function refuseMethod(op: OnnxOp): string | null {
  const mode = op.string("mode", "nearest");
  if (!Object.hasOwn(MODES, mode)) return `mode ${mode}`;
  const coordinates = op.string("coordinate_transformation_mode", "half_pixel");
  return COORDINATES.includes(coordinates) ? null : `coordinate_transformation_mode ${coordinates}`;
}

/** What the IR's own operator has no form of. */
function needsMatrices(op: OnnxOp): boolean {
  const crop = op.string("coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  return crop || (op.int("antialias", 0) !== 0 && op.string("mode", "nearest") !== "nearest");
}

/** Scales, or sizes, that are computed; the file states the shape of the result then. */
function resizeByMatrices(op: OnnxOp, at: number): void {
  const p = new Pieces(op);
  const shape = shapeInFile(op, 0);
  const axes = (op.ints("axes") ?? shape.map((_, i) => i)).map((a) => axisOf(a, shape.length, op.where));
  const list = op.has(at) && op.type(at).shape[0] !== 0 ? at : 3;
  if (op.type(list).shape[0] !== axes.length) throw op.malformed(`has other than ${axes.length} scales or sizes`);
  const known = op.isComputed(list) ? null : op.constantInts(list, { atFileBatch: true })!;
  const to = known
    ? axes.map((axis, i) => (list === 3 ? known[i]! : Math.floor(shape[axis]! * known[i]! + 1e-9)))
    : axes.map((axis) => op.stated()![axis]!);
  const entry = (i: number): Piece => {
    if (known) return list === 3 ? known[i]! / shape[axes[i]!]! : known[i]!;
    const own = p.float(p.part(op.input(list), 0, i, 1));
    return list === 3 ? p.do("div", [own, shape[axes[i]!]!]) : own;
  };
  let scales = axes.map((_, i) => entry(i));
  const policy = op.string("keep_aspect_ratio_policy", "stretch");
  if (list === 3 && policy !== "stretch") {
    const ir = policy === "not_larger" ? "min" : "max";
    const kept = scales.reduce((a, b) =>
      typeof a === "number" && typeof b === "number" ? Math[ir](a, b) : p.do(ir, [a, b]),
    );
    scales = scales.map(() => kept);
    if (typeof kept === "number") axes.forEach((axis, i) => (to[i] = Math.floor(shape[axis]! * kept + 0.5)));
  }
  const method = methodOf(op);
  const roi = method.coordinates === "tf_crop_and_resize" ? p.float(op.input(1)) : null;
  const crop = (i: number): Axis["crop"] =>
    roi === null ? null : [p.part(roi, 0, i, 1), p.part(roi, 0, i + axes.length, 1)];
  const changes = axes
    .map((axis, i) => ({ axis, from: shape[axis]!, to: to[i]!, scale: scales[i]!, crop: crop(i) }))
    // A scale of 1 to the same extent changes nothing.
    .filter((a) => !(a.from === a.to && ((a.scale === 1 && roi === null) || a.from === 1)));
  const antialias = op.int("antialias", 0) !== 0;
  resample(op, changes, { ...method, antialias, extrapolation: op.float("extrapolation_value", 0) });
}

/** Operator set 10 and `Upsample` know one way of placing pixels. */
function methodOf(op: OnnxOp): Method {
  const old = op.node.opType === "Upsample" || op.opset < 11;
  return {
    mode: MODES[op.string("mode", "nearest")]!,
    coordinates: old ? "asymmetric" : op.string("coordinate_transformation_mode", "half_pixel"),
    rounding: old ? "floor" : op.string("nearest_mode", "round_prefer_floor"),
    cubicCoefficient: op.float("cubic_coeff_a", -0.75),
    excludeOutside: op.int("exclude_outside", 0) !== 0,
  };
}

/** Axes whose extent changes, or which are resampled although it does not. */
function changesOf(op: OnnxOp, scales: readonly number[] | null, sizes: readonly number[] | null): Change[] {
  const shape = shapeInFile(op, 0);
  const given = op.ints("axes") ?? shape.map((_, i) => i);
  const axes = given.map((a) => axisOf(a, shape.length, op.where));
  const list = scales ?? sizes;
  if (!list || list.length !== axes.length) {
    throw op.malformed(`has ${list?.length ?? 0} scales or sizes for ${axes.length} axes`);
  }
  const policy = op.string("keep_aspect_ratio_policy", "stretch");
  let kept: number | null = null;
  if (sizes && policy !== "stretch") {
    const ratios = axes.map((axis, i) => sizes[i]! / shape[axis]!);
    kept = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  }
  return axes
    .map((axis, i) => {
      const d = shape[axis]!;
      if (scales) return { axis, size: Math.floor(d * scales[i]! + 1e-9), scale: scales[i]!, bySize: false };
      if (kept !== null) return { axis, size: Math.floor(d * kept + 0.5), scale: kept, bySize: false };
      return { axis, size: sizes![i]!, scale: sizes![i]! / d, bySize: true };
    })
    .filter(({ axis, size, scale }) => size !== shape[axis] || scale !== 1 || (op.context.ours && axis > 1));
}

/** Two axes at a time: resampling is separable. Images are taken with channels last, anything else as [rest, a, b, 1]. */
function resizeAxes(op: OnnxOp, changes: readonly Change[]): void {
  const method = methodOf(op);
  const { shape, batchAxis } = op.type(0);
  for (const { axis, size } of changes) {
    if (size < 1) throw op.unsupported(`it leaves nothing of axis ${axis} of [${shape}]`);
    if (axis === batchAxis) throw op.unsupported("it resamples the batch");
  }
  const rank = shape.length;
  const [first, second] = changes;
  const attrs = (a: Change | undefined, b: Change | undefined, from: [number, number]): object => ({
    ...method,
    sizes: [a?.size ?? from[0], b?.size ?? from[1]],
    scales: [a, b].every((c) => c?.bySize !== false) ? null : [a?.scale ?? 1, b?.scale ?? 1],
  });
  if (changes.length === 0) return op.alias();
  if (rank === 4 && changes.every((c) => c.axis >= 2)) {
    const of = (axis: number): Change | undefined => changes.find((c) => c.axis === axis);
    return op.emitLast("resize", [op.inputLast(0)], { ...attrs(of(2), of(3), [shape[2]!, shape[3]!]) });
  }
  const others = shape.map((_, i) => i).filter((i) => i !== first!.axis && i !== second?.axis);
  const perm = [...others, first!.axis, ...(second ? [second.axis] : [])];
  const moved = perm.every((p, i) => p === i) ? op.input(0) : op.step("moved", "transpose", [op.input(0)], { perm });
  const type = op.typeOf(moved);
  const front = type.shape.slice(0, others.length);
  const [a, b] = [shape[first!.axis]!, second ? shape[second.axis]! : 1];
  const total = front.reduce((n, d) => n * d, 1);
  const image = op.step("image", "reshape", [moved], { shape: [type.batchAxis === null ? total : -1, a, b, 1] });
  const y = op.step("resized", "resize", [image], { ...attrs(first, second, [a, b]) });
  const back = [...front.map((d, i) => (i === type.batchAxis ? -1 : d)), first!.size, ...(second ? [second.size] : [])];
  const apart = op.step("apart", "reshape", [y], { shape: back });
  const inverse = perm.map((_, i) => perm.indexOf(i));
  const result = perm.every((p, i) => p === i) ? apart : op.step("back", "transpose", [apart], { perm: inverse });
  if (changes.length <= 2) return op.give(result, { dtype: op.dtype(0) });
  const name = `${op.output}/${changes.length}`;
  op.give(result, { output: name, dtype: op.dtype(0) });
  resizeAxes(op.derived({ input: [name], output: [op.output] }), changes.slice(2));
}

/** [x, scales] up to operator set 10, then [x, roi, scales, sizes]. */
export const Resize: Converter = {
  refuse: (op) =>
    refuseMethod(op) ??
    (op.opset < 11 ? refuseComputedShape(op, { 1: "scales" }) : refuseComputedShape(op, { 2: "scales", 3: "sizes" })),
  convert(op) {
    const at = op.opset < 11 ? 1 : 2;
    if (needsMatrices(op) || op.isComputed(at) || op.isComputed(3)) return resizeByMatrices(op, at);
    const scales = op.constantInts(at);
    const sizes = op.opset < 11 ? null : op.constantInts(3, { atFileBatch: true });
    resizeAxes(op, changesOf(op, scales && scales.length > 0 ? scales : null, sizes));
  },
};

/** Scales are an attribute, from operator set 9 an operand. */
export const Upsample: Converter = {
  refuse: (op) => refuseMethod(op) ?? refuseComputedShape(op, { 1: "scales" }),
  convert(op) {
    if (op.isComputed(1)) return resizeByMatrices(op, 1);
    resizeAxes(op, changesOf(op, op.floatList("scales") ?? op.constantInts(1), null));
  },
};
