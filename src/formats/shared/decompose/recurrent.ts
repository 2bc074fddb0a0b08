import { HARD_SIGMOID, type RecurrentAttrs } from "../../../model/ops/shared/recurrent.js";
import type { TensorData, TensorType } from "../../../model/types.js";
import { insertAxis, reshapeTo, type Emitter } from "./emit.js";

/** Longest sequence that is written step by step; with a longer one a file would be little but steps. */
export const MOST_MOMENTS = 512;

/** The attributes of lstm, gru and rnn. */
export type StepAttrs = RecurrentAttrs & { readonly cellClip?: number | null; readonly linearBeforeReset?: boolean };

/** Gates along the rows of the weights, functions for each direction, and states; as the operators document them. */
const LAYOUTS: Readonly<Record<string, { gates: number; functions: number; states: number; step: StepOf }>> = {
  lstm: { gates: 4, functions: 3, states: 2, step: lstmStep },
  gru: { gates: 3, functions: 2, states: 1, step: gruStep },
  rnn: { gates: 1, functions: 1, states: 1, step: rnnStep },
};

/** Values of operand `i`, null where it is computed or absent. */
export type DataOf = (i: number) => TensorData | null;

/** Why lstm, gru or rnn on these operands cannot be written as its steps, or null where it can. */
export function whyNotUnrolled(inputs: readonly TensorType[], data: DataOf): string | null {
  const moments = inputs[0]!.shape[0]!;
  if (moments > MOST_MOMENTS) return `over ${moments} moments, of which at most ${MOST_MOMENTS} are written as steps`;
  // States (4 and 5) may be computed.
  const computed = inputs.some((_, i) => [1, 2, 3, 6].includes(i) && data(i) === null);
  return computed ? "with computed weights" : null;
}

/**
 * lstm, gru or rnn as its steps, in both directions: y [T, D, B, H] and the last states [D, B, H] of operators that every
 * runtime has. The product of the inputs is one for all moments.
 */
export function unrolled(e: Emitter, op: string, inputs: readonly string[], attrs: StepAttrs, data: DataOf): string[] {
  const { gates, functions, states, step: stepOf } = LAYOUTS[op]!;
  const [moments] = e.typeOf(inputs[0]!).shape as [number, number, number];
  const directions = e.typeOf(inputs[2]!).shape[0]!;
  const sides = Array.from({ length: directions }, (_, d) => {
    const cell = new Cell(e, { inputs, attrs, data, gates, functions, d });
    const step = stepOf(cell, attrs);
    let current = Array.from({ length: states }, (_, k) => cell.first(4 + k));
    const hidden = new Array<string>(moments);
    for (let n = 0; n < moments; n++) {
      const t = attrs.direction === "reverse" || d === 1 ? moments - 1 - n : n;
      current = step(t, current);
      hidden[t] = insertAxis(e, current[0]!, 0);
    }
    const sequence = insertAxis(e, joined(e, hidden, 0), 1);
    return { sequence, last: current.map((state) => insertAxis(e, state!, 0)) };
  });
  const y = joined(e, sides.map((s) => s.sequence), 1); // prettier-ignore
  return [y, ...Array.from({ length: states }, (_, k) => joined(e, sides.map((s) => s.last[k]!), 0))]; // prettier-ignore
}

const joined = (e: Emitter, parts: readonly string[], axis: number): string =>
  parts.length === 1 ? parts[0]! : e.emit("concat", parts, { axis });

/** States [B, H] before a step, null for zeros; gives those after it. */
type Step = (t: number, states: readonly (string | null)[]) => string[];
type StepOf = (cell: Cell, attrs: StepAttrs) => Step;

interface Recurrence {
  readonly inputs: readonly string[];
  readonly attrs: StepAttrs;
  readonly data: DataOf;
  readonly gates: number;
  readonly functions: number;
  /** The direction, which is the first axis of every weight. */
  readonly d: number;
}

/** One direction of a recurrence: what its steps are made of. */
class Cell {
  private readonly h: number;
  private readonly rows: number;
  /** Inputs' products with their bias, of all moments: [T, B, gates * H]. */
  private readonly products: string;
  private readonly known = new Map<string, string>();

  constructor(
    private readonly e: Emitter,
    private readonly of: Recurrence,
  ) {
    this.h = e.typeOf(of.inputs[2]!).shape[2]!;
    this.rows = of.gates * this.h;
    const x = of.inputs[0]!;
    this.products = e.emit("dense", [x, this.matrix(1, 0, of.gates), ...this.bias(0, 0, of.gates)]);
  }

  private shared(key: string, make: () => string): string {
    const name = this.known.get(key) ?? make();
    this.known.set(key, name);
    return name;
  }

  /** Rows of `count` gates of operand 1 or 2, [D, rows, n], transposed for a product from the right: [n, count * H]. */
  private matrix(i: 1 | 2, first: number, count: number): string {
    return this.shared(`${i} ${first} ${count}`, () => {
      const n = this.e.typeOf(this.of.inputs[i]!).shape[2]!;
      const data = this.of.data(i)!;
      const [from, columns] = [this.of.d * this.rows + first * this.h, count * this.h];
      const out = new Float32Array(n * columns);
      for (let k = 0; k < columns; k++)
        for (let j = 0; j < n; j++) out[j * columns + k] = Number(data[(from + k) * n + j]);
      return this.e.constant([n, columns], out);
    });
  }

