import { expect, test } from "vitest";
import { analyzeCoupling } from "../../../src/model/coupling.js";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

test("flattening repeats a channel once for each position", async () => {
  const net = new Net(new Random(3));
  const x = net.relu(net.conv(net.input([4, 3, 2]), 5));
  const flat = net.flatten(x);
  const graph = net.build(net.dense(flat, 3));
  const group = groupOf(graph, x, -1);
  expect(freeAtoms(group)).toHaveLength(5);
  const atom = group.atoms.find((a) => a.members.some((m) => m.tensor === x && m.indices[0] === 1))!;
  expect(atom.members.find((m) => m.tensor === flat)!.indices).toEqual([1, 6, 11, 16, 21, 26, 31, 36, 41, 46, 51, 56]);
  const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [atom.id] }]);
  expect(cut.tensors.get(flat)!.type.shape).toEqual([1, 48]);
});

test("splitting an axis makes the outer factor the unit: whole heads, never parts of one", () => {
  const net = new Net(new Random(4));
  const hidden = net.dense(net.input([6]), 12);
  const heads = net.op("reshape", [hidden], { shape: [-1, 3, 4] });
  const means = net.op("reduce_mean", [net.relu(heads)], { axes: [2], keepDims: false });
  const graph = net.build(net.dense(means, 2));
  const group = analyzeCoupling(graph).groups.find((g) => g.axes.some((a) => a.tensor === hidden))!;
  const inHidden = group.atoms
    .filter((a) => a.frozen === null)
    .map((a) => a.members.find((m) => m.tensor === hidden)!.indices);
  expect(inHidden).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9, 10, 11],
  ]);
});
