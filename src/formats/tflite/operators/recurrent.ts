import { IdapError } from "../../../model/errors.js";
import { dropAxis, insertAxis, reshapeTo, transposed } from "../../shared/decompose/emit.js";
import { quantOf } from "../constants.js";
import { ACTIVATIONS, F } from "../schema.js";
import { activationOf, refuseComputed, type Converter, type TfliteOp } from "../context.js";

/*
 * Every call starts from the states that the file gives: zeros where they are variables of the interpreter, which
 * keeps them from one call to the next until it is told to forget.
 */

/** What the IR calls the functions that cells may have. */
const FUNCTIONS: Readonly<Record<string, string>> = { NONE: "linear", RELU: "relu", TANH: "tanh" };

function refuseFunction(op: TfliteOp, field: number): string | null {
  const name = activationOf(op, field);
  return Object.hasOwn(FUNCTIONS, name) ? null : `the activation ${name}`;
}

/** Where the operands of one direction of an LSTM stand; lists in the order input, forget, cell, output. */
interface LstmLayout {
  readonly input: number;
  readonly recurrent: number;
  /** Of input, forget and output. */
  readonly peephole: number;
  readonly bias: number;
  readonly projection: number;
  readonly hidden: number;
  readonly cell: number;
  /** Coefficients of layer normalisation; null where the operator has none. */
  readonly norm: number | null;
}

const FORWARD: LstmLayout = {
  input: 1,
  recurrent: 5,
  peephole: 9,
  bias: 12,
  projection: 16,
  hidden: 18,
  cell: 19,
  norm: 20,
};
const BOTH: readonly LstmLayout[] = [
  { ...FORWARD, hidden: 35, cell: 36, norm: null },
  { input: 18, recurrent: 22, peephole: 26, bias: 29, projection: 33, hidden: 37, cell: 38, norm: null },
];

/** The order of the gates in the IR, as positions in the file's lists: input, output, forget, cell. */
const GATES = [0, 3, 1, 2] as const;

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function refuseLstm(op: TfliteOp, l: LstmLayout): string | null {
  if (op.has(l.projection)) return "a projection";
  if (l.norm !== null && range(l.norm, 4).some((i) => op.has(i))) return "layer normalisation";
  const weights = [...range(l.input, 4), ...range(l.recurrent, 4), ...range(l.peephole, 3), ...range(l.bias, 4)];
  return refuseComputed(op, Object.fromEntries(weights.map((i) => [i, "weights"])));
}

/** Values of gate `k`; where the input gate is missing it is 1 - forget gate, so its weights are the negated ones. */
function gate(op: TfliteOp, first: number, k: number, coupled: boolean, size: number): Float32Array {
  if (coupled && k === 0) return gate(op, first, 1, false, size).map((v) => -v);
  const values = op.has(first + k) ? op.floats(first + k) : new Float32Array(size);
  if (values.length !== size) {
    throw new IdapError("E_SHAPE", `${op.where}: input ${first + k} has ${values.length} values, not ${size}`);
  }
  return values;
}

