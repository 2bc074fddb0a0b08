import { expect, test } from "vitest";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

test("a grouped convolution loses whole groups: inputs, kernels and outputs together", async () => {
  const net = new Net(new Random(7));
  const x = net.relu(net.conv(net.input([4, 4, 2]), 6));
  const y = net.relu(net.conv(x, 9, 3, 1, { groups: 3 }));
  const graph = net.build(net.dense(net.globalMean(net.conv(y, 4)), 2));
  const group = groupOf(graph, x, -1);
  expect(freeAtoms(group)).toHaveLength(3);
  const atom = group.atoms.find((a) => a.members.some((m) => m.tensor === x && m.indices[0] === 2))!;
  expect(atom.members.find((m) => m.tensor === x)!.indices).toEqual([2, 3]);
  expect(atom.members.find((m) => m.tensor === y)!.indices).toEqual([3, 4, 5]);
  const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [atom.id] }]);
  expect(cut.nodes.find((n) => n.outputs[0] !== undefined && n.attrs.groups === 2)).toBeDefined();
});
