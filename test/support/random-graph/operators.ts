/** How each operator is drawn: operands and attributes that are likely to fit the values that a draft has. */
import { opNames, getOp } from "../../../src/model/ops/index.js";
import type { Attrs, Dtype } from "../../../src/model/types.js";
import type { Draft, Value } from "./draft.js";

/** Adds a node of the operator and returns its output; null where this draft has nothing for it. */
type Draw = (d: Draft, op: string) => string | null;

/** Operators that a file may hold: those of training graphs are left out. */
export const PUBLIC_OPS: readonly string[] = opNames.filter((name) => !getOp(name).internal);

const smallest = (v: Value): number => Math.min(...v.at.flatMap(({ data }) => [...data]));
const largest = (v: Value): number => Math.max(...v.at.flatMap(({ data }) => [...data].map(Math.abs)));
const isFloat = (v: Value): boolean => v.type.dtype === "f32";
const isImage = (v: Value): boolean => isFloat(v) && v.type.shape.length === 4 && v.type.batchAxis !== 1 && v.type.batchAxis !== 2 && v.type.batchAxis !== 3; // prettier-ignore
const last = (v: Value): number => v.type.shape[v.type.shape.length - 1] ?? 1;
/** Axes that are not the batch. */
const axesOf = (v: Value): number[] => v.type.shape.map((_, i) => i).filter((i) => i !== v.type.batchAxis);

/** A value above 0, made of another one if need be. */
function positive(d: Draft): Value | null {
  const found = d.find((v) => isFloat(v) && smallest(v) > 0.05);
  if (found && d.chance(0.7)) return found;
  const x = d.find((v) => isFloat(v) && v.type.shape.length > 0);
  const size = x && d.node("abs", [x.name]);
  const y = size && d.node("add", [size, d.constant("f32", [1], "positive")]);
  return y ? d.value(y) : null;
}

const anyFloat: Draw = (d, op) => {
  const x = d.find(isFloat);
  return x && d.node(op, [x.name], UNARY_ATTRS[op]?.(d) ?? {});
};

const floatOrInt: Draw = (d, op) => {
  const x = d.find((v) => isFloat(v) || v.type.dtype === "i32");
  return x && d.node(op, [x.name], UNARY_ATTRS[op]?.(d) ?? {});
};

const abovezero: Draw = (d, op) => {
  const x = positive(d);
  return x && d.node(op, [x.name]);
};

const UNARY_ATTRS: Readonly<Record<string, (d: Draft) => Attrs>> = {
  elu: (d) => ({ alpha: d.pick([0.5, 1, 1.3]) }),
  selu: () => ({ alpha: 1.6732632423543772, gamma: 1.0507009873554805 }),
  leaky_relu: (d) => ({ alpha: d.pick([0.01, 0.2, 1.5]) }),
  hard_sigmoid: (d) => d.pick([{ alpha: 0.2, beta: 0.5 }, { alpha: 1 / 6, beta: 0.5 }]), // prettier-ignore
  gelu: (d) => ({ approximate: d.pick(["none", "tanh"]) }),
  clip: (d) => d.pick([{ min: -1, max: 2 }, { min: null, max: 1 }, { min: 0, max: null }]), // prettier-ignore
};

/** Something that broadcasts with `x`: itself, another value, or a constant that repeats along some axes. */
function partner(d: Draft, x: Value, how: "normal" | "positive" = "normal"): string {
  if (how === "normal" && d.chance(0.4)) {
    const other = d.find((v) => v.type.dtype === x.type.dtype && v.type.shape.length <= x.type.shape.length + 1);
    if (other && broadcasts(x, other)) return other.name;
  }
  const { shape, batchAxis } = x.type;
  const from = d.between(0, shape.length);
  const own = shape.slice(from).map((e, i) => (i + from === batchAxis || d.chance(0.25) ? 1 : e));
  // Extents of 1 of x may grow on the constant's side too.
  const grown = own.map((e, i) =>
    e === 1 && i + from !== batchAxis && shape[i + from] === 1 && d.chance(0.3) ? 2 : e,
  );
  return d.constant(x.type.dtype, grown, how);
}

