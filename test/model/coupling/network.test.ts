import { expect, test } from "vitest";
import { analyzeCoupling } from "../../../src/model/coupling.js";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

const up = { strides: [2, 2], dilations: [1, 1], pads: [0, 0, 1, 1], outputPads: [0, 0] };

test("a transposed convolution ties its inputs to axis 2 of the weights and its outputs to axis 3", async () => {
  const net = new Net(new Random(1));
  const x = net.relu(net.conv(net.input([3, 3, 2]), 5));
  const y = net.relu(net.op("conv_transpose2d", [x, net.weight([3, 3, 5, 4]), net.weight([4])], { ...up, groups: 1 }));
  const graph = net.build(net.conv(y, 3));
  for (const tensor of [x, y]) {
    const group = groupOf(graph, tensor, -1);
    expect(freeAtoms(group)).toHaveLength(tensor === x ? 5 : 4);
    await expectCutEqualsSilence(graph, [{ group, atoms: [1, 3] }]);
  }
});

test("a grouped transposed convolution loses whole groups", async () => {
  const net = new Net(new Random(2));
  const x = net.relu(net.conv(net.input([3, 3, 2]), 6));
  const y = net.op("conv_transpose2d", [x, net.weight([2, 2, 6, 2]), net.weight([6])], { ...up, groups: 3 });
  const graph = net.build(net.conv(net.relu(y), 3));
  const group = groupOf(graph, x, -1);
  expect(freeAtoms(group)).toHaveLength(3);
  const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [group.atoms[1]!.id] }]);
  expect(cut.nodes.find((n) => n.op === "conv_transpose2d")!.attrs["groups"]).toBe(2);
});

test("group_norm loses whole groups, all of its channels being one only none", async () => {
  for (const [groups, left] of [
    [3, 2],
    [6, 5],
  ] as const) {
    const net = new Net(new Random(3));
    const x = net.conv(net.input([4, 4, 2]), 6);
    const y = net.op("group_norm", [x, net.weight([6]), net.weight([6])], { groups, epsilon: 1e-3 });
    const graph = net.build(net.conv(net.relu(y), 3));
    const group = groupOf(graph, x, -1);
    expect(freeAtoms(group)).toHaveLength(groups);
    const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [group.atoms[1]!.id] }]);
    expect(cut.nodes.find((n) => n.op === "group_norm")!.attrs["groups"]).toBe(left);
  }
  const net = new Net(new Random(4));
  const x = net.conv(net.input([4, 4, 2]), 6);
  const graph = net.build(net.conv(net.op("group_norm", [x], { groups: 1, epsilon: 1e-3 }), 3));
  expect(() => groupOf(graph, x, -1)).toThrow("no group can be cut");
});

test("the inputs of a recurrent layer may go, its hidden units stay, and the reason says so", async () => {
  const net = new Net(new Random(5));
  const sequence = net.builder.input("x", { dtype: "f32", shape: [4, 1, 3], batchAxis: 1 });
  const x = net.relu(net.dense(sequence, 5));
  const attrs = { direction: "forward", clip: null, activations: ["sigmoid", "tanh"], linearBeforeReset: false };
  const w = net.weight([1, 12, 5]);
  const y = net.op("gru", [x, w, net.weight([1, 12, 4]), net.weight([1, 24])], attrs);
  const graph = net.build(net.dense(y, 2));
  const group = groupOf(graph, x, -1);
  await expectCutEqualsSilence(graph, [{ group, atoms: [0, 4] }]);
  const frozen = analyzeCoupling(graph).frozen.find((g) => g.axes.some((a) => a.tensor === w && a.axis === 1))!;
  expect(frozen.atoms[0]!.frozen).toContain("feed one another over time");
});
