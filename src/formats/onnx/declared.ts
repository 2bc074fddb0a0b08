/** Shapes of results that the file states. */
import type { NodeProto, ValueInfoProto } from "./generated/onnx_pb.js";

/** Operators whose result has the shape of operand 0. */
const SAME_SHAPE: ReadonlySet<string> = new Set(
  "Abs Cast CastLike Ceil Exp Floor Identity Log Neg Not Reciprocal Relu Round Sigmoid Sign Sqrt Tanh".split(" "),
);

/** Shapes of the graph's outputs that the file states in full. */
export function declaredShapes(outputs: readonly ValueInfoProto[]): ReadonlyMap<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const { name, type } of outputs) {
    const value = type?.value;
    if (value?.case !== "tensorType" || !value.value.shape) continue;
    const extents = value.value.shape.dim.map((d) => (d.value.case === "dimValue" ? Number(d.value.value) : 0));
    if (extents.every((d) => Number.isSafeInteger(d) && d > 0)) shapes.set(name, extents);
  }
  return shapes;
}

/** The shape of a value as far as the file states it: its own, or that of what is made of it element by element. */
export function declaredShape(
  name: string,
  declared: ReadonlyMap<string, readonly number[]>,
  soleReader: ReadonlyMap<string, NodeProto | null>,
): readonly number[] | null {
  // Readers of readers: a file has no circles by now, but a damaged one may.
  for (let steps = 0; steps < 16; steps++) {
    const own = declared.get(name);
    if (own) return own;
    const reader = soleReader.get(name);
    if (!reader || !SAME_SHAPE.has(reader.opType) || reader.input[0] !== name) return null;
    name = reader.output[0] ?? "";
  }
  return null;
}
