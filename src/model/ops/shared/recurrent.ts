/** What lstm, gru and rnn share: operands, types, coupling and the walk over time. */
import { z } from "zod";
import type { Coupling } from "../../coupling.js";
import type { Cost, NdArray } from "../../define-op.js";
import { IdapError } from "../../errors.js";
import type { Shape, TensorType } from "../../types.js";
import { moved, needF32, needRank, showType } from "./checks.js";
import { EXP_ROUNDINGS } from "./exp.js";
import { zeros } from "./taps.js";

export const ACTIVATIONS = ["sigmoid", "tanh", "relu", "hard_sigmoid", "linear"] as const;
export type RecurrentActivation = (typeof ACTIVATIONS)[number];

export const recurrentAttrs = {
  direction: z.enum(["forward", "reverse", "bidirectional"]),
  /** For each direction in turn, the functions in the order that the operator documents. */
  activations: z.array(z.enum(ACTIVATIONS)),
  /** Values before the gates' activations are clipped to [-clip, clip]. */
  clip: z.number().positive().nullable(),
  /** hard_sigmoid(x) = max(0, min(1, alpha * x + beta)); [0.2, 0.5] without it. */
  hardSigmoid: z.tuple([z.number(), z.number()]).optional(),
};
export interface RecurrentAttrs {
  direction: "forward" | "reverse" | "bidirectional";
  activations: RecurrentActivation[];
  clip: number | null;
  hardSigmoid?: [number, number] | undefined;
}

export function directionsOf(a: Pick<RecurrentAttrs, "direction">): number {
  return a.direction === "bidirectional" ? 2 : 1;
}

export const HARD_SIGMOID: readonly [number, number] = [0.2, 0.5];

function activation(kind: RecurrentActivation, a: RecurrentAttrs): (x: number) => number {
  const [alpha, beta] = a.hardSigmoid ?? HARD_SIGMOID;
  switch (kind) {
    case "sigmoid":
      return (x) => 1 / (1 + Math.exp(-x));
    case "tanh":
      return Math.tanh;
    case "relu":
      return (x) => Math.max(x, 0);
    case "hard_sigmoid":
      return (x) => Math.max(0, Math.min(1, alpha * x + beta));
    case "linear":
      return (x) => x;
  }
}

/** Extents: time, batch, inputs, directions, hidden units. */
export interface Extents {
  readonly t: number;
  readonly b: number;
  readonly i: number;
  readonly d: number;
  readonly h: number;
}

/**
 * Checks [x, w, r, b?, h0?, ...more] of an operator with `gates` gates, `functions` activations for each direction, and
 * gives [y, hn, ...one for each further state].
 */
export function recurrentTypes(
  op: string,
  inputs: readonly TensorType[],
  a: RecurrentAttrs,
  { gates, functions, states }: { gates: number; functions: number; states: number },
): TensorType[] {
  const [x, w, r, bias] = inputs as [TensorType, TensorType, TensorType, TensorType?];
  needF32(op, inputs);
  for (const [name, t] of [
    ["x", x],
    ["w", w],
    ["r", r],
  ] as const)
    needRank(op, name, t, 3);
  const d = directionsOf(a);
  const [t, b, i] = x.shape as [number, number, number];
  const h = r.shape[2]!;
  if (x.batchAxis !== null && x.batchAxis !== 1) {
    throw new IdapError("E_BATCH", `${op} needs the batch on axis 1 of x (time first), got ${showType(x)}`);
  }
  const need = (name: string, type: TensorType | undefined, ...shapes: Shape[]): void => {
    const fits = (shape: Shape): boolean =>
      type?.shape.length === shape.length && type.shape.every((e, k) => e === shape[k]);
    if (type && !shapes.some(fits)) {
      const wanted = shapes.map((shape) => `[${shape}]`).join(" or ");
      throw new IdapError("E_SHAPE", `${op}: ${name} must be ${wanted}, got ${showType(type)}`);
    }
    if (type && type.batchAxis !== null && !(name.endsWith("0") && type.batchAxis === x.batchAxis)) {
      throw new IdapError("E_BATCH", `${op}: ${name} ${showType(type)} cannot have this batch axis`);
    }
  };
  need("w", w, [d, gates * h, i]);
  need("r", r, [d, gates * h, h]);
  need("b", bias, [d, 2 * gates * h]);
  for (let k = 0; k < states; k++) {
    const state = inputs[4 + k];
    // One state for all samples repeats over the batch.
    need(
      ["h0", "c0"][k]!,
      state,
      ...(state?.batchAxis === null && x.batchAxis !== null
        ? [[d, 1, h]]
        : [
            [d, b, h],
            [d, 1, h],
          ]),
    );
  }
  if (a.activations.length !== functions * d) {
    throw new IdapError(
      "E_ATTRS",
      `${op} takes ${functions} activations for each of ${d} direction(s), got [${a.activations}]`,
    );
  }
  const axis = (k: number): number | null => (x.batchAxis === null ? null : k);
  const state: TensorType = { dtype: "f32", shape: [d, b, h], batchAxis: axis(1) };
  return [{ dtype: "f32", shape: [t, d, b, h], batchAxis: axis(2) }, ...Array.from({ length: states }, () => state)];
}

