import { z } from "zod";
import { IdapError } from "../../../model/errors.js";
import { dropAxis } from "../../shared/decompose/emit.js";
import { reverse } from "../../shared/decompose/arithmetic.js";
import { permute } from "../../shared/permute.js";
import { activation, hardSigmoid } from "../activations.js";
import { defineLayer, type LayerCall, type LayerReader } from "../layer.js";
import { floatsOfWeight, type Variables, type Weight } from "../weights.js";

const options = z.object({
  units: z.int().positive(),
  activation,
  recurrent_activation: activation.optional(),
  use_bias: z.boolean().default(true),
  return_sequences: z.boolean().default(false),
  return_state: z.boolean().default(false),
  go_backwards: z.boolean().default(false),
  reset_after: z.boolean().optional(),
  time_major: z.boolean().default(false),
});
type Options = z.infer<typeof options>;

/** A kind of recurrent layer: its operator and how Keras packs its gates. */
interface Kind {
  readonly op: "lstm" | "gru" | "rnn";
  /** Our gates as positions among Keras' own: i, f, c, o -> i, o, f, c. */
  readonly gates: readonly number[];
  readonly states: number;
  functions(c: Options): string[];
}

const KINDS: Readonly<Record<string, Kind>> = {
  LSTM: {
    op: "lstm",
    gates: [0, 3, 1, 2],
    states: 2,
    functions: (c) => [c.recurrent_activation ?? "sigmoid", c.activation, c.activation],
  },
  GRU: {
    op: "gru",
    gates: [0, 1, 2],
    states: 1,
    functions: (c) => [c.recurrent_activation ?? "sigmoid", c.activation],
  },
  SimpleRNN: { op: "rnn", gates: [0], states: 1, functions: (c) => [c.activation] },
};

const FUNCTIONS = ["sigmoid", "tanh", "relu", "hard_sigmoid", "linear"];

function refuse(kind: Kind, c: Options): string | null {
  if (c.time_major) return "time_major";
  const unknown = kind.functions(c).find((f) => !FUNCTIONS.includes(f));
  return unknown === undefined ? null : `the activation ${unknown}`;
}

const variablesOf = (c: Options): string[] => ["kernel", "recurrent_kernel", ...(c.use_bias ? ["bias"] : [])];

/** [rows, gates * H] -> [gates * H, rows], the gates in our order. */
function gatesFirst(
  { shape, data }: { shape: readonly number[]; data: Float32Array },
  gates: readonly number[],
): Float32Array {
  const [rows, columns] = shape as [number, number];
  const turned = permute(data, [rows, columns], [1, 0]);
  const block = (columns / gates.length) * rows;
  return concat(gates.map((g) => turned.subarray(g * block, (g + 1) * block)));
}