function broadcasts(a: Value, b: Value): boolean {
  const [p, q] = [[...a.type.shape].reverse(), [...b.type.shape].reverse()];
  return p.every((e, i) => e === 1 || (q[i] ?? 1) === 1 || e === q[i]);
}

/** Operands in either order. */
function pair(d: Draft, op: string, a: string, b: string): string | null {
  return d.chance(0.5) ? d.node(op, [a, b]) : d.node(op, [b, a]);
}

const binary: Draw = (d, op) => {
  const x = d.find((v) => isFloat(v) || v.type.dtype === "i32");
  return x && pair(d, op, x.name, partner(d, x));
};

/** The divisor is not near 0: a constant or a positive value. */
const division: Draw = (d, op) => {
  if (d.chance(0.3)) {
    const x = d.find((v) => v.type.dtype === "i32");
    return x && pair(d, op, x.name, partner(d, x));
  }
  const x = d.find(isFloat);
  if (!x) return null;
  if (d.chance(0.5)) return d.node(op, [x.name, partner(d, x, "positive")]);
  const y = positive(d);
  return y && broadcasts(x, y) ? d.node(op, [x.name, y.name]) : null;
};

const pow: Draw = (d, op) => {
  if (d.chance(0.3)) {
    const x = d.find((v) => v.type.dtype === "i32");
    const e = x && d.fixed("i32", [], Float64Array.of(d.between(0, 3)));
    return x && d.node(op, [x.name, e!]);
  }
  if (d.chance(0.4)) {
    const x = d.find(isFloat);
    return x && d.node(op, [x.name, d.fixed("f32", [], Float64Array.of(d.pick([2, 3, 1, 0])))]);
  }
  const x = positive(d);
  return x && d.node(op, [x.name, partner(d, x)]);
};

const comparison: Draw = (d, op) => {
  const x = d.find((v) => v.type.dtype !== "bool" || op === "equal" || op === "not_equal");
  return x && pair(d, op, x.name, partner(d, x));
};

/** A truth value: one that is there, or whether something is above another. */
function truth(d: Draft): Value | null {
  const found = d.find((v) => v.type.dtype === "bool");
  if (found && d.chance(0.8)) return found;
  const x = d.find((v) => v.type.dtype !== "bool");
  const y = x && d.node(d.pick(["greater", "less_equal"]), [x.name, partner(d, x)]);
  return y ? d.value(y) : null;
}

const logical: Draw = (d, op) => {
  const x = truth(d);
  return x && d.node(op, op === "logical_not" ? [x.name] : [x.name, partner(d, x)]);
};

const select: Draw = (d, op) => {
  const condition = truth(d);
  const a = condition && d.find((v) => broadcasts(v, condition));
  if (!a) return null;
  const b = partner(d, a);
  return d.node(op, d.chance(0.5) ? [condition.name, a.name, b] : [condition.name, b, a.name]);
};

const DTYPES: readonly Dtype[] = ["f32", "i32", "i8", "u8", "bool", "i64"];

const cast: Draw = (d, op) => {
  const x = d.find(() => true);
  return x && d.node(op, [x.name], { to: d.pick(DTYPES) });
};

/** One scale, or one for each index of an axis. */
function scales(d: Draft, x: Value, dtype: string): Attrs {
  const axes = axesOf(x);
  const axis = axes.length > 0 && d.chance(0.4) ? d.pick(axes) : null;
  const n = axis === null ? 1 : x.type.shape[axis]!;
  const zero = dtype === "i32" ? 0 : dtype === "u8" ? 128 : d.between(-9, 9);
  return {
    scale: Array.from({ length: n }, () => d.pick([0.037, 0.5, 0.01, 0.25])),
    zeroPoint: [zero],
    axis,
  };
}

const quantize: Draw = (d, op) => {
  const x = d.find(isFloat);
  const dtype = d.pick(["i8", "u8", "i32"]);
  const rounding = d.pick(["away", "even"]);
  return x && d.node(op, [x.name], { dtype, ...scales(d, x, dtype), rounding });
};

