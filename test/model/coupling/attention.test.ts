import { expect, test } from "vitest";
import { analyzeCoupling } from "../../../src/model/coupling.js";
import { cutAtoms } from "../../../src/model/cut.js";
import { Random } from "../../../src/model/random.js";
import type { Graph } from "../../../src/model/types.js";
import { expectCutEqualsSilence, freeAtoms, outputsOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

const WIDTH = 6;
const SIZE = 2;

interface Heads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly causal?: boolean;
  readonly mask?: (net: Net) => string;
}

/** Queries, keys and values of `x` and their attention, heads of two features; values of three. */
function attend(net: Net, x: string, { heads, kvHeads, causal = false, mask }: Heads): string {
  const project = (width: number): string => net.op("dense", [x, net.weight([WIDTH, width]), net.weight([width])]);
  const inputs = [project(heads * SIZE), project(kvHeads * SIZE), project(kvHeads * 3)];
  return net.op("attention", [...inputs, ...(mask ? [mask(net)] : [])], { heads, kvHeads, scale: 0.7, causal });
}

const project = (net: Net, x: string, to = WIDTH): string => net.op("dense", [x, net.weight([net.channels(x), to])]);

/** The only group of heads, with the number of its atoms. */
function headsOf(graph: Graph, atoms: number) {
  const [group, ...more] = analyzeCoupling(graph).groups;
  expect(more).toEqual([]);
  expect(freeAtoms(group!)).toHaveLength(atoms);
  return group!;
}

const attentionOf = (graph: Graph) => graph.nodes.filter((node) => node.op === "attention").map((node) => node.attrs);

test("a head is one atom across queries, keys, values and what reads it", async () => {
  const net = new Net(new Random(1));
  const graph = net.build(project(net, attend(net, net.input([4, WIDTH]), { heads: 3, kvHeads: 3, causal: true })));
  const group = headsOf(graph, 3);
  const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [1] }]);
  expect(attentionOf(cut)).toMatchObject([{ heads: 2, kvHeads: 2 }]);
});

test("a head whose slice of the output projection is zero changes nothing when it goes", async () => {
  const net = new Net(new Random(2));
  const y = attend(net, net.input([4, WIDTH]), { heads: 3, kvHeads: 3 });
  const out = net.weight([9, WIDTH]);
  const graph = net.build(net.op("dense", [y, out]));
  (graph.tensors.get(out)!.data as Float32Array).fill(0, 3 * WIDTH, 6 * WIDTH);
  const cut = cutAtoms(graph, [{ group: headsOf(graph, 3), atoms: [1] }]);
  expect(attentionOf(cut)).toMatchObject([{ heads: 2 }]);
  expect(await outputsOf(cut)).toEqual(await outputsOf(graph));
});

test("a packed projection loses three slices", async () => {
  const net = new Net(new Random(3));
  const all = net.op("dense", [net.input([4, WIDTH]), net.weight([WIDTH, 18]), net.weight([18])]);
  const parts = [0, 6, 12].map((from) => net.op("slice", [all], { begin: [0, 0, from], size: [-1, 4, 6] }));
  const y = net.op("attention", parts, { heads: 3, kvHeads: 3, scale: 1, causal: false });
  const graph = net.build(project(net, y));
  const cut = await expectCutEqualsSilence(graph, [{ group: headsOf(graph, 3), atoms: [0] }]);
  expect(cut.tensors.get(all)!.type.shape).toEqual([1, 4, 12]);
});

test("two consumers: both lose the head", async () => {
  const net = new Net(new Random(4));
  const y = attend(net, net.input([4, WIDTH]), { heads: 2, kvHeads: 2 });
  const graph = net.build(project(net, y), project(net, net.op("relu", [y]), 3));
  const cut = await expectCutEqualsSilence(graph, [{ group: headsOf(graph, 2), atoms: [0] }]);
  expect(cut.outputs).toHaveLength(2);
});

