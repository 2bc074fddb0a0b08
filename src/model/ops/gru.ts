import { z } from "zod";
import { defineOp } from "../define-op.js";
import {
  coupleRecurrent,
  recurrentAttrs,
  recurrentCost,
  recurrentRoundings,
  recurrentTypes,
  walk,
} from "./shared/recurrent.js";
import { unrolledGradients } from "./shared/unroll.js";

const attrs = z.strictObject({
  ...recurrentAttrs,
  /** Whether the reset gate multiplies the recurrent product (Keras' `reset_after`) or the state before it. */
  linearBeforeReset: z.boolean(),
});
export type GruAttrs = z.infer<typeof attrs>;

const GATES = 3;
const FUNCTIONS = 2;

/**
 * Gated recurrent unit over a whole sequence, time first; letters and directions as in lstm.ts.
 *
 *   x [T, B, I], w [D, 3H, I], r [D, 3H, H], b [D, 6H], h0 [D, B, H] or [D, 1, H]  ->  y [T, D, B, H], hn [D, B, H]
 *
 * As ONNX packs them: gates in the order update, reset, hidden (z, r, h) along 3H; b is the bias of w, then that of r.
 * Trailing operands may be absent, for 0. activations: [f, g] for each direction, ONNX's default is sigmoid, tanh.
 *
 *   z = f(x Wz + h Rz)    n = g(x Wh + (reset * h) Rh), or with linearBeforeReset g(x Wh + reset * (h Rh))
 *   reset = f(x Wr + h Rr)    h' = (1 - z) * n + z * h
 *
 * Each w, r with its bias, which `reset * (...)` takes in. ONNX `GRU`, Keras `GRU`.
 */
export const gru = defineOp<GruAttrs>({
  name: "gru",
  summary: "gated recurrent unit over a sequence, one or both directions",
  inputs: ["x", "w", "r", "b?", "h0?"],
  outputs: ["y", "hn"],
  params: [1, 2, 3],
  attrs,
  infer: (inputs, a) => recurrentTypes("gru", inputs, a, { gates: GATES, functions: FUNCTIONS, states: 1 }),
  couple: (c) => coupleRecurrent(c, 1),
  cost: (inputs, outputs) => recurrentCost(inputs, outputs, GATES),
  reference(inputs, a, shapes) {
    return walk(inputs, a, shapes, FUNCTIONS, ({ h, f: [f, g], input, recurrent, clip }, [hidden]) => {
      const gate = (k: number): Float64Array =>
        Float64Array.from({ length: h }, (_, u) => f!(clip(input(k * h + u) + recurrent(k * h + u, hidden!))));
      const [update, reset] = [gate(0), gate(1)];
      const gated = hidden!.map((v, u) => v * reset[u]!);
      return [
        hidden!.map((v, u) => {
          const row = 2 * h + u;
          const past = a.linearBeforeReset ? reset[u]! * recurrent(row, hidden!) : recurrent(row, gated);
          return (1 - update[u]!) * g!(clip(input(row) + past)) + update[u]! * v;
        }),
      ];
    });
  },
  vjp: (g) =>
    unrolledGradients(g, {
      gates: GATES,
      functions: FUNCTIONS,
      states: 1,
      step({ tape, input, recurrent, f }, [hidden]) {
        const add = (a: string, b: string): string => tape.emit("add", [a, b]);
        const mul = (a: string, b: string): string => tape.emit("mul", [a, b]);
        const gate = (k: number): string => f(0, add(input(k), recurrent(k, hidden!)));
        const [update, reset] = [gate(0), gate(1)];
        const past = g.attrs.linearBeforeReset ? mul(reset, recurrent(2, hidden!)) : recurrent(2, mul(reset, hidden!));
        const next = f(1, add(input(2), past));
        // (1 - z) n + z h as n + z (h - n).
        return [add(next, mul(update, tape.emit("sub", [hidden!, next])))];
      },
    }),
  // The reset gate comes before a second product in the same step: its sum counts twice.
  tolerance: ([x, , r]) => ({ kind: "roundings", count: 2 * recurrentRoundings(x!, r!, 6) }),
});