const dequantize: Draw = (d, op) => {
  const found = d.find((v) => ["i8", "u8", "i32"].includes(v.type.dtype));
  const made = found ? found.name : quantize(d, "quantize");
  const x = made === null ? null : d.value(made);
  return x && d.node(op, [x.name], scales(d, x, x.type.dtype));
};

/** Sums of integers in another scale. */
const requantize: Draw = (d, op) => {
  const x = d.find((v) => v.type.dtype === "i32");
  if (!x) return null;
  const n = d.chance(0.5) ? last(x) : 1;
  return d.node(op, [x.name], {
    multiplier: Array.from({ length: n }, () => 2 ** 30 + d.random.int(2 ** 30)),
    shift: Array.from({ length: n }, () => d.between(-3, 3)),
    rounding: d.pick(["twice", "once"]),
    low: -128,
    high: 127,
    to: d.pick(["f32", "i32"]),
  });
};

interface Window {
  readonly kernel: [number, number];
  readonly strides: [number, number];
  readonly dilations: [number, number];
  readonly pads: [number, number, number, number];
}

function window(d: Draft): Window {
  const small = (): [number, number] => [d.between(1, 3), d.between(1, 3)];
  const one: [number, number] = [1, 1];
  return {
    kernel: small(),
    strides: d.chance(0.5) ? one : small(),
    dilations: d.chance(0.7) ? one : [d.between(1, 2), d.between(1, 2)],
    pads: d.chance(0.3) ? [0, 0, 0, 0] : [d.between(0, 2), d.between(0, 2), d.between(0, 2), d.between(0, 2)],
  };
}

/** Groups that divide `c`. */
function groupsOf(d: Draft, c: number): number {
  const all = Array.from({ length: c }, (_, i) => i + 1).filter((g) => c % g === 0);
  return d.chance(0.6) ? 1 : d.pick(all);
}

const conv: Draw = (d, op) => {
  const x = d.find(isImage);
  if (!x) return null;
  const ci = last(x);
  const groups = groupsOf(d, ci);
  const co = groups * d.between(1, Math.max(1, Math.floor(9 / groups)));
  const { kernel, ...geometry } = window(d);
  const w = d.constant("f32", [...kernel, ci / groups, co], "small");
  const bias = d.chance(0.6) ? [d.constant("f32", [co])] : [];
  return act(d, add(d, d.node(op, [x.name, w, ...bias], { ...geometry, groups })));
};

/** What fuses into convolutions and products: an addend of the same shape, and an activation. */
function add(d: Draft, y: string | null): string | null {
  if (y === null || !d.chance(0.3)) return y;
  const { type } = d.value(y);
  const other = d.find((v) => isFloat(v) && v.name !== y && String(v.type.shape) === String(type.shape));
  return other ? (d.node("add", [y, other.name]) ?? y) : y;
}

function act(d: Draft, y: string | null): string | null {
  if (y === null || !d.chance(0.3)) return y;
  return d.node(d.pick(["relu", "relu6", "sigmoid", "hard_swish"]), [y]) ?? y;
}

const depthwise: Draw = (d, op) => {
  const x = d.find(isImage);
  if (!x) return null;
  const c = last(x);
  const multiplier = d.between(1, 2);
  const { kernel, ...geometry } = window(d);
  const w = d.constant("f32", [...kernel, c, multiplier], "small");
  const bias = d.chance(0.6) ? [d.constant("f32", [c * multiplier])] : [];
  return act(d, d.node(op, [x.name, w, ...bias], { ...geometry }));
};

const convTranspose: Draw = (d, op) => {
  const x = d.find(isImage);
  if (!x) return null;
  const ci = last(x);
  const groups = groupsOf(d, ci);
  const per = d.between(1, 3);
  const { kernel, ...geometry } = window(d);
  const w = d.constant("f32", [...kernel, ci, per], "small");
  const bias = d.chance(0.6) ? [d.constant("f32", [groups * per])] : [];
  return d.node(op, [x.name, w, ...bias], { ...geometry, groups, outputPads: [d.between(0, 1), d.between(0, 1)] });
};

