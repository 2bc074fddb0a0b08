/** Steps of the operators without weights, one function each. */
import { invariant } from "../model/errors.js";
import { hasOp } from "../model/ops/index.js";
import type { Dtype, Node, Shape, TensorData } from "../model/types.js";
import { calledOps, callsOf } from "../kernels/calls/index.js";
import { countedPads } from "../kernels/pool.js";
import { kernelStep } from "./kernel-step.js";
import { identityLoops, type MoveLoop, type Operand, type Step } from "./steps.js";

/** What an operator's lowering may ask and do. */
export interface StepSink {
  shape(name: string): Shape;
  /** Values of a constant, or null for a computed tensor. */
  constant(name: string): TensorData | null;
  dtype(name: string): Dtype;
  temporary(name: string, shape: Shape): string;
  readonly macs: number;
  push(step: Step): void;
}

type Lower = (node: Node, sink: StepSink) => void;

const base = (node: Node, sink: StepSink, y = node.outputs[0]!) => ({
  name: node.name,
  nodes: [node.name],
  y,
  macs: sink.macs,
});
const zeros = (shape: Shape): number[] => shape.map(() => 0);

const unary: Lower = (node, sink) => {
  sink.push({ ...base(node, sink), kind: "unary", op: node.op as "relu" | "relu6" | "sigmoid", x: node.inputs[0]! });
};

const binary: Lower = (node, sink) => {
  const op = node.op as "add" | "mul";
  let [a, b] = node.inputs as [string, string];
  const size = (name: string): number => sink.shape(name).reduce((n, d) => n * d, 1);
  // Both operators commute: the computed (and larger) operand comes first.
  if (sink.constant(a) || (!sink.constant(b) && size(a) < size(b))) [a, b] = [b, a];
  invariant(!sink.constant(a), "an operation on two constants was folded");
  const values = sink.constant(b) as Float32Array | null;
  const operand: Operand = values ? { values, shape: sink.shape(b) } : { tensor: b };
  sink.push({ ...base(node, sink), kind: "binary", op, a, b: operand });
};

const pool: Lower = (node, sink) => {
  const a = node.attrs as unknown as {
    kernel: [number, number];
    strides: [number, number];
    dilations?: [number, number];
    pads: [number, number, number, number];
    countIncludePad?: boolean;
    padsCounted?: [number, number, number, number];
  };
  sink.push({
    ...base(node, sink),
    kind: "pool",
    mode: node.op === "max_pool2d" ? "max" : "avg",
    x: node.inputs[0]!,
    kernel: a.kernel,
    strides: a.strides,
    dilations: a.dilations ?? [1, 1],
    pads: a.pads,
    counted: countedPads(a),
  });
};

/** One axis after the other from the last; both spatial axes of an image at once. Extents of 1 need no work. */
const reduce: Lower = (node, sink) => {
  const { axes } = node.attrs as unknown as { axes: number[]; keepDims: boolean };
  const op = node.op.slice("reduce_".length) as "sum" | "mean" | "max";
  const shape = [...sink.shape(node.inputs[0]!)];
  const left = axes.filter((axis) => shape[axis]! > 1);
  let x = node.inputs[0]!;
  while (left.length > 0) {
    const image = shape.length === 4 && left.includes(1) && left.includes(2);
    const now = image ? [1, 2] : [left.at(-1)];
    for (const axis of now) {
      left.splice(left.indexOf(axis), 1);
      shape[axis] = 1;
    }
    const y = sink.temporary(`${node.outputs[0]!}@reduce`, [...shape]);
    sink.push({ ...base(node, sink, y), kind: "reduce", op, x, axes: now });
    x = y;
  }
  sink.push({ ...base(node, sink), kind: "alias", x });
};

const softmax: Lower = (node, sink) => {
  const { axis } = node.attrs as unknown as { axis: number };
  sink.push({ ...base(node, sink), kind: "softmax", x: node.inputs[0]!, axis });
};

const reshape: Lower = (node, sink) => {
  sink.push({ ...base(node, sink), kind: "alias", x: materialised(node, node.inputs[0]!, sink) });
};