  /** The bias of `count` gates, [count * H]: half 0 is the inputs', half 1 the recurrent one. None where there is none. */
  private bias(half: 0 | 1, first: number, count: number): string[] {
    const data = this.of.data(3) as Float32Array | null;
    if (data === null) return [];
    const from = (2 * this.of.d + half) * this.rows + first * this.h;
    const columns = count * this.h;
    return [
      this.shared(`b ${half} ${first} ${count}`, () => this.e.constant([columns], data.slice(from, from + columns))),
    ];
  }

  /** The state that operand `i` gives to this direction, [B, H] or [1, H] for all samples; null for zeros. */
  first(i: number): string | null {
    const name = this.of.inputs[i];
    if (name === undefined || this.of.data(i)?.every((v) => Number(v) === 0)) return null;
    const { shape, batchAxis } = this.e.typeOf(name);
    const part = this.e.emit("slice", [name], { begin: [this.of.d, 0, 0], size: [1, -1, -1] });
    return reshapeTo(this.e, part, shape.slice(1), batchAxis === null ? null : batchAxis - 1);
  }

  /** The inputs' product of `count` gates at a moment. */
  input(t: number, first: number, count: number): string {
    const { shape, batchAxis } = this.e.typeOf(this.products);
    const columns = count * this.h;
    const part = this.e.emit("slice", [this.products], { begin: [t, 0, first * this.h], size: [1, -1, columns] });
    return reshapeTo(this.e, part, [shape[1]!, columns], batchAxis === null ? null : 0);
  }

  /** The recurrent product of `count` gates with its bias, of a state; null where that is zero. */
  recurrent(state: string | null, first: number, count: number): string | null {
    const bias = this.bias(1, first, count);
    return state === null ? (bias[0] ?? null) : this.e.emit("dense", [state, this.matrix(2, first, count), ...bias]);
  }

  /** Gate `k` of several side by side. */
  gate(x: string, k: number): string {
    return this.e.emit("slice", [x], { begin: [0, k * this.h], size: [-1, this.h] });
  }

  /** A sum or product in which null stands for zero. */
  sum(a: string, b: string | null): string {
    return b === null ? a : this.e.emit("add", [a, b]);
  }

  product(a: string, b: string | null): string | null {
    return b === null ? null : this.e.emit("mul", [a, b]);
  }

  /** Peephole `k` times the cell's state. */
  peephole(k: number, state: string | null): string | null {
    const data = this.of.data(6) as Float32Array | null;
    if (data === null || state === null) return null;
    const from = (this.of.d * 3 + k) * this.h;
    return this.product(
      state,
      this.shared(`peephole ${k}`, () => this.e.constant([this.h], data.slice(from, from + this.h))),
    );
  }

  /** Function `i` of this direction, of what the gates add up to. */
  f(i: number, x: string): string {
    return this.activated(i, this.clipped(x, this.of.attrs.clip));
  }

  /** The same without the clipping. */
  activated(i: number, x: string): string {
    const kind = this.of.attrs.activations[this.of.d * this.of.functions + i]!;
    if (kind === "linear") return x;
    const [alpha, beta] = this.of.attrs.hardSigmoid ?? HARD_SIGMOID;
    return this.e.emit(kind, [x], kind === "hard_sigmoid" ? { alpha, beta } : {});
  }

  clipped(x: string, limit: number | null | undefined): string {
    return limit == null ? x : this.e.emit("clip", [x], { min: -limit, max: limit });
  }

  /** (1 - z) * fresh + z * old. */
  blend(z: string, fresh: string, old: string | null): string {
    if (old === null) return this.e.emit("sub", [fresh, this.e.emit("mul", [z, fresh])]);
    return this.sum(fresh, this.product(z, this.e.emit("sub", [old, fresh])));
  }
}

/** Gates in the order input, output, forget, cell; see `src/model/ops/lstm.ts`. */
function lstmStep(cell: Cell, { cellClip }: StepAttrs): Step {
  return (t, [hidden, old]) => {
    const gates = cell.sum(cell.input(t, 0, 4), cell.recurrent(hidden!, 0, 4));
    const gate = (k: number, state: string | null): string =>
      cell.f(0, cell.sum(cell.gate(gates, k), cell.peephole(k, state)));
    const fresh = cell.product(gate(0, old!), cell.f(1, cell.gate(gates, 3)))!;
    const next = cell.clipped(old === null ? fresh : cell.sum(fresh, cell.product(gate(2, old!), old!)), cellClip);
    return [cell.product(gate(1, next), cell.activated(2, next))!, next];
  };
}

/** Gates in the order update, reset, hidden; see `src/model/ops/gru.ts`. */
function gruStep(cell: Cell, { linearBeforeReset }: StepAttrs): Step {
  return (t, [hidden]) => {
    const gates = cell.sum(cell.input(t, 0, 2), cell.recurrent(hidden!, 0, 2));
    const [update, reset] = [cell.f(0, cell.gate(gates, 0)), cell.f(0, cell.gate(gates, 1))];
    const past = linearBeforeReset
      ? cell.product(reset, cell.recurrent(hidden!, 2, 1))
      : cell.recurrent(cell.product(reset, hidden!), 2, 1);
    return [cell.blend(update, cell.f(1, cell.sum(cell.input(t, 2, 1), past)), hidden!)];
  };
}

function rnnStep(cell: Cell): Step {
  return (t, [hidden]) => [cell.f(0, cell.sum(cell.input(t, 0, 1), cell.recurrent(hidden!, 0, 1)))];
}