const dense: Draw = (d, op) => {
  const x = d.find((v) => isFloat(v) && v.type.shape.length > 0);
  if (!x) return null;
  const n = d.between(1, 9);
  const bias = d.chance(0.6) ? [d.constant("f32", [n])] : [];
  return act(d, add(d, d.node(op, [x.name, d.constant("f32", [last(x), n], "small"), ...bias])));
};

const matmul: Draw = (d, op) => {
  const a = d.find((v) => isFloat(v) && v.type.shape.length > 1);
  if (!a) return null;
  const [transposeA, transposeB] = [d.chance(0.4), d.chance(0.4)];
  const { shape } = a.type;
  const rank = shape.length;
  const k = shape[transposeA ? rank - 2 : rank - 1]!;
  if (d.chance(0.5)) {
    const b = d.find(
      (v) => isFloat(v) && v.type.shape.length > 1 && v.type.shape.at(transposeB ? -1 : -2) === k && v.name !== a.name,
    );
    const y = b && d.node(op, [a.name, b.name], { transposeA, transposeB });
    if (y) return y;
  }
  if (d.chance(0.3)) return d.node(op, [a.name, a.name], { transposeA, transposeB: !transposeA });
  const n = d.between(1, 9);
  const leading = d.chance(0.5) ? [] : shape.slice(0, -2).map((e, i) => (i === a.type.batchAxis ? 1 : e));
  const b = d.constant("f32", [...leading, ...(transposeB ? [n, k] : [k, n])], "small");
  return d.node(op, [a.name, b], { transposeA, transposeB });
};

/** Queries that exist, keys and values made of something that exists; with a mask now and then. */
const attention: Draw = (d, op) => {
  const q = d.find((v) => isFloat(v) && v.type.shape.length === 3 && v.type.batchAxis === 0);
  const from = d.find((v) => isFloat(v) && v.type.shape.length === 3 && v.type.batchAxis === 0);
  if (q?.type.shape[0] !== from?.type.shape[0] || !q || !from) return null;
  const heads = groupsOf(d, last(q));
  const kvHeads = groupsOf(d, heads);
  const project = (n: number): string =>
    d.node("dense", [from.name, d.constant("f32", [last(from), n], "small")]) ?? from.name;
  const key = project((last(q) / heads) * kvHeads);
  const value = project(d.between(1, 3) * kvHeads);
  const [tokens, keys] = [q.type.shape[1]!, from.type.shape[1]!];
  const mask = d.chance(0.3) ? [d.constant("f32", d.pick([[keys], [tokens, keys], [1, heads, 1, keys]]))] : [];
  return d.node(op, [q.name, key, value, ...mask], { heads, kvHeads, scale: d.pick([1, 0.35]), causal: d.chance(0.3) });
};

const batchNorm: Draw = (d, op) => {
  const x = d.find((v) => isFloat(v) && v.type.shape.length > 0);
  if (!x) return null;
  const c = [last(x)];
  const vectors = [d.constant("f32", c), d.constant("f32", c), d.constant("f32", c), d.constant("f32", c, "positive")];
  return act(d, d.node(op, [x.name, ...vectors], { epsilon: 1e-3 }));
};

/** No, one or two constants of `shape`. */
function scaleAndOffset(d: Draft, shape: number[]): string[] {
  return Array.from({ length: d.random.int(3) }, () => d.constant("f32", shape));
}

const layerNorm: Draw = (d, op) => {
  const x = d.find((v) => isFloat(v) && v.type.shape.length > 0);
  if (!x) return null;
  const axis = d.between((x.type.batchAxis ?? -1) + 1, x.type.shape.length);
  return d.node(op, [x.name, ...scaleAndOffset(d, x.type.shape.slice(axis))], { axis, epsilon: d.pick([1e-5, 1e-3]) });
};

const groupNorm: Draw = (d, op) => {
  const x = d.find((v) => isFloat(v) && v.type.shape.length > 1);
  if (!x) return null;
  const epsilon = d.pick([1e-5, 1e-3]);
  return d.node(op, [x.name, ...scaleAndOffset(d, [last(x)])], { groups: groupsOf(d, last(x)), epsilon });
};

