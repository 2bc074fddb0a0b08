import { expect, test } from "vitest";
import { analyzeCoupling } from "../../../src/model/coupling.js";
import type { GroupCut } from "../../../src/model/cut.js";
import { Random } from "../../../src/model/random.js";
import type { Graph } from "../../../src/model/types.js";
import { expectCutEqualsSilence, freeAtoms } from "../../support/coupling.js";
import { randomNetwork } from "../../support/networks.js";

const NETWORKS = 500;

/** What makes coupling hard, as the tensors of a graph that would be cut wrongly. */
const HAZARDS: Record<string, (graph: Graph) => string[]> = {
  residual: (g) => outputsOf(g, (n) => n.op === "add"),
  concat: (g) => outputsOf(g, (n) => n.op === "concat"),
  split: (g) => outputsOf(g, (n) => n.op === "slice"),
  depthwise: (g) => outputsOf(g, (n) => n.op === "depthwise_conv2d"),
  grouped: (g) => outputsOf(g, (n) => n.op === "conv2d" && (n.attrs.groups as number) > 1),
  "shared kernel": (g) =>
    outputsOf(g, (n) => n.op === "conv2d" && g.nodes.filter((m) => m.inputs[1] === n.inputs[1]).length > 1),
  "squeeze and excite": (g) => outputsOf(g, (n) => n.op === "mul"),
  flatten: (g) => outputsOf(g, (n) => n.op === "reshape"),
};

function outputsOf(graph: Graph, wanted: (node: Graph["nodes"][number]) => boolean): string[] {
  return graph.nodes.filter(wanted).map((n) => n.outputs[0]!);
}

/** The cut network, compared with the silenced one; null where one side of a concatenation would be empty. */
async function cutOrEmpty(graph: Graph, cuts: readonly GroupCut[], seed: number): Promise<Graph | null> {
  try {
    return await expectCutEqualsSilence(graph, cuts);
  } catch (error) {
    if ((error as { code?: string }).code === "E_CUT") return null;
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}

test(`cutting equals silencing on ${NETWORKS} random architectures`, async () => {
  let cuts = 0;
  let networks = 0;
  const met = new Map(Object.keys(HAZARDS).map((name) => [name, 0]));
  for (let seed = 1; seed <= NETWORKS; seed++) {
    const graph = randomNetwork(seed);
    const random = new Random(seed);
    const chosen = analyzeCoupling(graph).groups.flatMap((group) => {
      const free = freeAtoms(group);
      // Never all of a group: its axes must keep an index.
      const atoms = random.shuffle(free).slice(0, random.int(group.atoms.length));
      return atoms.length > 0 ? [{ group, atoms }] : [];
    });
    if (chosen.length === 0) continue;
    const one = chosen.map(({ group, atoms }) => ({ group, atoms: atoms.slice(0, 1) }));
    const cut = (await cutOrEmpty(graph, chosen, seed)) ?? (await cutOrEmpty(graph, one, seed));
    if (!cut) continue;
    cuts += chosen.length;
    networks++;
    const narrower = (tensor: string): boolean =>
      cut.tensors.get(tensor)!.type.shape.at(-1)! < graph.tensors.get(tensor)!.type.shape.at(-1)!;
    for (const [name, tensorsOf] of Object.entries(HAZARDS))
      if (tensorsOf(graph).some(narrower)) met.set(name, met.get(name)! + 1);
  }
  // The generator must not have degenerated into networks that cannot be cut, or that lack what makes it hard.
  expect(networks).toBeGreaterThan(0.8 * NETWORKS);
  expect(cuts).toBeGreaterThan(NETWORKS);
  for (const [name, count] of met) expect(count, `${name}: networks where it was cut`).toBeGreaterThan(NETWORKS / 20);
}, 60_000);