/** Inputs may be cut; hidden units meet themselves in the next step through every gate, so they stay. */
export function coupleRecurrent(c: Coupling, states: number): void {
  const reason = "the hidden units of a recurrent layer feed one another over time";
  c.tie(c.input(0, 2), c.input(1, 2));
  c.freeze(c.input(0, 0), "a recurrent layer walks over it");
  c.freeze(c.output(0, 0), "a recurrent layer walks over it");
  const batch = [c.input(0, 1), c.output(0, 2), ...Array.from({ length: states }, (_, k) => c.output(k + 1, 1))];
  c.inputTypes.slice(4, 4 + states).forEach((t, k) => {
    if (t.shape[1] === c.inputTypes[0]!.shape[1]) batch.push(c.input(4 + k, 1));
  });
  c.tie(...batch);
  c.freeze(c.output(0, 3), reason);
  for (let k = 0; k < states; k++) c.freeze(c.output(k + 1, 2), reason);
  for (const [i, axes] of [
    [1, [0, 1]],
    [2, [0, 1, 2]],
  ] as const)
    for (const axis of axes) c.freeze(c.input(i, axis), reason);
}

export function recurrentCost(inputs: readonly TensorType[], outputs: readonly TensorType[], gates: number): Cost {
  const { t, b, i, d, h } = extentsOf(inputs[0]!, inputs[2]!);
  return { macs: t * b * d * gates * h * (i + h), bytes: moved(inputs, outputs) };
}

export function extentsOf(x: { readonly shape: Shape }, r: { readonly shape: Shape }): Extents {
  const [t, b, i] = x.shape as [number, number, number];
  return { t, b, i, d: r.shape[0]!, h: r.shape[2]! };
}

/** One sample and one direction, as a step of the recurrence sees them. */
export interface Cell {
  readonly direction: number;
  readonly h: number;
  readonly f: readonly ((x: number) => number)[];
  /** Row `row` of this direction's input weights times the inputs of this moment, plus their bias. */
  input(row: number): number;
  /** Row `row` of the recurrent weights times `state`, plus their bias. */
  recurrent(row: number, state: ArrayLike<number>): number;
  clip(x: number): number;
}

/**
 * Walks over time in f64. `step` gets the states of one sample and returns the next ones; the first is the hidden one.
 */
export function walk(
  inputs: readonly NdArray[],
  a: RecurrentAttrs,
  outputShapes: readonly Shape[],
  functions: number,
  step: (cell: Cell, states: readonly Float64Array[]) => Float64Array[],
): NdArray[] {
  const [x, w, r, bias] = inputs as [NdArray, NdArray, NdArray, NdArray?];
  const { t: length, b: batch, i: features, d: directions, h } = extentsOf(x, r);
  const gates = w.shape[1]!;
  const [y, ...finals] = outputShapes.map((shape) => zeros(shape));
  for (let d = 0; d < directions; d++) {
    const backwards = a.direction === "reverse" || d === 1;
    const f = a.activations.slice(d * functions, (d + 1) * functions).map((kind) => activation(kind, a));
    for (let s = 0; s < batch; s++) {
      let states = finals.map((_, k): Float64Array => {
        const from = inputs[4 + k];
        const at = from ? (d * from.shape[1]! + (from.shape[1] === 1 ? 0 : s)) * h : 0;
        return from ? from.data.slice(at, at + h) : new Float64Array(h);
      });
      for (let n = 0; n < length; n++) {
        const t = backwards ? length - 1 - n : n;
        const dot = (m: NdArray, row: number, v: ArrayLike<number>, first: number, count: number): number => {
          let sum = 0;
          for (let k = 0; k < count; k++) sum += m.data[(d * gates + row) * count + k]! * v[first + k]!;
          return sum;
        };
        const cell: Cell = {
          direction: d,
          h,
          f,
          input: (row) =>
            dot(w, row, x.data, (t * batch + s) * features, features) + (bias?.data[d * 2 * gates + row] ?? 0),
          recurrent: (row, state) => dot(r, row, state, 0, h) + (bias?.data[(d * 2 + 1) * gates + row] ?? 0),
          clip: (v) => (a.clip === null ? v : Math.max(-a.clip, Math.min(a.clip, v))),
        };
        states = step(cell, states);
        y!.set(states[0]!, ((t * directions + d) * batch + s) * h);
      }
      finals.forEach((final, k) => final.set(states[k]!, (d * batch + s) * h));
    }
  }
  return [y!, ...finals].map((data, k) => ({ data, shape: outputShapes[k]! }));
}

/**
 * Roundings after `steps` steps of a recurrence, relative to the largest sum of |terms| before an activation (at least 1).
 * Each step adds i + h products and two biases and passes an activation (an exponential, a sum, a quotient) and at most
 * `products` operations on states. It holds where one step does not enlarge a difference of states; where it does, the
 * roundings grow as the states do.
 */
export function recurrentRoundings(x: TensorType, r: TensorType, products: number): number {
  const { t, i, h } = extentsOf(x, r);
  return t * (2 * (i + h) + 2 + EXP_ROUNDINGS + 4 + products);
}
