import { defineCalls, type CallContext, type Operand } from "../define-calls.js";
import { copyWords, toPanels } from "../panels.js";
import { panelsBytes } from "../weights.js";

interface Attrs {
  direction: "forward" | "reverse" | "bidirectional";
  activations: string[];
  clip: number | null;
  hardSigmoid?: [number, number];
  cellClip?: number | null;
  linearBeforeReset?: boolean;
}

/** Codes of assembly/kernels/recurrent.ts. */
const KIND: Readonly<Record<string, number>> = { sigmoid: 0, tanh: 1, relu: 2, hard_sigmoid: 3, linear: 4 };
const GATES: Readonly<Record<string, number>> = { lstm: 4, gru: 3, rnn: 1 };
const FUNCTIONS: Readonly<Record<string, number>> = { lstm: 3, gru: 2, rnn: 1 };
const PEEPHOLE = 6;

const pad4 = (n: number): number => Math.ceil(n / 4) * 4;

/** One of the two products of a direction: which input holds its weights, and where its bias begins in b. */
interface Product {
  readonly input: 1 | 2;
  readonly direction: number;
  readonly gates: number;
  readonly units: number;
  /** Terms of one sum. */
  readonly k: number;
}

/** Panels of `gates` gates, each padded to whole panels, so that every gate is whole vectors. */
function panels(c: CallContext, product: Product): number {
  const { input, direction, gates, units, k } = product;
  const [w, bias] = [c.inputs[input]!, c.inputs[3]];
  const values = c.constant(input) as Float32Array | null;
  const biasValues = bias ? (c.constant(3) as Float32Array | null) : null;
  const firstBias = (direction * 2 + input - 1) * gates * units;
  const bytes = panelsBytes(gates * pad4(units), k);
  const gateBytes = panelsBytes(units, k);
  let address: number;
  if (values) {
    address = c.table(packGates(values, biasValues, product, firstBias));
    if (!bias || biasValues) return address;
    const own = c.temp(bytes);
    copyWords(c.call, { address, strides: [4] }, { address: own, strides: [4] }, [bytes / 4]);
    address = own;
  } else {
    address = c.temp(bytes);
    c.call("copy", "fill_value", address, bytes / 4, 0);
    const [first, unit, term] = w.strides as [number, number, number];
    for (let g = 0; g < gates; g++) {
      const from = w.address + direction * first + g * units * unit;
      toPanels(c.call, { address: from, strides: [term, unit] }, address + g * gateBytes + 16, [k, units], k);
    }
  }
  if (!bias) return address;
  const [base, stride] = biasValues
    ? [c.table(biasValues) + 4 * firstBias, 4]
    : [bias.address + direction * bias.strides[0]! + (input - 1) * gates * units * bias.strides[1]!, bias.strides[1]!];
  for (let g = 0; g < gates; g++) {
    toPanels(
      c.call,
      { address: base + g * units * stride, strides: [0, stride] },
      address + g * gateBytes,
      [1, units],
      k,
    );
  }
  return address;
}

function packGates(
  w: Float32Array,
  bias: Float32Array | null,
  { direction, gates, units, k }: Product,
  firstBias: number,
): Float32Array {
  const gate = panelsBytes(units, k) / 4;
  const out = new Float32Array(gates * gate);
  for (let g = 0; g < gates; g++)
    for (let u = 0; u < units; u++) {
      const row = g * units + u;
      const at = g * gate + Math.floor(u / 4) * 4 * (k + 1) + (u % 4);
      out[at] = bias?.[firstBias + row] ?? 0;
      for (let i = 0; i < k; i++) out[at + 4 * (1 + i)] = w[(direction * gates * units + row) * k + i]!;
    }
  return out;
}

/** First states of a direction, [batch][units padded], from h0 or c0 or zeros. */
function firstState(c: CallContext, input: number, direction: number, batch: number, units: number): number {
  const row = 4 * pad4(units);
  const address = c.temp(batch * row);
  const given = c.inputs[input];
  if (!given || units % 4 !== 0) c.call("copy", "fill_value", address, (batch * row) / 4, 0);
  if (given) {
    const from = given.address + direction * given.strides[0]!;
    const sample = given.shape[1] === 1 ? 0 : given.strides[1]!;
    copyWords(c.call, { address: from, strides: [sample, 4] }, { address, strides: [row, 4] }, [batch, units]);
  }
  return address;
}

/** Peepholes of a direction, [3][units padded]. */
function peepholes(c: CallContext, direction: number, units: number): number {
  const p = c.inputs[PEEPHOLE];
  if (!p) return 0;
  const row = 4 * pad4(units);
  const address = c.temp(3 * row);
  c.call("copy", "fill_value", address, (3 * row) / 4, 0);
  const from = { address: p.address + direction * p.strides[0]!, strides: [units * p.strides[1]!, p.strides[1]!] };
  copyWords(c.call, from, { address, strides: [row, 4] }, [3, units]);
  return address;
}

/** One direction: the inputs' products of all moments at once, then the walk over time. */
function walk(c: CallContext, direction: number): void {
  const a = c.attrs as unknown as Attrs;
  const [x, , r] = c.inputs as [Operand, Operand, Operand];
  const [y, ...finals] = c.outputs as [Operand, ...Operand[]];
  const [steps, batch, features] = x.shape as [number, number, number];
  const units = r.shape[2]!;
  const gates = GATES[c.op]!;
  const product = { direction, gates, units };
  const w = panels(c, { ...product, input: 1, k: features });
  const recurrent = panels(c, { ...product, input: 2, k: units });
  const row = 4 * gates * pad4(units);
  const g = c.temp(steps * batch * row);
  const pointwise = [4 * features, 1, 0, 1, 0, 0];
  const xs = [x.strides[0]!, x.strides[1]!];
  c.call("conv", "conv", x.address, w, g, 0, steps, batch, row / 16, ...xs, batch * row, row, 0, 0, ...pointwise);

  const states = finals.map((_, k) => firstState(c, 4 + k, direction, batch, units));
  const [h, cell] = states as [number, number?];
  const per = FUNCTIONS[c.op]!;
  const kinds = a.activations.slice(direction * per, (direction + 1) * per).map((name) => KIND[name]!);
  const reverse = Number(a.direction === "reverse" || direction === 1);
  const to = y.address + direction * y.strides[1]!;
  const time = [steps, batch, units, reverse, y.strides[0]!, y.strides[2]!];
  const shape = [...kinds, ...(a.hardSigmoid ?? [0.2, 0.5]), a.clip ?? Infinity];
  switch (c.op) {
    case "lstm": {
      const p = peepholes(c, direction, units);
      c.call("recurrent", "lstm", g, recurrent, h, cell!, p, to, ...time, ...shape, a.cellClip ?? Infinity);
      break;
    }
    case "gru": {
      const scratch = c.temp(batch * 4 * pad4(units));
      c.call("recurrent", "gru", g, recurrent, h, scratch, to, ...time, ...shape, Number(a.linearBeforeReset));
      break;
    }
    default:
      c.call("recurrent", "rnn", g, recurrent, h, to, ...time, ...shape);
  }
  finals.forEach((final, k) => {
    const into = { address: final.address + direction * final.strides[0]!, strides: final.strides.slice(1) };
    copyWords(c.call, { address: states[k]!, strides: [4 * pad4(units), 4] }, into, [batch, units]);
  });
}

export const recurrent = defineCalls({
  ops: ["lstm", "gru", "rnn"],
  tabled: [1, 2, 3],
  calls(c) {
    for (let direction = 0; direction < c.inputs[2]!.shape[0]!; direction++) walk(c, direction);
  },
});
