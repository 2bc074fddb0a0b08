/**
 * Recurrent operators step by step: graph models have no operator for them but loops, which few readers know. One step
 * is a few nodes, so the length of the sequence is limited.
 */
import type { Node, TensorData } from "../../../model/types.js";
import { permute } from "../../shared/permute.js";
import { attr, type TfjsWriter, type Writer } from "./context.js";

const MAX_MOMENTS = 512;

interface Attrs {
  readonly direction: "forward" | "reverse" | "bidirectional";
  readonly activations: readonly string[];
  readonly clip: number | null;
  readonly hardSigmoid?: readonly [number, number];
  readonly cellClip?: number | null;
  readonly linearBeforeReset?: boolean;
}

const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  lstm: ["sigmoid", "tanh", "tanh"],
  gru: ["sigmoid", "tanh"],
  rnn: ["tanh"],
};

/** One direction of one node. */
class Unrolled {
  private readonly shape: readonly number[];
  readonly units: number;
  readonly moments: number;
  private readonly gates: number;

  constructor(
    private readonly w: TfjsWriter,
    private readonly node: Node,
    private readonly a: Attrs,
    private readonly d: number,
  ) {
    this.shape = w.typeOf(node.inputs[0]!).shape;
    this.moments = this.shape[0]!;
    const r = w.typeOf(node.inputs[2]!).shape;
    this.units = r[2]!;
    this.gates = r[1]! / this.units;
  }

  op(op: string, inputs: readonly (string | number)[], attrs: Record<string, object> = {}): string {
    const operands = inputs.map((v) => (typeof v === "number" ? this.w.scalar(v) : v));
    return this.w.add(`${this.node.name}/${op}`, op, operands, attrs);
  }

  /** The k-th activation of this direction. */
  f(k: number, value: string): string {
    const defaults = DEFAULTS[this.node.op]!;
    const name = this.a.activations[this.d * defaults.length + k] ?? defaults[k]!;
    switch (name) {
      case "sigmoid":
        return this.op("Sigmoid", [value]);
      case "tanh":
        return this.op("Tanh", [value]);
      case "relu":
        return this.op("Relu", [value]);
      case "hard_sigmoid": {
        const [alpha, beta] = this.a.hardSigmoid ?? [0.2, 0.5];
        return this.op("ClipByValue", [this.op("AddV2", [this.op("Mul", [value, alpha]), beta]), 0, 1]);
      }
      default:
        return value;
    }
  }

  clipped(value: string, limit: number | null | undefined): string {
    return limit == null ? value : this.op("ClipByValue", [value, -limit, limit]);
  }

  private data(i: number, what: string): Float32Array {
    const data: TensorData | undefined = this.w.data(this.node.inputs[i]!);
    if (data instanceof Float32Array) return data;
    throw this.w.unsupported(this.node, `has computed ${what}`);
  }

  /** Weights of this direction as [rows, gates * H]; input 1 or 2. */
  matrix(i: 1 | 2): string {
    const [, columns, rows] = this.w.typeOf(this.node.inputs[i]!).shape as [number, number, number];
    const size = columns * rows;
    const part = this.data(i, "weights").slice(this.d * size, (this.d + 1) * size);
    const turned = permute(part, [columns, rows], [1, 0]);
    return this.w.constant(`${this.node.name}/${i === 1 ? "w" : "r"}`, "f32", [rows, columns], turned);
  }

  /** Biases [gates * H] of the input and of the recurrent product. */
  biases(): [Float32Array, Float32Array] {
    const n = this.gates * this.units;
    if (this.node.inputs.length < 4) return [new Float32Array(n), new Float32Array(n)];
    const all = this.data(3, "biases").subarray(2 * n * this.d, 2 * n * (this.d + 1));
    return [all.slice(0, n), all.slice(n)];
  }

  vector(data: Float32Array): string {
    return this.w.constant(`${this.node.name}/bias`, "f32", [data.length], data);
  }

  /** A peephole of gate k (i, o, f), or null. */
  peephole(k: number): string | null {
    if (this.node.inputs.length < 7) return null;
    const h = this.units;
    const from = (this.d * 3 + k) * h;
    return this.vector(this.data(6, "peepholes").slice(from, from + h));
  }

  /** The state before the first step: [b, H], or [1, H] of zeros, which broadcasts. */
  initial(i: number): string {
    const state = this.node.inputs[i];
    if (state === undefined) {
      return this.w.constant(`${this.node.name}/zeros`, "f32", [1, this.units], new Float32Array(this.units));
    }
    const begin = this.w.ints([this.d, 0, 0]);
    const one = this.op("Slice", [this.w.ref(state), begin, this.w.ints([1, -1, -1])]);
    return this.op("Reshape", [one, this.w.ints([-1, this.units])]);
  }

  /** Input at one moment: [b, I]. */
  moment(t: number): string {
    const one = this.op("Slice", [this.w.ref(this.node.inputs[0]!), this.w.ints([t, 0, 0]), this.w.ints([1, -1, -1])]);
    return this.op("Reshape", [one, this.w.ints([-1, this.shape[2]!])]);
  }

  product(a: string, b: string): string {
    return this.op("MatMul", [a, b], { transpose_a: attr.bool(false), transpose_b: attr.bool(false) });
  }

