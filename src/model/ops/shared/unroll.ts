/** Gradients of recurrent layers, through their steps written down one after the other. */
import type { VjpContext } from "../../define-op.js";
import type { TensorType } from "../../types.js";
import { HARD_SIGMOID, type RecurrentActivation, type RecurrentAttrs } from "./recurrent.js";
import { Tape } from "./tape.js";

/** What one step of one direction may use; tensors are [batch, ...]. */
export interface Unrolled {
  /** Gate `k` of the inputs' product at this moment, with its bias: [batch, units]. */
  input(k: number): string;
  /** Gate `k` of the recurrent product of a state, with its bias. */
  recurrent(k: number, state: string): string;
  /** Function `i` of this direction, after clipping where `clipped`. */
  f(i: number, x: string, clipped?: boolean): string;
  /** Row `k` of the peepholes, [1, units]; null where there are none. */
  peephole(k: number): string | null;
  readonly tape: Tape;
}

export interface Recurrence {
  readonly gates: number;
  readonly functions: number;
  readonly states: number;
  step(u: Unrolled, states: readonly string[]): string[];
}

/** The gradient rule of a recurrent operator: its graph grows with the sequence, but only training ever sees it. */
export function unrolledGradients<A extends RecurrentAttrs>(
  g: VjpContext<A>,
  { gates, functions, states, step }: Recurrence,
): (string | null)[] {
  const [dy, ...dFinals] = g.gradOutputs;
  const tape = new Tape(g);
  const seeds: [string, string][] = [];
  const [, directions, batch, h] = g.outputTypes[0]!.shape as [number, number, number, number];
  const steps = g.outputTypes[0]!.shape[0]!;
  for (let d = 0; d < directions; d++) {
    const cell = new Direction(g, tape, d, gates, functions, h);
    let state = Array.from({ length: states }, (_, k) => cell.first(4 + k));
    const backwards = g.attrs.direction === "reverse" || d === 1;
    for (let n = 0; n < steps; n++) {
      const t = backwards ? steps - 1 - n : n;
      state = step(cell.at(t), state);
      if (dy) seeds.push([state[0]!, part(g, dy, g.outputTypes[0]!, [t, d], batch, h)]);
    }
    dFinals.forEach((final, k) => {
      if (final) seeds.push([state[k]!, part(g, final, g.outputTypes[k + 1]!, [d], batch, h)]);
    });
  }
  return tape.gradients(seeds);
}

type Emit = (op: string, inputs: readonly string[], attrs: Record<string, unknown>) => string;

/** `[batch, units]` at the given first indices of a tensor [..., batch, units]. */
function take(emit: Emit, tensor: string, type: TensorType, at: readonly number[], last: number): string {
  const rank = type.shape.length;
  const whole = type.shape.map((d, k) => (k === type.batchAxis ? -1 : d));
  const begin = Array.from({ length: rank }, (_, k) => at[k] ?? 0);
  const size = whole.map((d, k) => (k < at.length ? 1 : d));
  const rows = type.batchAxis === null ? type.shape[rank - 2]! : -1;
  return emit("reshape", [emit("slice", [tensor], { begin, size })], { shape: [rows, last] });
}

function part(
  g: VjpContext<unknown>,
  tensor: string,
  type: TensorType,
  at: readonly number[],
  batch: number,
  h: number,
): string {
  const shaped: TensorType = { ...type, shape: [...type.shape.slice(0, -2), batch, h] };
  return take((op, inputs, attrs) => g.emit(op, inputs, attrs)[0]!, tensor, shaped, at, h);
}

class Direction {
  private readonly products: string;
  private readonly recurrentWeights: string;

  constructor(
    private readonly g: VjpContext<RecurrentAttrs>,
    private readonly tape: Tape,
    private readonly d: number,
    private readonly gates: number,
    private readonly functions: number,
    private readonly h: number,
  ) {
    const [x] = g.inputs as [string];
    const plain = { transposeA: false, transposeB: true };
    this.recurrentWeights = this.ofDirection(2);
    const product = tape.emit("matmul", [x, this.ofDirection(1)], plain);
    const bias = this.bias(0);
    this.products = bias === null ? product : tape.emit("add", [product, bias]);
  }

  /** Operand `i` without its first axis. */
  private ofDirection(i: number): string {
    const { shape } = this.g.inputTypes[i]!;
    const size = [1, ...shape.slice(1)];
    const begin = [this.d, ...shape.slice(1).map(() => 0)];
    const own = this.tape.emit("slice", [this.g.inputs[i]!], { begin, size });
    return this.tape.emit("reshape", [own], { shape: shape.slice(1) });
  }

  /** Half of the bias: 0 of the inputs' weights, 1 of the recurrent ones. */
  private bias(half: number): string | null {
    const name = this.g.inputs[3];
    if (name === undefined) return null;
    const n = this.gates * this.h;
    const own = this.tape.emit("slice", [name], { begin: [this.d, half * n], size: [1, n] });
    return this.tape.emit("reshape", [own], { shape: [n] });
  }

  /** The first state: operand `i`, or zeros; [batch or 1, units]. */
  first(i: number): string {
    const name = this.g.inputs[i];
    if (name === undefined) return this.tape.constant([1, this.h], new Float32Array(this.h));
    const emit: Emit = (op, inputs, attrs) => this.tape.emit(op, inputs, attrs);
    return take(emit, name, this.g.inputTypes[i]!, [this.d], this.h);
  }

  at(t: number): Unrolled {
    const { g, tape, h } = this;
    const emit: Emit = (op, inputs, attrs) => tape.emit(op, inputs, attrs);
    const now = take(emit, this.products, tape.typeOf(this.products), [t], this.gates * h);
    const columns = (x: string, k: number): string => {
      const { shape, batchAxis } = tape.typeOf(x);
      return tape.emit("slice", [x], { begin: [0, k * h], size: [batchAxis === 0 ? -1 : shape[0]!, h] });
    };
    const products = new Map<string, string>();
    const product = (state: string): string => {
      let known = products.get(state);
      if (known === undefined) {
        known = tape.emit("matmul", [state, this.recurrentWeights], { transposeA: false, transposeB: true });
        const bias = this.bias(1);
        if (bias !== null) known = tape.emit("add", [known, bias]);
        products.set(state, known);
      }
      return known;
    };
    return {
      tape,
      input: (k) => columns(now, k),
      recurrent: (k, state) => columns(product(state), k),
      f: (i, x, clipped = true) => {
        const { clip, activations, hardSigmoid } = g.attrs;
        const held = clipped && clip !== null ? tape.emit("clip", [x], { min: -clip, max: clip }) : x;
        return activate(tape, activations[this.d * this.functions + i]!, held, hardSigmoid ?? HARD_SIGMOID);
      },
      peephole: (k) => {
        const name = g.inputs[6];
        return name === undefined ? null : tape.emit("slice", [name], { begin: [this.d, k * h], size: [1, h] });
      },
    };
  }
}

function activate(tape: Tape, kind: RecurrentActivation, x: string, [alpha, beta]: readonly [number, number]): string {
  if (kind === "linear") return x;
  return kind === "hard_sigmoid" ? tape.emit(kind, [x], { alpha, beta }) : tape.emit(kind, [x]);
}
