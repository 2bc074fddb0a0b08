/** Tensors that are made from numbers: what is not evaluated at read already. */
import { tableSize } from "../../shared/check.js";
import { decodeTensor } from "../wire.js";
import { refuseComputed, refuseComputedShape, type Converter, type OnnxOp } from "../op.js";
import { computeDtype } from "../context.js";
import { Pieces } from "./pieces.js";

/** What the file states of the result; damaged files may have constants that could not be folded and state nothing. */
function statedShape(op: OnnxOp): number[] {
  const shape = op.stated();
  if (shape === null) throw op.unsupported("a result of unknown shape");
  return [...shape];
}

/** start, start + delta, ...; how many is what the file states. */
export const Range: Converter = {
  refuse: (op) => refuseComputedShape(op, { 0: "a start", 1: "an end", 2: "a step" }),
  convert(op) {
    const p = new Pieces(op);
    const count = tableSize(statedShape(op)[0] ?? 1, op.where);
    const [start, delta] = [op.input(0), op.input(2)].map((t) => p.reshape(t, [])) as [string, string];
    const places = p.range(count, 0);
    const steps = op.typeOf(start).dtype === "f32" ? p.float(places) : places;
    p.finish("add", [p.do("mul", [steps, delta]), start], {}, { dtype: op.dtype(0) });
  },
};

/** The shape that is asked for is what the file states. */
export const ConstantOfShape: Converter = {
  refuse: (op) => refuseComputedShape(op, { 0: "a shape" }),
  convert(op) {
    const p = new Pieces(op);
    const shape = statedShape(op);
    const tensor = op.attribute("value")?.t;
    const value = tensor ? decodeTensor(tensor, op.where) : null;
    const dtype = value?.dtype ?? "f32";
    const one = op.scalar("value", Number(value?.data[0] ?? 0), computeDtype(dtype));
    p.finish("broadcast_to", [one], { shape }, { dtype });
  },
};

/** a0 - a1 cos(2 pi i / n) + a2 cos(4 pi i / n) for i = 0, 1, ...; n is the size, less 1 where it is no period. */
function window(factors: readonly number[]): Converter {
  return {
    refuse: (op) => (op.stated() === null ? refuseComputed(op, { 0: "a size" }) : null),
    convert(op: OnnxOp) {
      const p = new Pieces(op);
      const size = tableSize(op.stated()?.[0] ?? op.scalarOf(0)!, op.where);
      const period = Math.max(op.int("periodic", 1) !== 0 ? size : size - 1, 1);
      const terms = factors.slice(1).map((a, k) => {
        const angles = Float32Array.from({ length: size }, (_, i) => (2 * Math.PI * (k + 1) * i) / period);
        return p.do("mul", [p.do("cos", [op.literal("angles", [size], angles)]), k % 2 === 0 ? -a : a]);
      });
      const sum = terms.reduce((a, b) => p.do("add", [a, b]));
      p.finish("add", [sum, factors[0]!]);
    },
  };
}

export const HannWindow = window([0.5, 0.5]);
export const HammingWindow = window([25 / 46, 21 / 46]);
export const BlackmanWindow = window([0.42, 0.5, 0.08]);