function concat(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Weights of one direction: w [1, gates * H, I], r [1, gates * H, H], b [1, 2 * gates * H]. */
function operands(call: LayerCall, prefix: string, kind: Kind, c: Options): { w: string; r: string; b: string[] } {
  const n = kind.gates.length;
  const matrix = (name: string) => (weight: Weight) => {
    const [rows, columns] = weight.shape as [number, number];
    if (weight.shape.length !== 2 || columns !== n * c.units || (name === "recurrent_kernel" && rows !== c.units)) {
      throw new IdapError(
        "E_SHAPE",
        `${call.where}: weight "${name}" has the shape [${weight.shape}] with ${c.units} units`,
      );
    }
    const data = gatesFirst({ shape: weight.shape, data: floatsOfWeight(weight) }, kind.gates);
    return { shape: [1, columns, rows], data };
  };
  const bias = (weight: Weight): { shape: number[]; data: Float32Array } => {
    // reset_after has [2, 3H]: the bias of the kernel, then that of the recurrent one, which is 0 elsewhere.
    const size = n * c.units;
    const both = weight.shape.length === 2;
    if (weight.data.length !== (both ? 2 : 1) * size) {
      throw new IdapError("E_SHAPE", `${call.where}: its bias has the shape [${weight.shape}] with ${c.units} units`);
    }
    const data = floatsOfWeight(weight);
    const ordered = (from: number): Float32Array =>
      concat(kind.gates.map((g) => data.subarray(from + g * c.units, from + (g + 1) * c.units)));
    return { shape: [1, 2 * size], data: concat([ordered(0), both ? ordered(size) : new Float32Array(size)]) };
  };
  return {
    w: call.weightAs(`${prefix}kernel`, kind.op, matrix("kernel")),
    r: call.weightAs(`${prefix}recurrent_kernel`, kind.op, matrix("recurrent_kernel")),
    b: c.use_bias ? [call.weightAs(`${prefix}bias`, kind.op, bias)] : [],
  };
}

/** What one direction gives: the sequence [b, t, h] in the order in which it was computed, and the last states [b, h]. */
interface Outcome {
  readonly sequence: string;
  readonly states: readonly string[];
}

/** One layer over `x` [b, t, i]; backwards it starts at the end, and its sequence does too. */
function run(call: LayerCall, prefix: string, kind: Kind, c: Options): Outcome {
  call.needRank(3);
  const timeFirst = call.emit("transpose", [call.floats], { perm: [1, 0, 2] });
  const { w, r, b } = operands(call, prefix, kind, c);
  const { alpha, beta } = hardSigmoid(call);
  const attrs = {
    direction: c.go_backwards ? "reverse" : "forward",
    activations: kind.functions(c),
    clip: null,
    hardSigmoid: [alpha, beta],
    ...(kind.op === "gru" && { linearBeforeReset: c.reset_after ?? call.dialect === "keras3" }),
  };
  const [y, ...last] = call.addAll(`${call.layer}/${kind.op}`, kind.op, [timeFirst, w, r, ...b], attrs);
  const inTime = call.emit("transpose", [dropAxis(call, y!, 1)], { perm: [1, 0, 2] });
  return {
    sequence: c.go_backwards ? reverse(call, inTime, [1]) : inTime,
    states: last.map((state) => dropAxis(call, state, 0)),
  };
}

function refuseStates(call: LayerCall): void {
  if (call.inputs.length > 1 || call.named.size > 0) {
    throw new IdapError(
      "E_UNSUPPORTED",
      `${call.where} is given an initial state or a mask, which cannot be read`,
      "Let the layer start from zeros.",
    );
  }
}

function recurrent(name: string): LayerReader<Options> {
  const kind = KINDS[name]!;
  return defineLayer<Options>({
    config: options,
    refuse: (c) => refuse(kind, c),
    variables: (c) => ({ cell: variablesOf(c) }),
    read(call, c) {
      refuseStates(call);
      const { sequence, states } = run(call, "", kind, c);
      const y = c.return_sequences ? sequence : states[0]!;
      return c.return_state ? [y, ...states] : y;
    },
  });
}

export const LSTM = recurrent("LSTM");
export const GRU = recurrent("GRU");
export const SimpleRNN = recurrent("SimpleRNN");

const inner = z.object({ class_name: z.string(), config: z.record(z.string(), z.unknown()) });
const bidirectional = z.object({
  layer: inner,
  backward_layer: inner.nullish(),
  merge_mode: z.string().nullish(),
});
type BidirectionalOptions = z.infer<typeof bidirectional>;

/** Kind and options of the two layers; null where they are of no kind that is read. */
function halves(c: BidirectionalOptions): { kind: Kind; forward: Options; backward: Options } | null {
  const kind = Object.hasOwn(KINDS, c.layer.class_name) ? KINDS[c.layer.class_name]! : null;
  const forward = options.safeParse(c.layer.config);
  const backward = options.safeParse(c.backward_layer?.config ?? c.layer.config);
  const same = (c.backward_layer ?? c.layer).class_name === c.layer.class_name;
  if (!kind || !same || !forward.success || !backward.success) return null;
  return { kind, forward: forward.data, backward: { ...backward.data, go_backwards: !forward.data.go_backwards } };
}

/** Two layers over the same sequence in both directions; both sequences are in the order of time before they join. */
export const Bidirectional: LayerReader = defineLayer<BidirectionalOptions>({
  config: bidirectional,
  refuse(c) {
    const both = halves(c);
    if (!both) return `the layer ${c.layer.class_name}`;
    if (c.merge_mode != null && !Object.hasOwn(MERGES, c.merge_mode)) return `merge_mode ${c.merge_mode}`;
    return refuse(both.kind, both.forward) ?? refuse(both.kind, both.backward);
  },
  variables(c): Variables {
    const both = halves(c);
    const of = (o: Options, part: string): string[] => variablesOf(o).map((v) => `${part}/${v}`);
    return both
      ? { "forward_layer/cell": of(both.forward, "forward"), "backward_layer/cell": of(both.backward, "backward") }
      : {};
  },
  read(call, c) {
    refuseStates(call);
    const { kind, forward, backward } = halves(c)!;
    const sides = [
      { prefix: "forward/", ...forward },
      { prefix: "backward/", ...backward },
    ].map((o) => ({ ...run(call, o.prefix, kind, o), o }));
    const results = sides.map(({ sequence, states, o }) =>
      o.return_sequences ? (o.prefix === "backward/" ? reverse(call, sequence, [1]) : sequence) : states[0]!,
    );
    const merged = c.merge_mode == null ? results : [MERGES[c.merge_mode]!(call, results)];
    return forward.return_state ? [...merged, ...sides.flatMap((s) => s.states)] : merged;
  },
});

const MERGES: Readonly<Record<string, (call: LayerCall, both: readonly string[]) => string>> = {
  concat: (call, both) => call.result("concat", both, { axis: call.rank(both[0]) - 1 }),
  sum: (call, both) => call.result("add", both),
  mul: (call, both) => call.result("mul", both),
  ave: (call, both) => call.result("mul", [call.emit("add", both), call.scalar(0.5)]),
};

/** Layers that `TimeDistributed` may hold, given by the index of all layers. */
type Lookup = (name: string) => LayerReader | null;

/** The same layer at each moment: moments become samples and back. [b, t, ...] -> [b * t, ...]. */
export function timeDistributed(lookup: Lookup): LayerReader {
  const config = z.object({ layer: inner });
  const reader = (c: z.infer<typeof config>): LayerReader | null => lookup(c.layer.class_name);
  const parsed = (c: z.infer<typeof config>): unknown => reader(c)?.config.safeParse(c.layer.config).data;
  return defineLayer<z.infer<typeof config>>({
    config,
    refuse(c) {
      const held = reader(c);
      const fits = held?.config.safeParse(c.layer.config).success === true;
      return fits ? (held.refuse?.(parsed(c)) ?? null) : `the layer ${c.layer.class_name}`;
    },
    variables(c): Variables {
      const own = reader(c)?.variables?.(parsed(c)) ?? {};
      return Object.fromEntries(
        Object.entries(own).map(([folder, kinds]) => [folder ? `layer/${folder}` : "layer", kinds]),
      );
    },
    read(call, c) {
      const { shape, batchAxis } = call.typeOf(call.x);
      const [b, t, ...rest] = shape as [number, number, ...number[]];
      const open = batchAxis === 0 ? -1 : null;
      const folded = call.emit("reshape", [call.x], { shape: [open ?? b * t, ...rest] });
      const y = reader(c)!.read(call.within([folded]), parsed(c));
      if (typeof y !== "string") throw new IdapError("E_UNSUPPORTED", `${call.where} holds a layer of several results`);
      const [, ...after] = call.typeOf(y).shape;
      return call.emit("reshape", [y], { shape: [open ?? b, t, ...after] });
    },
  });
}