/** Of pools: padding narrower than the kernel, so that windows seldom miss the image. */
function poolWindow(d: Draft): Window {
  const w = window(d);
  const [h, v] = w.kernel;
  return { ...w, pads: [d.between(0, h - 1), d.between(0, v - 1), d.between(0, h - 1), d.between(0, v - 1)] };
}

const maxPool: Draw = (d, op) => {
  const x = d.find(isImage);
  return x && d.node(op, [x.name], { ...poolWindow(d) });
};

const avgPool: Draw = (d, op) => {
  const x = d.find(isImage);
  const w = poolWindow(d);
  const counted = d.chance(0.3) ? { padsCounted: w.pads.map((p) => Math.min(p, 1)) } : {};
  return x && d.node(op, [x.name], { ...w, countIncludePad: d.chance(0.5), ...counted });
};

const reduction: Draw = (d, op) => {
  const x = d.find((v) => v.type.shape.length > 0 && (isFloat(v) || (v.type.dtype === "i32" && op !== "reduce_mean")));
  if (!x) return null;
  const axes = x.type.shape.map((_, i) => i).filter((i) => d.chance(i === x.type.batchAxis ? 0.1 : 0.5));
  if (axes.length === 0) axes.push(d.random.int(x.type.shape.length));
  return d.node(op, [x.name], { axes, keepDims: d.chance(0.5) });
};

const argReduce: Draw = (d, op) => {
  const x = d.find((v) => (isFloat(v) || v.type.dtype === "i32") && axesOf(v).length > 0);
  const attrs = { keepDims: d.chance(0.5), kind: d.pick(["max", "min"]), last: d.chance(0.3) };
  return x && d.node(op, [x.name], { axis: d.pick(axesOf(x)), ...attrs });
};

const topK: Draw = (d, op) => {
  const x = d.find((v) => (isFloat(v) || v.type.dtype === "i32") && axesOf(v).length > 0);
  if (!x) return null;
  const axis = d.pick(axesOf(x));
  return d.node(op, [x.name], { axis, k: d.between(1, x.type.shape[axis]!), largest: d.chance(0.6) });
};

const cumsum: Draw = (d, op) => {
  const x = d.find((v) => (isFloat(v) || v.type.dtype === "i32") && axesOf(v).length > 0);
  return x && d.node(op, [x.name], { axis: d.pick(axesOf(x)), exclusive: d.chance(0.5), reverse: d.chance(0.5) });
};

const softmax: Draw = (d, op) => {
  const x = d.find((v) => isFloat(v) && axesOf(v).length > 0);
  return x && d.node(op, [x.name], { axis: d.pick(axesOf(x)) });
};

const concat: Draw = (d, op) => {
  const x = d.find((v) => axesOf(v).length > 0);
  if (!x) return null;
  const axis = d.pick(axesOf(x));
  const alike = d.values.filter(
    (v) =>
      v.type.dtype === x.type.dtype &&
      v.type.batchAxis === x.type.batchAxis &&
      v.type.shape.length === x.type.shape.length &&
      v.type.shape.every((e, i) => i === axis || e === x.type.shape[i]),
  );
  const more = Array.from({ length: d.between(0, 2) }, () => d.pick(alike).name);
  if (x.type.batchAxis === null && d.chance(0.5)) more.push(d.constant(x.type.dtype, x.type.shape));
  return d.node(op, [x.name, ...more], { axis });
};

const transpose: Draw = (d, op) => {
  const x = d.find((v) => v.type.shape.length > 1);
  return x && d.node(op, [x.name], { perm: d.random.shuffle(x.type.shape.map((_, i) => i)) });
};

