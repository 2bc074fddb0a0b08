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

const attrs = z.strictObject(recurrentAttrs);
export type RnnAttrs = z.infer<typeof attrs>;

/**
 * Plain recurrence over a whole sequence, time first: h' = f(x W + h R), with both biases; letters as in lstm.ts.
 *
 *   x [T, B, I], w [D, H, I], r [D, H, H], b [D, 2H], h0 [D, B, H] or [D, 1, H]  ->  y [T, D, B, H], hn [D, B, H]
 *
 * activations: [f] for each direction, ONNX's default is tanh. ONNX `RNN`, Keras `SimpleRNN`.
 */
export const rnn = defineOp<RnnAttrs>({
  name: "rnn",
  summary: "plain recurrence over a sequence, one or both directions",
  inputs: ["x", "w", "r", "b?", "h0?"],
  outputs: ["y", "hn"],
  params: [1, 2, 3],
  attrs,
  infer: (inputs, a) => recurrentTypes("rnn", inputs, a, { gates: 1, functions: 1, states: 1 }),
  couple: (c) => coupleRecurrent(c, 1),
  cost: (inputs, outputs) => recurrentCost(inputs, outputs, 1),
  reference: (inputs, a, shapes) =>
    walk(inputs, a, shapes, 1, ({ f: [f], input, recurrent, clip }, [hidden]) => [
      hidden!.map((_, u) => f!(clip(input(u) + recurrent(u, hidden!)))),
    ]),
  vjp: (g) =>
    unrolledGradients(g, {
      gates: 1,
      functions: 1,
      states: 1,
      step: ({ tape, input, recurrent, f }, [hidden]) => [f(0, tape.emit("add", [input(0), recurrent(0, hidden!)]))],
    }),
  tolerance: ([x, , r]) => ({ kind: "roundings", count: recurrentRoundings(x!, r!, 0) }),
});
