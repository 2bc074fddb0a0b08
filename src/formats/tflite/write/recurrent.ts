import { dropAxis, insertAxis, reshapeTo } from "../../shared/decompose/emit.js";
import { calculator, Unwritable, type Calculator, type Decomposition, type Legaliser } from "./decompose.js";
import type { Use } from "./direct.js";

/** What one direction of a recurrence needs at every moment. */
interface Cell {
  readonly c: Calculator;
  readonly h: number;
  /** Rows first to first + count of the weights times x, with their bias. */
  input(x: string, first: number, count: number): string;
  /** The same of the recurrent weights times a state. */
  recurrent(state: string, first: number, count: number): string;
  /** The f-th function of this direction, after the gates' clipping. */
  f(i: number, x: string): string;
  /** Columns first to first + count of a matrix. */
  columns(x: string, first: number, count: number): string;
}

type Step = (cell: Cell, x: string, states: readonly string[]) => string[];

/** Longest sequence that is written step by step; longer ones would make the file mostly steps. */
const LONGEST = 512;

/**
 * A recurrence as its steps, for both directions: y [T, D, B, H] and the last states [D, B, H].
 * Weights must be constants; states may be computed.
 */
function unrolled(
  e: Legaliser,
  inputs: readonly string[],
  attrs: any,
  use: Use,
  functions: number,
  states: number,
  stepOf: (d: number) => Step,
): string[] {
  const [x, w, r, b, ...initial] = inputs as [string, string, string, string?, ...string[]];
  const [t, batch, features] = use.inputs[0]!.shape as [number, number, number];
  const [directions, , h] = use.inputs[2]!.shape as [number, number, number];
  if (t > LONGEST || !use.constant(1) || !use.constant(2) || (b !== undefined && !use.constant(3)))
    throw new Unwritable();
  const open = use.inputs[0]!.batchAxis === null ? null : 0;
  const moments = Array.from({ length: t }, (_, k) => {
    const part = e.emit("slice", [x], { begin: [k, 0, 0], size: [1, -1, -1] });
    return reshapeTo(e, part, [batch, features], open);
  });
  const ys: string[][] = [];
  const lasts: string[][] = [];
  for (let d = 0; d < directions; d++) {
    const cell = cellOf(e, { w, r, b, d, h, features, attrs, functions }, use);
    const step = stepOf(d);
    let current = Array.from({ length: states }, (_, k) => initialState(e, initial[k], d, h, moments[0]!));
    const outputs = new Array<string>(t);
    for (let n = 0; n < t; n++) {
      const k = attrs.direction === "reverse" || d === 1 ? t - 1 - n : n;
      current = step(cell, moments[k]!, current);
      outputs[k] = insertAxis(e, insertAxis(e, current[0]!, 0), 0);
    }
    ys.push(outputs);
    lasts.push(current);
  }
  const join = (parts: string[], axis: number): string =>
    parts.length === 1 ? parts[0]! : e.emit("concat", parts, { axis });
  const y = join(ys.map((outputs) => join(outputs, 0)), 1); // prettier-ignore
  return [y, ...Array.from({ length: states }, (_, k) => join(lasts.map((s) => insertAxis(e, s[k]!, 0)), 0))]; // prettier-ignore
}

/** [B, H] of direction d; zeros where none is given, made of x so that they have its batch. */
function initialState(e: Legaliser, state: string | undefined, d: number, h: number, x: string): string {
  const zeros = (): string => {
    const [batch, features] = e.typeOf(x).shape as [number, number];
    if (e.typeOf(x).batchAxis === null) return e.constant([batch, h], new Float32Array(batch * h));
    const w = e.constant([features, h], new Float32Array(features * h));
    return e.emit("dense", [x, w]);
  };
  if (state === undefined) return zeros();
  const part = e.emit("slice", [state], { begin: [d, 0, 0], size: [1, -1, -1] });
  const flat = dropAxis(e, part, 0);
  // One state for all samples repeats over the batch.
  return e.typeOf(flat).shape[0] === e.typeOf(x).shape[0] && e.typeOf(flat).batchAxis === e.typeOf(x).batchAxis
    ? flat
    : e.emit("add", [zeros(), flat]);
}

interface Weights {
  readonly w: string;
  readonly r: string;
  readonly b: string | undefined;
  readonly d: number;
  readonly h: number;
  readonly features: number;
  readonly attrs: any;
  readonly functions: number;
}