  /** Columns of gate k. */
  gate(value: string, k: number): string {
    return this.op("Slice", [value, this.w.ints([0, k * this.units]), this.w.ints([-1, this.units])]);
  }

  sum(a: string, b: string | null): string {
    return b === null ? a : this.op("AddV2", [a, b]);
  }
}

type Step = (x: string, states: readonly string[]) => string[];

function lstmStep(u: Unrolled, a: Attrs): Step {
  const [w, r] = [u.matrix(1), u.matrix(2)];
  const [first, second] = u.biases();
  const bias = u.vector(first.map((v, i) => v + second[i]!));
  const peepholes = [0, 1, 2].map((k) => u.peephole(k));
  const peep = (k: number, c: string): string | null => (peepholes[k] ? u.op("Mul", [peepholes[k], c]) : null);
  return (x, [h, c]) => {
    const all = u.op("AddV2", [u.op("AddV2", [u.product(x, w), u.product(h!, r)]), bias]);
    const gate = (k: number, extra: string | null): string => u.clipped(u.sum(u.gate(all, k), extra), a.clip);
    const input = u.f(0, gate(0, peep(0, c!)));
    const forget = u.f(0, gate(2, peep(2, c!)));
    const cell = u.f(1, gate(3, null));
    const next = u.clipped(u.op("AddV2", [u.op("Mul", [forget, c!]), u.op("Mul", [input, cell])]), a.cellClip);
    const output = u.f(0, gate(1, peep(1, next)));
    return [u.op("Mul", [output, u.f(2, next)]), next];
  };
}

function gruStep(u: Unrolled, a: Attrs): Step {
  const [w, r] = [u.matrix(1), u.matrix(2)];
  const [first, second] = u.biases().map((b) => u.vector(b)) as [string, string];
  const recurrentHidden = u.gate(r, 2);
  return (x, [h]) => {
    const fromInput = u.op("AddV2", [u.product(x, w), first]);
    const fromState = u.op("AddV2", [u.product(h!, r), second]);
    const gate = (k: number): string =>
      u.f(0, u.clipped(u.op("AddV2", [u.gate(fromInput, k), u.gate(fromState, k)]), a.clip));
    const [update, reset] = [gate(0), gate(1)];
    const past = a.linearBeforeReset
      ? u.op("Mul", [reset, u.gate(fromState, 2)])
      : u.op("AddV2", [u.product(u.op("Mul", [reset, h!]), recurrentHidden), biasOf(u, 2)]);
    const fresh = u.f(1, u.clipped(u.op("AddV2", [u.gate(fromInput, 2), past]), a.clip));
    const kept = u.op("Mul", [update, h!]);
    return [u.op("AddV2", [u.op("Mul", [u.op("Sub", [1, update]), fresh]), kept])];
  };
}

/** Recurrent bias of one gate. */
function biasOf(u: Unrolled, k: number): string {
  return u.vector(u.biases()[1].slice(k * u.units, (k + 1) * u.units));
}

function rnnStep(u: Unrolled, a: Attrs): Step {
  const [w, r] = [u.matrix(1), u.matrix(2)];
  const [first, second] = u.biases();
  const bias = u.vector(first.map((v, i) => v + second[i]!));
  return (x, [h]) => {
    const sum = u.op("AddV2", [u.op("AddV2", [u.product(x, w), u.product(h!, r)]), bias]);
    return [u.f(0, u.clipped(sum, a.clip))];
  };
}

const STEPS: Readonly<Record<string, (u: Unrolled, a: Attrs) => Step>> = {
  lstm: lstmStep,
  gru: gruStep,
  rnn: rnnStep,
};

/** y [T, D, B, H] and the last states [D, B, H]. */
const unrolled: Writer = (w, node, a: Attrs) => {
  const directions = a.direction === "bidirectional" ? [false, true] : [a.direction === "reverse"];
  const count = node.op === "lstm" ? 2 : 1;
  const sides = directions.map((backwards, d) => {
    const u = new Unrolled(w, node, a, d);
    if (u.moments > MAX_MOMENTS) throw w.unsupported(node, `has ${u.moments} steps, more than ${MAX_MOMENTS}`);
    const step = STEPS[node.op]!(u, a);
    let states = Array.from({ length: count }, (_, i) => u.initial(4 + i));
    const moments: string[] = new Array<string>(u.moments);
    for (let i = 0; i < u.moments; i++) {
      const t = backwards ? u.moments - 1 - i : i;
      states = step(u.moment(t), states);
      moments[t] = states[0]!;
    }
    return { moments, states };
  });
  const pack = (of: string, list: readonly string[], axis: number): string =>
    w.add(of, "Pack", list, { N: attr.int(list.length), axis: attr.int(axis) });
  const y = pack(
    node.outputs[0]!,
    sides.map((s, d) => pack(`${node.name}/sequence_${d}`, s.moments, 0)),
    1,
  );
  return [y, ...Array.from({ length: count }, (_, i) => pack(node.outputs[1 + i]!, sides.map((s) => s.states[i]!), 0))]; // prettier-ignore
};

export const recurrent: Readonly<Record<string, Writer>> = { lstm: unrolled, gru: unrolled, rnn: unrolled };