/** Neighbours merge, an axis splits, extents of 1 come and go; the batch stays an axis of its own. */
const reshape: Draw = (d, op) => {
  const x = d.find((v) => v.type.shape.length > 0);
  if (!x) return null;
  const shape = x.type.shape.map((e, i) => (i === x.type.batchAxis ? -1 : e));
  for (let n = d.between(1, 2); n > 0; n--) {
    const i = d.random.int(shape.length);
    const e = shape[i]!;
    if (i + 1 < shape.length && e > 0 && shape[i + 1]! > 0 && d.chance(0.6)) shape.splice(i, 2, e * shape[i + 1]!);
    else if (e > 1) {
      const factors = Array.from({ length: e }, (_, k) => k + 1).filter((k) => e % k === 0);
      const f = d.pick(factors);
      shape.splice(i, 1, f, e / f);
    } else if (shape.length < 5) shape.splice(i, 0, 1);
  }
  return d.node(op, [x.name], { shape });
};

const gather: Draw = (d, op) => {
  const indices = d.find((v) => v.type.dtype === "i32" && v.type.shape.length < 3);
  const x = d.find((v) => v.type.shape.length > 0);
  if (x && indices && d.chance(0.4)) {
    const y = d.node(op, [x.name, indices.name], { axis: d.random.int(x.type.shape.length) });
    if (y) return y;
  }
  if (indices && d.chance(0.5)) {
    return d.node(op, [d.constant("f32", [d.between(1, 6), d.between(1, 5)]), indices.name], { axis: d.between(0, 1) });
  }
  if (!x || axesOf(x).length === 0) return null;
  const shape = d.pick([[], [d.between(1, 6)], [2, 3]]);
  return d.node(op, [x.name, d.constant("i32", shape)], { axis: d.pick(axesOf(x)) });
};

const slice: Draw = (d, op) => {
  const x = d.find((v) => v.type.shape.length > 0);
  if (!x) return null;
  const parts = x.type.shape.map((e, i) => {
    if (i === x.type.batchAxis) return { begin: 0, size: -1, step: 1 };
    const begin = d.chance(0.5) ? 0 : d.random.int(e);
    const step = d.pick([1, 1, 2, -1, -2]);
    const most = Math.floor((step > 0 ? e - 1 - begin : begin) / Math.abs(step)) + 1;
    return { begin, size: d.chance(0.5) ? -1 : d.between(1, most), step };
  });
  const steps = parts.map((p) => p.step);
  return d.node(op, [x.name], {
    begin: parts.map((p) => p.begin),
    size: parts.map((p) => p.size),
    ...(steps.some((s) => s !== 1) || d.chance(0.3) ? { steps } : {}),
  });
};

const pad: Draw = (d, op) => {
  const x = d.find((v) => v.type.shape.length > 0);
  if (!x) return null;
  const width = (_: number, i: number): number => (i === x.type.batchAxis || d.chance(0.4) ? 0 : d.between(0, 3));
  const mode = d.pick([undefined, "constant", "reflect", "edge", "symmetric", "wrap"]);
  return d.node(op, [x.name], {
    before: x.type.shape.map(width),
    after: x.type.shape.map(width),
    value: x.type.dtype === "f32" ? d.pick([0, 0, -1.5]) : d.pick([0, 1]),
    ...(mode !== undefined && { mode }),
  });
};

const tile: Draw = (d, op) => {
  const x = d.find((v) => v.type.shape.length > 0);
  return (
    x && d.node(op, [x.name], { repeats: x.type.shape.map((_, i) => (i === x.type.batchAxis ? 1 : d.between(1, 3))) })
  );
};

const broadcastTo: Draw = (d, op) => {
  const x = d.find(() => true);
  if (!x) return null;
  const own = x.type.shape.map((e, i) => (i === x.type.batchAxis ? -1 : e === 1 ? d.between(1, 4) : d.pick([e, -1])));
  return d.node(op, [x.name], { shape: [...Array.from({ length: d.between(0, 1) }, () => d.between(1, 3)), ...own] });
};

const resize: Draw = (d, op) => {
  const mode = d.pick(["nearest", "linear", "cubic"]);
  const x = d.find((v) => v.type.shape.length === 4 && (mode === "nearest" || isFloat(v)));
  if (!x) return null;
  const sizes = [d.between(1, 8), d.between(1, 8)];
  const coordinates = d.pick(["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"]); // prettier-ignore
  return d.node(op, [x.name], {
    sizes,
    mode,
    coordinates,
    rounding: d.pick(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
    scales: d.chance(0.5) ? null : sizes.map((s, i) => s / x.type.shape[1 + i]!),
    cubicCoefficient: d.pick([-0.75, -0.5]),
    excludeOutside: mode === "cubic" && d.chance(0.3),
  });
};

const GATES: Readonly<Record<string, number>> = { lstm: 4, gru: 3, rnn: 1 };
const FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  lstm: ["sigmoid", "tanh", "tanh"],
  gru: ["sigmoid", "tanh"],
  rnn: ["tanh"],
};

