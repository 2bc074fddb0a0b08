import { IdapError } from "../../../model/errors.js";
import { sizeOf, stridesOf } from "../../../model/types.js";
import { axisOf } from "../../shared/check.js";
import { oneHot } from "../../shared/decompose/arithmetic.js";
import { reshapeTo, transposed } from "../../shared/decompose/emit.js";
import { refuseComputed, type Converter, type TfliteOp } from "../context.js";
import { F } from "../schema.js";

/** x, indices; `batch_dims` leading axes run along in both. */
const GATHER: Converter = {
  convert(op) {
    const [x, indices] = [op.input(0), op.input(1)];
    const rank = op.type(x).shape.length;
    const axis = axisOf(
      op.option((o) => o.i32(F.Gather.axis), 0),
      rank,
      op.where,
    );
    const dims = op.option((o) => o.i32(F.Gather.batchDims), 0);
    const along = dims < 0 ? dims + op.type(indices).shape.length : dims;
    if (along === 0) return op.result("gather", [x, indices], { axis });
    if (along > axis) throw new IdapError("E_FORMAT", `${op.where}: ${along} axes run along, the axis is ${axis}`);
    op.bind(gatherAlong(op, x, indices, axis, along));
  },
};

/**
 * x [b..., m..., n, r...] and indices [b..., i...] -> [b..., m..., i..., r...]: the leading axes are merged with the one
 * that is picked from, and every index is moved to its part.
 */
function gatherAlong(op: TfliteOp, x: string, indices: string, axis: number, along: number): string {
  const { shape } = op.type(x);
  const order = shape.map((_, k) => k);
  order.splice(along, 0, ...order.splice(axis, 1));
  const moved = transposed(op, x, order);
  const [leading, n] = [shape.slice(0, along), shape[axis]!];
  const rest = op.type(moved).shape.slice(along + 1);
  const parts = sizeOf(leading);
  const flat = reshapeTo(op, moved, [parts * n, ...rest], null);
  const places = op.type(indices).shape.slice(along);
  const first = op.constant(
    [...leading, ...places.map(() => 1)],
    Int32Array.from({ length: parts }, (_, i) => i * n),
  );
  const picked = op.emit("gather", [flat, op.emit("add", [indices, first])], { axis: 0 });
  // [b..., i..., m..., r...]: the middle goes back in front of the indices.
  const middle = axis - along;
  const out = [...leading, ...places, ...rest].map((_, k) => k);
  out.splice(along, 0, ...out.splice(along + places.length, middle));
  return transposed(op, picked, out);
}

/** x [e..., r...], indices [i..., e]: the indexed axes are merged, their indices become one. */
const GATHER_ND: Converter = {
  convert(op) {
    const [x, indices] = [op.input(0), op.input(1)];
    const { shape } = op.type(x);
    const { shape: places } = op.type(indices);
    const depth = places[places.length - 1] ?? 0;
    if (depth < 1 || depth > shape.length) {
      throw new IdapError("E_FORMAT", `${op.where}: indices [${places}] do not fit [${shape}]`);
    }
    const indexed = shape.slice(0, depth);
    const flat = depth === 1 ? x : reshapeTo(op, x, [sizeOf(indexed), ...shape.slice(depth)], null);
    const steps = op.constant([depth], Int32Array.from(stridesOf(indexed)));
    const offsets = depth === 1 ? indices : op.step("offsets", "mul", [indices, steps]);
    const one = op.emit("reduce_sum", [offsets], { axes: [places.length - 1], keepDims: false });
    op.result("gather", [flat, one], { axis: 0 });
  },
};

/** indices, depth, value where they hit, value elsewhere. */
const ONE_HOT: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "a depth" }),
  convert(op) {
    const indices = op.input(0);
    const rank = op.type(indices).shape.length;
    const axis = axisOf(
      op.option((o) => o.i32(F.OneHot.axis), 0),
      rank + 1,
      op.where,
    );
    const depth = op.ints(1)[0] ?? 0;
    if (depth < 1 || depth > 1 << 24) throw new IdapError("E_FORMAT", `${op.where}: the depth is ${depth}`);
    op.bind(oneHot(op, indices, { depth, axis, on: op.input(2), off: op.input(3), negative: false }));
  },
};

function extreme(kind: "max" | "min"): Converter {
  return {
    refuse: (op) => refuseComputed(op, { 1: "an axis" }),
    convert(op) {
      const x = op.input(0);
      const axis = axisOf(op.ints(1)[0] ?? 0, op.type(x).shape.length, op.where);
      op.result("arg_reduce", [x], { axis, keepDims: false, kind, last: false });
    },
  };
}

/** x, k; over the last axis. */
const TOPK_V2: Converter = {
  refuse: (op) => refuseComputed(op, { 1: "a count" }),
  convert(op) {
    const x = op.input(0);
    const axis = op.type(x).shape.length - 1;
    const k = op.ints(1)[0] ?? 0;
    const [values, indices] = op.steps("top", "top_k", [x], { axis, k, largest: true }) as [string, string];
    op.bind(values, 0);
    if (op.outputCount > 1) op.bind(indices, 1);
  },
};

export const indexing: Readonly<Record<string, Converter>> = {
  ARG_MAX: extreme("max"),
  ARG_MIN: extreme("min"),
  GATHER,
  GATHER_ND,
  ONE_HOT,
  TOPK_V2,
};