/** The weights of one direction as the IR packs them. */
function lstmWeights(
  op: TfliteOp,
  l: LstmLayout,
): { w: Float32Array; r: Float32Array; b: Float32Array; p: Float32Array } {
  const [units = 0, inputs = 0] = op.fileTensor(l.input + 1).shape;
  const coupled = !op.has(l.input);
  const all = (first: number, size: number): Float32Array =>
    concatenated(GATES.map((k) => gate(op, first, k, coupled, size)));
  const bias = all(l.bias, units);
  // Peepholes exist of input, forget and output, in this order; the IR wants input, output, forget.
  const peepholes = [0, 2, 1].map((k) => gate(op, l.peephole, k, coupled, units));
  return {
    w: all(l.input, units * inputs),
    r: all(l.recurrent, units * units),
    b: concatenated([bias, new Float32Array(bias.length)]),
    p: range(l.peephole, 3).some((i) => op.has(i)) ? concatenated(peepholes) : new Float32Array(0),
  };
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** [D, B, H] from the states [B, H] of the directions; null where all are zeros of the interpreter. */
function states(op: TfliteOp, positions: readonly number[]): string | null {
  if (positions.every((i) => !op.has(i) || op.fileTensor(i).variable)) return null;
  const parts = positions.map((i) => insertAxis(op, op.input(i), 0));
  return parts.length === 1 ? parts[0]! : op.emit("concat", parts, { axis: 0 });
}

/** One operator of the IR for all directions; gives y [T, D, B, H], hn and cn. */
function lstm(
  op: TfliteOp,
  x: string,
  layouts: readonly LstmLayout[],
  f: { activation: number; cellClip: number },
): string[] {
  const packed = layouts.map((l) => lstmWeights(op, l));
  const [units = 0, inputs = 0] = op.fileTensor(layouts[0]!.input + 1).shape;
  const d = layouts.length;
  const constant = (shape: number[], key: "w" | "r" | "b" | "p"): string =>
    op.constant([d, ...shape], concatenated(packed.map((p) => p[key])));
  const operands = [
    x,
    constant([4 * units, inputs], "w"),
    constant([4 * units, units], "r"),
    constant([8 * units], "b"),
  ];
  const hidden = states(op, layouts.map((l) => l.hidden)); // prettier-ignore
  const cell = states(op, layouts.map((l) => l.cell)); // prettier-ignore
  const zeros = (): string => op.constant([d, 1, units], new Float32Array(d * units));
  const peephole = packed.some((p) => p.p.length > 0);
  if (hidden !== null || cell !== null || peephole) operands.push(hidden ?? zeros(), cell ?? zeros());
  if (peephole) operands.push(constant([3 * units], "p"));
  const clip = op.option((o) => o.f32(f.cellClip), 0);
  const g = FUNCTIONS[activationOf(op, f.activation)]!;
  const outputs = op.steps("lstm", "lstm", operands, {
    direction: d === 2 ? "bidirectional" : "forward",
    activations: layouts.flatMap(() => ["sigmoid", g, g]),
    clip: null,
    cellClip: clip > 0 ? clip : null,
  });
  if (layouts.length === 1) annotateStates(op, layouts[0]!, outputs.slice(1));
  return outputs;
}

/** The states that integer kernels keep between steps have scales of their own. */
function annotateStates(op: TfliteOp, { hidden, cell }: LstmLayout, outputs: readonly string[]): void {
  const quants = [hidden, cell].map((i) => (op.has(i) ? quantOf(op.fileTensor(i), op.context.source.file) : null));
  if (!quants.every((q) => q !== null && q.axis === null)) return;
  outputs.forEach((name, k) => op.context.builder.annotate(name, quants[k]!));
}

/** Time first, as the IR has it. */
function timeFirst(op: TfliteOp, timeMajor: boolean): string {
  const x = op.input(0);
  const { shape } = op.type(x);
  if (shape.length !== 3) throw new IdapError("E_RANK", `${op.where} needs a sequence of rank 3, got [${shape}]`);
  return timeMajor ? x : transposed(op, x, [1, 0, 2]);
}

/** y [T, D, B, H] of one direction in the order of the file. */
function oneDirection(op: TfliteOp, y: string, timeMajor: boolean): string {
  const flat = dropAxis(op, y, 1);
  return timeMajor ? flat : transposed(op, flat, [1, 0, 2]);
}

/** Outputs of two directions: one tensor with their units side by side, or two. */
function bindBoth(op: TfliteOp, y: string, timeMajor: boolean, merged: boolean): void {
  const { shape, batchAxis } = op.type(y);
  const [t, , b, h] = shape as unknown as [number, number, number, number];
  if (merged) {
    const together = transposed(op, y, timeMajor ? [0, 2, 1, 3] : [2, 0, 1, 3]);
    const extents = timeMajor ? [t, b, 2 * h] : [b, t, 2 * h];
    return op.bind(reshapeTo(op, together, extents, batchAxis === null ? null : timeMajor ? 1 : 0));
  }
  [0, 1].forEach((d) => {
    const part = op.emit("slice", [y], { begin: [0, d, 0, 0], size: [t, 1, batchAxis === 2 ? -1 : b, h] });
    op.bind(oneDirection(op, part, timeMajor), d);
  });
}

const UNIDIRECTIONAL_SEQUENCE_LSTM: Converter = {
  refuse: (op) =>
    refuseFunction(op, F.SequenceLstm.activation) ??
    (op.option((o) => o.bool(F.SequenceLstm.diagonal), false) ? "diagonal recurrent weights" : refuseLstm(op, FORWARD)),
  convert(op) {
    const timeMajor = op.option((o) => o.bool(F.SequenceLstm.timeMajor), false);
    const [y] = lstm(op, timeFirst(op, timeMajor), [FORWARD], F.SequenceLstm) as [string];
    op.bind(oneDirection(op, y, timeMajor));
  },
};

const BIDIRECTIONAL_SEQUENCE_LSTM: Converter = {
  refuse(op) {
    if (range(39, 9).some((i) => op.has(i))) return "an auxiliary input";
    return refuseFunction(op, F.BidirectionalLstm.activation) ?? refuseLstm(op, BOTH[0]!) ?? refuseLstm(op, BOTH[1]!);
  },
  convert(op) {
    const f = F.BidirectionalLstm;
    const timeMajor = op.option((o) => (o.has(f.timeMajor) ? o.bool(f.timeMajor) : true), true);
    const [y] = lstm(op, timeFirst(op, timeMajor), BOTH, f) as [string];
    bindBoth(op, y, timeMajor, op.option((o) => o.bool(f.mergeOutputs), false)); // prettier-ignore
  },
};

/** The first kernel of LSTM; the other one takes all gates in one matrix. */
const FULL = 0;

/** One step of an LSTM; its last output holds the new hidden state. */
const LSTM: Converter = {
  refuse: (op) =>
    refuseFunction(op, F.Lstm.activation) ??
    (op.option((o) => o.i8(F.Lstm.kernel), FULL) === FULL ? refuseLstm(op, FORWARD) : "the basic kernel"),
  convert(op) {
    const x = insertAxis(op, op.input(0), 0);
    const [, hidden] = lstm(op, x, [FORWARD], F.Lstm) as [string, string];
    op.bind(dropAxis(op, hidden, 0));
  },
};

/** Where the operands of one direction of a plain recurrence stand. */
interface RnnLayout {
  readonly w: number;
  readonly r: number;
  readonly b: number;
  readonly hidden: number;
}

const RNN_FORWARD: RnnLayout = { w: 1, r: 2, b: 3, hidden: 4 };
const RNN_BOTH: readonly RnnLayout[] = [RNN_FORWARD, { w: 5, r: 6, b: 7, hidden: 8 }];

function refuseRnn(op: TfliteOp, layouts: readonly RnnLayout[], activation: number): string | null {
  const weights = layouts.flatMap((l) => [l.w, l.r, l.b]);
  return refuseFunction(op, activation) ?? refuseComputed(op, Object.fromEntries(weights.map((i) => [i, "weights"])));
}

function rnn(op: TfliteOp, x: string, layouts: readonly RnnLayout[], activation: number): string[] {
  const [units = 0, inputs = 0] = op.fileTensor(layouts[0]!.w).shape;
  const d = layouts.length;
  const pack = (shape: number[], values: (l: RnnLayout) => Float32Array): string => {
    const data = concatenated(layouts.map(values));
    if (data.length !== shape.reduce((n, e) => n * e, d)) {
      throw new IdapError("E_SHAPE", `${op.where}: its weights do not fit ${units} units and ${inputs} inputs`);
    }
    return op.constant([d, ...shape], data);
  };
  const operands = [
    x,
    pack([units, inputs], (l) => op.floats(l.w)),
    pack([units, units], (l) => op.floats(l.r)),
    pack([2 * units], (l) => concatenated([op.floats(l.b), new Float32Array(units)])),
  ];
  const hidden = states(op, layouts.map((l) => l.hidden)); // prettier-ignore
  if (hidden !== null) operands.push(hidden);
  return op.steps("rnn", "rnn", operands, {
    direction: d === 2 ? "bidirectional" : "forward",
    activations: layouts.map(() => FUNCTIONS[activationOf(op, activation)]!),
    clip: null,
  });
}

const RNN: Converter = {
  refuse: (op) => refuseRnn(op, [RNN_FORWARD], F.Rnn.activation),
  convert(op) {
    const [, hidden] = rnn(op, insertAxis(op, op.input(0), 0), [RNN_FORWARD], F.Rnn.activation) as [string, string];
    op.bind(dropAxis(op, hidden, 0));
  },
};

const UNIDIRECTIONAL_SEQUENCE_RNN: Converter = {
  refuse: (op) => refuseRnn(op, [RNN_FORWARD], F.SequenceRnn.activation),
  convert(op) {
    const timeMajor = op.option((o) => o.bool(F.SequenceRnn.timeMajor), false);
    const [y] = rnn(op, timeFirst(op, timeMajor), [RNN_FORWARD], F.SequenceRnn.activation) as [string];
    op.bind(oneDirection(op, y, timeMajor));
  },
};

const BIDIRECTIONAL_SEQUENCE_RNN: Converter = {
  refuse(op) {
    if (range(9, 3).some((i) => op.has(i))) return "an auxiliary input";
    return refuseRnn(op, RNN_BOTH, F.BidirectionalRnn.activation);
  },
  convert(op) {
    const f = F.BidirectionalRnn;
    const timeMajor = op.option((o) => o.bool(f.timeMajor), false);
    const [y] = rnn(op, timeFirst(op, timeMajor), RNN_BOTH, f.activation) as [string];
    bindBoth(op, y, timeMajor, op.option((o) => o.bool(f.mergeOutputs), false)); // prettier-ignore
  },
};

/**
 * x [B, I], feature weights [F, I], time weights [F, T], bias [F / rank]?: features of this moment and of those before
 * it, which are zeros in the first call, weighted over time and summed over the ranks.
 */
const SVDF: Converter = {
  refuse: (op) =>
    refuseComputed(op, { 1: "weights", 2: "weights", 3: "a bias" }) ??
    (Object.hasOwn({ NONE: 0, RELU: 1, RELU6: 3, TANH: 4 }, activationOf(op, F.Svdf.activation))
      ? null
      : `the activation ${ACTIVATIONS[op.option((o) => o.i8(F.Svdf.activation), 0)]}`),
  convert(op) {
    const rank = op.option((o) => o.i32(F.Svdf.rank), 1);
    const [filters = 0, inputs = 0] = op.fileTensor(1).shape;
    const [, steps = 0] = op.fileTensor(2).shape;
    const [features, time] = [op.floats(1), op.floats(2)];
    const units = filters / rank;
    if (!Number.isInteger(units) || time.length !== filters * steps || features.length !== filters * inputs) {
      throw new IdapError("E_SHAPE", `${op.where}: its weights do not fit ${filters} features of rank ${rank}`);
    }
    // With zeros before, the newest weight in time is a factor of each feature, and the ranks add up in one product.
    const w = new Float32Array(inputs * units);
    for (let f = 0; f < filters; f++)
      for (let i = 0; i < inputs; i++)
        w[i * units + Math.floor(f / rank)]! += features[f * inputs + i]! * time[f * steps + steps - 1]!;
    const bias = op.has(3) ? [op.input(3)] : [];
    op.result(
      "dense",
      [op.input(0), op.constant([inputs, units], w), ...bias],
      {},
      activationOf(op, F.Svdf.activation),
    );
  },
};

export const recurrent: Readonly<Record<string, Converter>> = {
  BIDIRECTIONAL_SEQUENCE_LSTM,
  BIDIRECTIONAL_SEQUENCE_RNN,
  LSTM,
  RNN,
  SVDF,
  UNIDIRECTIONAL_SEQUENCE_LSTM,
  UNIDIRECTIONAL_SEQUENCE_RNN,
};
