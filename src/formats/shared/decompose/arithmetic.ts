import { insertAxis, type Emitter } from "./emit.js";

/** (a - b)^2. TFLite `SQUARED_DIFFERENCE`. */
export function squaredDifference(e: Emitter, a: string, b: string): string {
  const difference = e.emit("sub", [a, b]);
  return e.emit("mul", [difference, difference]);
}

/** Turns the order round along the given axes. TFLite `REVERSE_V2`, TF `ReverseV2`. */
export function reverse(e: Emitter, x: string, axes: readonly number[]): string {
  if (axes.length === 0) return x;
  const { shape } = e.typeOf(x);
  return e.emit("slice", [x], {
    begin: shape.map((d, axis) => (axes.includes(axis) ? d - 1 : 0)),
    size: shape.map(() => -1),
    steps: shape.map((_, axis) => (axes.includes(axis) ? -1 : 1)),
  });
}

/**
 * A new axis of `depth` before `axis`, which has `on` where its index is the value of `indices` and `off` elsewhere.
 * `on` and `off` are scalars (tensors of one element) of one type. ONNX `OneHot` counts negative indices from the end
 * (`negative`), TFLite `ONE_HOT` does not.
 */
export function oneHot(
  e: Emitter,
  indices: string,
  { depth, axis, on, off, negative }: { depth: number; axis: number; on: string; off: string; negative: boolean },
): string {
  const whole = e.typeOf(indices).dtype === "i32" ? indices : e.emit("cast", [indices], { to: "i32" });
  const at = insertAxis(e, whole, axis);
  const after = e.typeOf(at).shape.length - axis - 1;
  const range = (first: number): string =>
    e.constant(
      [depth, ...Array.from({ length: after }, () => 1)],
      Int32Array.from({ length: depth }, (_, i) => first + i),
    );
  let hit = e.emit("equal", [at, range(0)]);
  if (negative) hit = e.emit("logical_or", [hit, e.emit("equal", [at, range(-depth)])]);
  return e.emit("select", [hit, on, off]);
}