const transpose: Lower = (node, sink) => {
  const { perm } = node.attrs as unknown as { perm: number[] };
  const x = node.inputs[0]!;
  const y = sink.shape(node.outputs[0]!);
  const loops: MoveLoop[] = perm.map((axis, i) => ({ count: y[i]!, x: { axis, step: 1 }, y: { axis: i, step: 1 } }));
  sink.push({ ...base(node, sink), kind: "move", x, loops, xBegin: zeros(y), yBegin: zeros(y) });
};

const slice: Lower = (node, sink) => {
  const { begin } = node.attrs as unknown as { begin: number[] };
  const y = sink.shape(node.outputs[0]!);
  sink.push({
    ...base(node, sink),
    kind: "move",
    x: node.inputs[0]!,
    loops: identityLoops(y),
    xBegin: begin,
    yBegin: zeros(y),
  });
};

const pad: Lower = (node, sink) => {
  const { before, value } = node.attrs as unknown as { before: number[]; value: number };
  const x = node.inputs[0]!;
  const shape = sink.shape(x);
  sink.push({ ...base(node, sink), kind: "fill", value });
  sink.push({
    ...base(node, sink),
    kind: "move",
    x,
    loops: identityLoops(shape),
    xBegin: zeros(shape),
    yBegin: before,
  });
};

const concat: Lower = (node, sink) => {
  const { axis } = node.attrs as unknown as { axis: number };
  let at = 0;
  for (const x of node.inputs) {
    const shape = sink.shape(x);
    const yBegin = zeros(shape);
    yBegin[axis] = at;
    at += shape[axis]!;
    sink.push({
      ...base(node, sink),
      kind: "move",
      x: materialised(node, x, sink),
      loops: identityLoops(shape),
      xBegin: zeros(shape),
      yBegin,
    });
  }
};

/** A constant operand as a tensor of its own. */
function materialised(node: Node, name: string, sink: StepSink): string {
  if (!sink.constant(name)) return name;
  const y = sink.temporary(`${name}@value`, sink.shape(name));
  const copy = { name: node.name, op: "copy", attrs: {}, inputs: [name], outputs: [y] };
  const dtype = sink.dtype(name);
  sink.push({ ...kernelStep(copy, { ...sink, dtype: () => dtype }), macs: 0 });
  return y;
}

const LOWERINGS: Readonly<Record<string, Lower>> = {
  relu: unary,
  relu6: unary,
  sigmoid: unary,
  add: binary,
  mul: binary,
  max_pool2d: pool,
  avg_pool2d: pool,
  reduce_mean: reduce,
  reduce_sum: reduce,
  reduce_max: reduce,
  softmax,
  reshape,
  transpose,
  slice,
  pad,
  concat,
};

export const PLAIN_OPS: readonly string[] = [...new Set([...Object.keys(LOWERINGS), ...calledOps])]
  .filter(hasOp)
  .sort();

/** Operators that move words, whatever they stand for. */
const MOVES = new Set(["transpose", "reshape", "slice", "concat"]);

/** Forms of an operator that its own lowering does not know. */
function needsCalls(node: Node, sink: StepSink): boolean {
  const { op, attrs, inputs, outputs } = node;
  if (!MOVES.has(op) && [...inputs, ...outputs].some((name) => sink.dtype(name) !== "f32")) return true;
  const constants = inputs.filter((name) => sink.constant(name)).length;
  switch (op) {
    case "slice":
      return ((attrs["steps"] as number[] | undefined) ?? []).some((s) => s !== 1);
    case "pad":
      return (attrs["mode"] ?? "constant") !== "constant";
    case "concat":
    case "reshape":
      return false;
    case "add":
    case "mul":
      return constants > 1;
    default:
      return constants > 0;
  }
}

/** How a node can be lowered: by code of its own, by the calls that host and device share, or not at all. */
export function plainForm(node: Node, sink: StepSink): "own" | "calls" | null {
  if (Object.hasOwn(LOWERINGS, node.op) && !needsCalls(node, sink)) return "own";
  return callsOf(node.op) ? "calls" : null;
}

export function lowerPlain(node: Node, sink: StepSink): void {
  if (plainForm(node, sink) === "own") LOWERINGS[node.op]!(node, sink);
  else sink.push(kernelStep(node, sink));
}