function cellOf(e: Legaliser, { d, h, features, attrs, functions }: Weights, use: Use): Cell {
  const [w, r, b] = [1, 2, 3].map((i) => use.data(i) as Float32Array | null);
  const rows = w!.length / (use.inputs[2]!.shape[0]! * features);
  const c = calculator(e);
  const known = new Map<string, string>();
  const shared = (key: string, make: () => string): string => {
    const name = known.get(key) ?? make();
    known.set(key, name);
    return name;
  };
  /** Rows of a matrix [D, rows, n], transposed for a product from the right. */
  const matrix = (key: string, data: Float32Array, n: number, first: number, count: number): string =>
    shared(`${key} ${first} ${count}`, () => {
      const out = new Float32Array(n * count);
      for (let k = 0; k < count; k++)
        for (let i = 0; i < n; i++) out[i * count + k] = data[(d * rows + first + k) * n + i]!;
      return e.constant([n, count], out);
    });
  const bias = (key: string, offset: number, first: number, count: number): string[] =>
    b ? [shared(`${key} ${first} ${count}`, () => e.constant([count], b.slice((2 * d + offset) * rows + first, (2 * d + offset) * rows + first + count)))] : []; // prettier-ignore
  const clipped = (x: string): string =>
    attrs.clip === null ? x : e.emit("clip", [x], { min: -attrs.clip, max: attrs.clip });
  return {
    c,
    h,
    input: (x, first, count) =>
      e.emit("dense", [x, matrix("w", w!, features, first, count), ...bias("wb", 0, first, count)]),
    recurrent: (s, first, count) =>
      e.emit("dense", [s, matrix("r", r!, h, first, count), ...bias("rb", 1, first, count)]),
    f(i, x) {
      const kind = attrs.activations[d * functions + i] as string;
      const y = clipped(x);
      if (kind === "linear") return y;
      const [alpha, beta] = attrs.hardSigmoid ?? [0.2, 0.5];
      return kind === "hard_sigmoid" ? e.emit(kind, [y], { alpha, beta }) : e.emit(kind, [y]);
    },
    columns: (x, first, count) => e.emit("slice", [x], { begin: [0, first], size: [-1, count] }),
  };
}

/** Gates in the order input, output, forget, cell; see `src/model/ops/lstm.ts`. */
export const lstmSteps: Decomposition = (e, inputs, attrs, use) => {
  const peephole = use.data(6) as Float32Array | null;
  if (inputs.length > 6 && !peephole) throw new Unwritable();
  return unrolled(e, inputs, attrs, use, 3, 2, (d) => {
    const weights = new Map<number, string>();
    return ({ c, h, input, recurrent, f, columns }, x, [hidden, cell]) => {
      const gates = c.add(input(x, 0, 4 * h), recurrent(hidden!, 0, 4 * h));
      const gate = (k: number): string => columns(gates, k * h, h);
      const peep = (k: number, g: string, state: string): string => {
        if (!peephole) return g;
        const at = (d * 3 + k) * h;
        if (!weights.has(k)) weights.set(k, e.constant([h], peephole.slice(at, at + h)));
        return c.add(g, c.mul(state, weights.get(k)!));
      };
      const i = f(0, peep(0, gate(0), cell!));
      const forget = f(0, peep(2, gate(2), cell!));
      const sum = c.add(c.mul(forget, cell!), c.mul(i, f(1, gate(3))));
      const { cellClip } = attrs;
      const next = cellClip ? e.emit("clip", [sum], { min: -cellClip, max: cellClip }) : sum;
      const out = f(0, peep(1, gate(1), next));
      return [c.mul(out, outer(e, attrs.activations[d * 3 + 2], next, attrs)), next];
    };
  });
};

/** The function of the new cell state, which is not clipped. */
function outer(e: Legaliser, kind: string, x: string, attrs: any): string {
  if (kind === "linear") return x;
  const [alpha, beta] = attrs.hardSigmoid ?? [0.2, 0.5];
  return kind === "hard_sigmoid" ? e.emit(kind, [x], { alpha, beta }) : e.emit(kind, [x]);
}

/** Gates in the order update, reset, hidden; see `src/model/ops/gru.ts`. */
export const gruSteps: Decomposition = (e, inputs, attrs, use) =>
  unrolled(e, inputs, attrs, use, 2, 1, () => ({ c, h, input, recurrent, f }, x, [hidden]) => {
    const z = f(0, c.add(input(x, 0, h), recurrent(hidden!, 0, h)));
    const reset = f(0, c.add(input(x, h, h), recurrent(hidden!, h, h)));
    const memory = attrs.linearBeforeReset
      ? c.mul(reset, recurrent(hidden!, 2 * h, h))
      : recurrent(c.mul(reset, hidden!), 2 * h, h);
    const candidate = f(1, c.add(input(x, 2 * h, h), memory));
    // (1 - z) * candidate + z * hidden
    return [c.add(candidate, c.mul(z, c.sub(hidden!, candidate)))];
  });

export const rnnSteps: Decomposition = (e, inputs, attrs, use) =>
  unrolled(e, inputs, attrs, use, 1, 1, () => ({ c, h, input, recurrent, f }, x, [hidden]) => [
    f(0, c.add(input(x, 0, h), recurrent(hidden!, 0, h))),
  ]);
