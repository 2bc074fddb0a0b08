import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import type { TensorType } from "../types.js";
import { showType } from "./shared/checks.js";
import {
  coupleRecurrent,
  directionsOf,
  recurrentAttrs,
  recurrentCost,
  recurrentRoundings,
  recurrentTypes,
  walk,
} from "./shared/recurrent.js";
import { unrolledGradients } from "./shared/unroll.js";

const attrs = z.strictObject({
  ...recurrentAttrs,
  /** The cell's state is clipped to [-cellClip, cellClip] after each step (TFLite's `cell_clip`); null: not at all. */
  cellClip: z.number().positive().nullable().optional(),
});
export type LstmAttrs = z.infer<typeof attrs>;

const GATES = 4;
const FUNCTIONS = 3;
const LAYOUT = { gates: GATES, functions: FUNCTIONS, states: 2 };

function infer(inputs: readonly TensorType[], a: LstmAttrs): TensorType[] {
  const types = recurrentTypes("lstm", inputs, a, LAYOUT);
  const peephole = inputs[6];
  const h = inputs[2]!.shape[2]!;
  if (
    peephole &&
    (peephole.shape.length !== 2 || peephole.shape[0] !== directionsOf(a) || peephole.shape[1] !== 3 * h)
  ) {
    throw new IdapError("E_SHAPE", `lstm: peephole must be [${directionsOf(a)}, ${3 * h}], got ${showType(peephole)}`);
  }
  return types;
}

/**
 * Long short-term memory over a whole sequence, time first. T moments, B samples, I inputs, H units, D directions
 * (1, or 2 when bidirectional: forward, then reverse; reverse alone is direction 0).
 *
 *   x [T, B, I], w [D, 4H, I], r [D, 4H, H], b [D, 8H], h0 and c0 [D, B, H] (or [D, 1, H] for all samples alike),
 *   peephole [D, 3H]  ->  y [T, D, B, H], hn [D, B, H], cn [D, B, H]
 *
 * As ONNX packs them: gates in the order input, output, forget, cell (i, o, f, c) along 4H; b is the bias of w, then that
 * of r; peepholes in the order i, o, f. Trailing operands may be absent: biases, states and peepholes are then 0.
 * activations: [f, g, h] for each direction, ONNX's default is sigmoid, tanh, tanh.
 *
 *   i = f(x Wi + h Ri + Pi c)      c' = forget c + i * g(x Wc + h Rc)
 *   forget = f(x Wf + h Rf + Pf c) h' = f(x Wo + h Ro + Po c') * h(c')
 *
 * Each w, r with its bias. y is in the order of time in both directions; hn and cn are the states after the last step.
 * Coupled gates (i = 1 - forget) are negated weights: 1 - sigmoid(x) = sigmoid(-x).
 * One operator, not its steps: a kernel loops over time, so that code does not grow with the sequence.
 * ONNX `LSTM`, TFLite `UNIDIRECTIONAL_SEQUENCE_LSTM`, Keras `LSTM`.
 */
export const lstm = defineOp<LstmAttrs>({
  name: "lstm",
  summary: "long short-term memory over a sequence, one or both directions",
  inputs: ["x", "w", "r", "b?", "h0?", "c0?", "peephole?"],
  outputs: ["y", "hn", "cn"],
  params: [1, 2, 3, 6],
  attrs,
  infer,
  couple: (c) => coupleRecurrent(c, 2),
  cost: (inputs, outputs) => recurrentCost(inputs, outputs, GATES),
  reference(inputs, a, shapes) {
    const peephole = inputs[6];
    return walk(
      inputs,
      a,
      shapes,
      FUNCTIONS,
      ({ h, f: [f, g, out], input, recurrent, clip, direction }, [hidden, cell]) => {
        const gate = (k: number, u: number): number => input(k * h + u) + recurrent(k * h + u, hidden!);
        const p = (k: number, u: number, c: number): number =>
          peephole ? peephole.data[(direction * 3 + k) * h + u]! * c : 0;
        const bound = a.cellClip ?? Infinity;
        const [nextHidden, nextCell] = [new Float64Array(h), new Float64Array(h)];
        for (let u = 0; u < h; u++) {
          const c = cell![u]!;
          const i = f!(clip(gate(0, u) + p(0, u, c)));
          const forget = f!(clip(gate(2, u) + p(2, u, c)));
          const next = forget * c + i * g!(clip(gate(3, u)));
          nextCell[u] = Math.max(-bound, Math.min(bound, next));
          nextHidden[u] = f!(clip(gate(1, u) + p(1, u, nextCell[u]!))) * out!(nextCell[u]!);
        }
        return [nextHidden, nextCell];
      },
    );
  },
  vjp: (g) =>
    unrolledGradients(g, {
      ...LAYOUT,
      step({ tape, input, recurrent, f, peephole }, [hidden, cell]) {
        const add = (a: string, b: string): string => tape.emit("add", [a, b]);
        const mul = (a: string, b: string): string => tape.emit("mul", [a, b]);
        const gate = (k: number, seen: string | null): string => {
          const z = add(input(k), recurrent(k, hidden!));
          const p = seen === null ? null : peephole(k);
          return f(k === 3 ? 1 : 0, p === null ? z : add(z, mul(p, seen!)));
        };
        const bound = g.attrs.cellClip ?? null;
        let next = add(mul(gate(2, cell!), cell!), mul(gate(0, cell!), gate(3, null)));
        if (bound !== null) next = tape.emit("clip", [next], { min: -bound, max: bound });
        return [mul(gate(1, next), f(2, next, false)), next];
      },
    }),
  // Three products with the cell's state, three more to the next one.
  tolerance: ([x, , r]) => ({ kind: "roundings", count: recurrentRoundings(x!, r!, 12) }),
});
