import { expect } from "vitest";
import { ReferenceExecutor } from "../../src/host/reference.js";
import { analyzeCoupling, type Group } from "../../src/model/coupling.js";
import { cutAtoms, type GroupCut } from "../../src/model/cut.js";
import type { Graph, Tensor } from "../../src/model/types.js";
import { randomInputs } from "./networks.js";

/** Positions of operands whose slices multiply a channel that is consumed: zeroing them silences it. */
const CONSUMING: Record<string, { input: number; axis: number }> = {
  conv2d: { input: 1, axis: 2 },
  dense: { input: 1, axis: 0 },
  conv_transpose2d: { input: 1, axis: 2 },
  gru: { input: 1, axis: 2 },
};

/** The same graph with the weights that read the given channels set to zero. */
export function silence(graph: Graph, cuts: readonly GroupCut[]): Graph {
  const consuming = new Set<string>();
  for (const node of graph.nodes) {
    const at = CONSUMING[node.op];
    if (at && node.attrs.groups !== undefined && node.attrs.groups !== 1) continue;
    if (at) consuming.add(`${at.axis}:${node.inputs[at.input]!}`);
  }
  const tensors = new Map<string, Tensor>(graph.tensors);
  for (const { group, atoms } of cuts)
    for (const id of atoms)
      for (const { tensor, axis, indices } of group.atoms[id]!.members) {
        if (!consuming.has(`${axis}:${tensor}`)) continue;
        const t = tensors.get(tensor)!;
        const data = Float32Array.from(t.data as Float32Array);
        const { shape } = t.type;
        const inner = shape.slice(axis + 1).reduce((p, d) => p * d, 1);
        const run = inner * shape[axis]!;
        for (let o = 0; o < data.length; o += run)
          for (const i of indices) data.fill(0, o + i * inner, o + (i + 1) * inner);
        tensors.set(tensor, { ...t, data });
      }
  return { ...graph, tensors };
}

export async function outputsOf(graph: Graph, seed = 1): Promise<Record<string, number[]>> {
  const executor = new ReferenceExecutor(graph);
  const outputs = await executor.run(randomInputs(graph, seed));
  await executor.close();
  return Object.fromEntries(Object.entries(outputs).map(([k, v]) => [k, Array.from(v.data as Float32Array, Number)]));
}

/** The invariant of coupling: silencing a set of channels and cutting it give equal outputs. */
export async function expectCutEqualsSilence(graph: Graph, cuts: readonly GroupCut[]): Promise<Graph> {
  const cut = cutAtoms(graph, cuts);
  expect(await outputsOf(cut)).toEqual(await outputsOf(silence(graph, cuts)));
  return cut;
}

export const freeAtoms = (group: Group): number[] => group.atoms.filter((a) => a.frozen === null).map((a) => a.id);

/** The group that has this axis; throws where no group can be cut there. */
export function groupOf(graph: Graph, tensor: string, axis: number): Group {
  const n = graph.tensors.get(tensor)!.type.shape.length;
  const found = analyzeCoupling(graph).groups.find((g) =>
    g.axes.some((a) => a.tensor === tensor && a.axis === (axis < 0 ? axis + n : axis)),
  );
  if (!found) throw new Error(`no group can be cut at axis ${axis} of ${tensor}`);
  return found;
}