test("queries that another attention reads too: heads of both go together", async () => {
  const net = new Net(new Random(5));
  const x = net.input([4, WIDTH]);
  const [q, ...others] = [0, 1, 2, 3, 4].map(() => net.op("dense", [x, net.weight([WIDTH, 6])]));
  const attention = (k: string, v: string): string =>
    net.op("attention", [q!, k, v], { heads: 3, kvHeads: 3, scale: 1, causal: false });
  const graph = net.build(
    project(net, attention(others[0]!, others[1]!)),
    project(net, attention(others[2]!, others[3]!)),
  );
  const cut = await expectCutEqualsSilence(graph, [{ group: headsOf(graph, 3), atoms: [2] }]);
  expect(attentionOf(cut)).toMatchObject([{ heads: 2 }, { heads: 2 }]);
});

test("grouped queries: a head of keys goes with all heads of queries that read it", async () => {
  const net = new Net(new Random(6));
  const graph = net.build(project(net, attend(net, net.input([4, WIDTH]), { heads: 6, kvHeads: 2 })));
  const group = headsOf(graph, 2);
  const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [0] }]);
  expect(attentionOf(cut)).toMatchObject([{ heads: 3, kvHeads: 1 }]);
});

test("one head of keys for all is never cut whole", () => {
  const net = new Net(new Random(7));
  const graph = net.build(project(net, attend(net, net.input([4, WIDTH]), { heads: 3, kvHeads: 1 })));
  const group = headsOf(graph, 1);
  expect(() => cutAtoms(graph, [{ group, atoms: [0] }])).toThrowError(expect.objectContaining({ code: "E_CUT" }));
});

test("a mask with a plane for each head loses the plane", async () => {
  const net = new Net(new Random(8));
  const mask = (n: Net): string => n.weight([1, 3, 4, 4]);
  const graph = net.build(project(net, attend(net, net.input([4, WIDTH]), { heads: 3, kvHeads: 3, mask })));
  const cut = await expectCutEqualsSilence(graph, [{ group: headsOf(graph, 3), atoms: [1] }]);
  expect(cut.nodes.find((n) => n.op === "attention")!.inputs.map((t) => cut.tensors.get(t)!.type.shape)[3]).toEqual([
    1, 2, 4, 4,
  ]);
});

/** Tokens of a table, a sublayer, and scores by the same table: h table^T. */
function tied(norm: boolean): { graph: Graph; table: string } {
  const net = new Net(new Random(9));
  const ids = net.builder.input("ids", { dtype: "i32", shape: [1, 4], batchAxis: 0 });
  const table = net.weight([11, WIDTH]);
  const x = net.op("gather", [table, ids], { axis: 0 });
  const sum = net.add(x, project(net, net.op("relu", [project(net, x, 5)])));
  const h = norm ? net.op("layer_norm", [sum, net.weight([WIDTH])], { axis: 2, epsilon: 1e-5 }) : sum;
  return { graph: net.build(net.op("matmul", [h, table], { transposeA: false, transposeB: true })), table };
}

test("a table that is the output's weights too: a feature goes from both, and stays where a norm needs it", () => {
  const { graph, table } = tied(false);
  const group = analyzeCoupling(graph).groups.find((g) => g.axes.some((a) => a.tensor === table))!;
  expect(freeAtoms(group)).toHaveLength(WIDTH);
  const cut = cutAtoms(graph, [{ group, atoms: [2] }]);
  expect(cut.tensors.get(table)!.type.shape).toEqual([11, WIDTH - 1]);
  const { groups, frozen } = analyzeCoupling(tied(true).graph);
  expect(groups.map((g) => freeAtoms(g).length)).toEqual([5]);
  expect(frozen.flatMap((g) => g.atoms.map((a) => a.frozen)).join()).toContain(
    "layer_norm takes mean and variance over it",
  );
});
