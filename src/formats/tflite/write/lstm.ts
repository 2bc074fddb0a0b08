import { sizeOf, type Node } from "../../../model/types.js";
import { MOST_MOMENTS } from "../../shared/decompose/recurrent.js";
import { ACTIVATIONS, F, UNIONS } from "../schema.js";
import type { TfliteWriter } from "./context.js";
import type { Direct, Use } from "./direct.js";

/** The functions of the cell that both have, as the file calls them. */
const FUNCTIONS: Readonly<Record<string, string>> = { linear: "NONE", relu: "RELU", tanh: "TANH" };

/** Positions of the gates of the file (input, forget, cell, output) in the IR's order (input, output, forget, cell). */
const GATES = [0, 2, 3, 1] as const;

/**
 * Sequences that are too long for steps, in one direction from zeros, of which only the sequence is wanted. The states of
 * this operator are variable tensors, which TensorFlow Lite has and LiteRT.js refuses.
 */
function fits({ attrs: a, inputs, constant, read, data }: Use): boolean {
  const [gates, inner, outer] = a.activations as string[];
  return (
    inputs[0]!.shape[0]! > MOST_MOMENTS &&
    a.direction === "forward" &&
    a.clip === null &&
    gates === "sigmoid" &&
    inner === outer &&
    Object.hasOwn(FUNCTIONS, inner!) &&
    inputs.every((_, i) => i === 0 || constant(i)) &&
    [4, 5].every((i) => (data(i) as Float32Array | null)?.every((v) => v === 0) ?? true) &&
    !read(1) &&
    !read(2)
  );
}

function write(w: TfliteWriter, node: Node, a: { activations: string[]; cellClip?: number | null }): void {
  const [x, weights, recurrent, bias, , , peephole] = node.inputs as [string, string, string, string?, string?, string?, string?]; // prettier-ignore
  const [, , h] = w.type(recurrent).shape as [number, number, number];
  const [, batch, features] = w.type(x).shape as [number, number, number];
  const rows = (tensor: string, shape: number[], kind: string): number[] =>
    GATES.map((g) => {
      const size = sizeOf(shape);
      return w.converted(tensor, `${kind} ${g}`, shape, (d) => d.slice(g * size, (g + 1) * size));
    });
  const biases = GATES.map((g) => {
    if (bias === undefined) return w.constant("zeros", "f32", [h], new Float32Array(h), `zeros ${h}`);
    const sum = (d: Float32Array): Float32Array =>
      Float32Array.from({ length: h }, (_, i) => d[g * h + i]! + d[(4 + g) * h + i]!);
    return w.converted(bias, `bias ${g}`, [h], sum);
  });
  // Peepholes of input, forget and output; the IR has them in the order input, output, forget.
  const peepholes = [0, 2, 1].map((g) =>
    peephole === undefined ? -1 : w.converted(peephole, `peephole ${g}`, [h], (d) => d.slice(g * h, (g + 1) * h)),
  );
  const state = (kind: string): number => w.scratch(`${node.name}/${kind}`, "f32", [batch, h], true);
  const f = F.SequenceLstm;
  const fields = [
    { id: f.activation, i8: ACTIVATIONS.indexOf(FUNCTIONS[a.activations[1]!]! as "NONE") },
    { id: f.cellClip, f32: a.cellClip ?? 0 },
    { id: f.timeMajor, i8: 1 },
  ];
  const inputs = [
    ...[w.at(x), ...rows(weights, [h, features], "input"), ...rows(recurrent, [h, h], "recurrent")],
    ...[...peepholes, ...biases, -1, -1, state("hidden"), state("cell"), -1, -1, -1, -1],
  ];
  w.emitWithoutAxis("UNIDIRECTIONAL_SEQUENCE_LSTM", node, inputs, { union: UNIONS.SequenceLstm, fields }, 1);
}

export const lstm: Direct = { fits, write };
