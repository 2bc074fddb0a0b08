import type { Converter, OnnxOp } from "../op.js";

const ACTIVATIONS: Readonly<Record<string, string>> = {
  sigmoid: "sigmoid",
  tanh: "tanh",
  relu: "relu",
  hardsigmoid: "hard_sigmoid",
  affine: "linear",
};

interface Layout {
  readonly ir: "lstm" | "gru" | "rnn";
  /** Default activations of one direction. */
  readonly functions: readonly string[];
  readonly gates: number;
  /** Operands behind the sequence lengths: initial states. */
  readonly states: number;
}

const X = 0;
const W = 1;
const R = 2;
const B = 3;
const LENGTHS = 4;
const H0 = 5;

function directionsOf(op: OnnxOp): number {
  return op.string("direction", "forward") === "bidirectional" ? 2 : 1;
}

function activationsOf(op: OnnxOp, { functions }: Layout): string[] {
  const given = op.strings("activations") ?? [];
  return given.length > 0 ? given : Array.from({ length: directionsOf(op) }, () => functions).flat();
}

/**
 * The parameter of the activation `name` in a list of the file, which has an entry for every activation or only for
 * those that take parameters.
 */
function parameterOf(names: readonly string[], name: string, list: readonly number[], absent: number): number {
  const shaped = list.length === names.length ? names : names.filter((n) => n === "hardsigmoid" || n === "affine");
  return list[shaped.indexOf(name)] ?? absent;
}

/** Why the activations cannot be read, or null. Affine is read where it is the identity. */
function refuseActivations(op: OnnxOp, layout: Layout): string | null {
  const names = activationsOf(op, layout).map((n) => n.toLowerCase());
  const unknown = names.find((n) => !Object.hasOwn(ACTIVATIONS, n));
  if (unknown !== undefined) return `the activation ${unknown}`;
  const scale = parameterOf(names, "affine", op.floatList("activation_alpha") ?? [], 1);
  const shift = parameterOf(names, "affine", op.floatList("activation_beta") ?? [], 0);
  return names.includes("affine") && (scale !== 1 || shift !== 0) ? "the activation Affine" : null;
}

/** [time, batch, ...] of [batch, time, ...] (`layout` 1). */
function timeFirst(op: OnnxOp, x: string): string {
  return op.int("layout", 0) === 0 ? x : op.step("time_first", "transpose", [x], { perm: [1, 0, 2] });
}

/** An initial state [D, B, H]; where all samples start alike, one for all: [D, 1, H]. */
function stateOf(op: OnnxOp, i: number): string {
  const sample = op.context.sampleConstant(op.inputName(i));
  return timeFirst(op, sample ?? op.input(i));
}

function recurrent(layout: Layout): Converter {
  const { ir, gates, states } = layout;
  return {
    refuse(op) {
      const lengths = op.constant(LENGTHS);
      if (op.has(LENGTHS) && lengths && !sameLengths(lengths.data)) return "sequences of different lengths";
      if (op.int("input_forget", 0) !== 0) return "input_forget";
      return refuseActivations(op, layout);
    },
    convert(op) {
      const x = timeFirst(op, op.input(X));
      const directions = directionsOf(op);
      const hidden = op.type(R).shape.at(-1)!;
      checkLengths(op, op.typeOf(x).shape[0]!);
      const inputs = [x, op.input(W), op.input(R)];
      const zeros = (shape: number[]): string =>
        op.literal("zeros", shape, new Float32Array(shape.reduce((n, d) => n * d, 1)));
      const operands = [B, ...Array.from({ length: states }, (_, k) => H0 + k), ...(ir === "lstm" ? [H0 + 2] : [])];
      const most = operands.filter((i) => op.has(i)).at(-1) ?? 0;
      for (const i of operands.filter((k) => k <= most)) {
        const state = i >= H0 && i < H0 + states;
        const shape =
          i === B ? [directions, 2 * gates * hidden] : state ? [directions, 1, hidden] : [directions, 3 * hidden];
        inputs.push(!op.has(i) ? zeros(shape) : state ? stateOf(op, i) : op.input(i));
      }
      const names = activationsOf(op, layout).map((n) => n.toLowerCase());
      const activations = names.map((n) => ACTIVATIONS[n]!);
      const alpha = parameterOf(names, "hardsigmoid", op.floatList("activation_alpha") ?? [], 0.2);
      const beta = parameterOf(names, "hardsigmoid", op.floatList("activation_beta") ?? [], 0.5);
      const shaped = activations.includes("hard_sigmoid") && (alpha !== 0.2 || beta !== 0.5);
      const clip = op.float("clip", 0);
      const attrs = {
        direction: op.string("direction", "forward"),
        activations,
        clip: clip > 0 ? clip : null,
        ...(shaped && { hardSigmoid: [alpha, beta] }),
        ...(ir === "gru" && { linearBeforeReset: op.int("linear_before_reset", 0) !== 0 }),
      };
      bindOutputs(op, ir, inputs, attrs, states);
    },
  };
}

function sameLengths(data: ArrayLike<number | bigint>): boolean {
  return Array.from(data).every((n) => n === data[0]);
}

/** Every sequence must fill the time axis: what comes behind a shorter one would have to be masked. */
function checkLengths(op: OnnxOp, time: number): void {
  if (!op.has(LENGTHS)) return;
  const c = op.constant(LENGTHS);
  const full = c && sameLengths(c.data) && Number(c.data[0]) === time;
  if (!full) throw op.unsupported(`sequence lengths other than the ${time} moments of its operand`);
}

function bindOutputs(op: OnnxOp, ir: string, inputs: string[], attrs: object, states: number): void {
  const [y = "", ...last] = op.node.output;
  if (op.int("layout", 0) === 0) {
    const outputs = [y, ...Array.from({ length: states }, (_, k) => last[k] ?? "")];
    return op.emitMany(
      ir,
      inputs,
      { ...attrs },
      outputs.map((output) => ({ output })),
    );
  }
  const names = [0, ...Array.from({ length: states }, (_, k) => k + 1)].map((k) => `${op.name}/time_first/${k}`);
  op.emitMany(
    ir,
    inputs,
    { ...attrs },
    names.map((output) => ({ output })),
  );
  names.forEach((name, k) => {
    const output = k === 0 ? y : (last[k - 1] ?? "");
    if (output === "") return;
    const perm = k === 0 ? [2, 0, 1, 3] : [1, 0, 2];
    op.emit("transpose", [op.context.inFileOrder(name)], { perm }, { output });
  });
}

export const LSTM = recurrent({ ir: "lstm", functions: ["Sigmoid", "Tanh", "Tanh"], gates: 4, states: 2 });
export const GRU = recurrent({ ir: "gru", functions: ["Sigmoid", "Tanh"], gates: 3, states: 1 });
export const RNN = recurrent({ ir: "rnn", functions: ["Tanh"], gates: 1, states: 1 });