const recurrent: Draw = (d, op) => {
  const fits = (v: Value): boolean => isFloat(v) && largest(v) < 5 && v.type.shape.length === 3;
  let x = d.find((v) => fits(v) && (v.type.batchAxis === 1 || v.type.batchAxis === null));
  const batchFirst = x ? null : d.find((v) => fits(v) && v.type.batchAxis === 0);
  const turned = batchFirst && d.node("transpose", [batchFirst.name], { perm: [1, 0, 2] });
  if (turned) x = d.value(turned);
  if (!x) return null;
  const direction = d.pick(["forward", "reverse", "bidirectional"]);
  const dirs = direction === "bidirectional" ? 2 : 1;
  const [h, g, i] = [d.between(1, 5), GATES[op]!, last(x)];
  const weights = [[dirs, g * h, i], [dirs, g * h, h], [dirs, 2 * g * h]]; // prettier-ignore
  const states = op === "lstm" ? 2 : 1;
  const more = d.chance(0.4) ? Array.from({ length: states }, () => [dirs, 1, h]) : [];
  if (op === "lstm" && more.length > 0 && d.chance(0.5)) more.push([dirs, 3 * h]);
  return d.node(op, [x.name, ...[...weights, ...more].map((shape) => d.constant("f32", shape, "small"))], {
    direction,
    activations: Array.from({ length: dirs }, () => FUNCTIONS[op]!).flat(),
    clip: d.chance(0.2) ? 0.5 : null,
    ...(op === "gru" && { linearBeforeReset: d.chance(0.5) }),
  });
};

const prelu: Draw = (d, op) => {
  const x = d.find(isFloat);
  return x && d.node(op, [x.name, partner(d, x)]);
};

const DRAWS: Readonly<Record<string, Draw>> = {
  ...Object.fromEntries(["abs", "neg", "sign", "clip"].map((op) => [op, floatOrInt])),
  ...Object.fromEntries(["log", "sqrt", "rsqrt", "reciprocal"].map((op) => [op, abovezero])),
  ...Object.fromEntries(["add", "sub", "mul", "min", "max"].map((op) => [op, binary])),
  ...Object.fromEntries(["div", "floor_div", "floor_mod", "mod_trunc"].map((op) => [op, division])),
  ...Object.fromEntries(
    ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"].map((op) => [op, comparison]),
  ),
  ...Object.fromEntries(["logical_and", "logical_or", "logical_xor", "logical_not"].map((op) => [op, logical])),
  ...Object.fromEntries(["sum", "mean", "max", "min", "prod"].map((kind) => [`reduce_${kind}`, reduction])),
  ...Object.fromEntries(["lstm", "gru", "rnn"].map((op) => [op, recurrent])),
  pow,
  prelu,
  select,
  cast,
  quantize,
  fake_quantize: quantize,
  dequantize,
  requantize,
  conv2d: conv,
  depthwise_conv2d: depthwise,
  conv_transpose2d: convTranspose,
  dense,
  matmul,
  attention,
  batch_norm: batchNorm,
  layer_norm: layerNorm,
  group_norm: groupNorm,
  max_pool2d: maxPool,
  avg_pool2d: avgPool,
  arg_reduce: argReduce,
  top_k: topK,
  cumsum,
  softmax,
  concat,
  transpose,
  reshape,
  gather,
  slice,
  pad,
  tile,
  broadcast_to: broadcastTo,
  resize,
};

/** Adds a node of `op`, and what it needs; whether that was possible. What has no entry above is a function of reals. */
export function drawOperator(d: Draft, op: string): boolean {
  return (DRAWS[op] ?? anyFloat)(d, op) !== null;
}
