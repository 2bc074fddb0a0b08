import { IdapError } from "../../../model/errors.js";
import { partCount } from "../check.js";
import { dropAxis, insertAxis, type Emitter } from "./emit.js";

/** Elements begin ... begin + size - 1 of one axis; the other axes whole. */
function part(e: Emitter, x: string, axis: number, begin: number, size: number): string {
  const { shape } = e.typeOf(x);
  return e.emit("slice", [x], {
    begin: shape.map((_, k) => (k === axis ? begin : 0)),
    size: shape.map((_, k) => (k === axis ? size : -1)),
  });
}

/** Parts of the given sizes along `axis`. ONNX `Split`, TFLite `SPLIT` and `SPLIT_V`, TF `Split`. */
export function split(e: Emitter, x: string, axis: number, sizes: readonly number[]): string[] {
  const extent = e.typeOf(x).shape[axis]!;
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== extent || sizes.some((size) => size < 1)) {
    throw new IdapError("E_SHAPE", `split: parts of [${sizes}] do not make up axis ${axis}, which has ${extent}`);
  }
  if (sizes.length === 1) return [x];
  let begin = 0;
  return sizes.map((size) => {
    const from = begin;
    begin += size;
    return part(e, x, axis, from, size);
  });
}

/** `count` equal parts; where they cannot be equal, the last one is smaller (ONNX `num_outputs`). */
export function splitEvenly(e: Emitter, x: string, axis: number, count: number): string[] {
  const extent = e.typeOf(x).shape[axis]!;
  const size = Math.ceil(extent / count);
  const sizes = Array.from({ length: count }, (_, i) => Math.min(size, extent - i * size));
  return split(e, x, axis, sizes);
}

/** Joins tensors of one shape along a new axis. TFLite `PACK`, TF `Pack`, ONNX `ConcatFromSequence` with a new axis. */
export function stack(e: Emitter, inputs: readonly string[], axis: number): string {
  const parts = inputs.map((x) => insertAxis(e, x, axis));
  return parts.length === 1 ? parts[0]! : e.emit("concat", parts, { axis });
}

/** The tensors that `stack` joins. TFLite `UNPACK`, TF `Unpack`. */
export function unstack(e: Emitter, x: string, axis: number): string[] {
  const extent = e.typeOf(x).shape[axis]!;
  const ones = Array.from({ length: partCount(extent, `an axis of ${extent}`) }, () => 1);
  return split(e, x, axis, ones).map((slice) => dropAxis(e, slice, axis));
}
