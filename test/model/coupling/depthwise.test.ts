import { expect, test } from "vitest";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

test.each([1, 2, 3])("a depthwise convolution with multiplier %i follows its input channel", async (m) => {
  const net = new Net(new Random(6));
  const x = net.relu(net.conv(net.input([5, 5, 3]), 5, 1));
  const y = net.relu(net.depthwise(x, m));
  const graph = net.build(net.dense(net.globalMean(net.conv(y, 4, 1)), 3));
  const group = groupOf(graph, x, -1);
  expect(freeAtoms(group)).toHaveLength(5);
  const atom = group.atoms.find((a) => a.members.some((q) => q.tensor === x && q.indices[0] === 2))!;
  expect(atom.members.find((q) => q.tensor === y)!.indices).toEqual(Array.from({ length: m }, (_, j) => 2 * m + j));
  const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [atom.id] }]);
  expect(cut.tensors.get(y)!.type.shape).toEqual([1, 5, 5, 4 * m]);
});
