import { expect, test } from "vitest";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

test("two branches with one kernel have one set of output channels", async () => {
  const net = new Net(new Random(8));
  const x = net.input([5, 5, 3]);
  const w = net.weight([3, 3, 3, 4]);
  const a = net.relu(net.conv(x, 4, 3, 1, { w }));
  const b = net.conv(net.op("relu6", [x]), 4, 3, 1, { w });
  const graph = net.build(net.dense(net.globalMean(net.concat(net.conv(a, 2), net.conv(b, 2))), 3));
  const group = groupOf(graph, a, -1);
  expect(groupOf(graph, b, -1).id).toBe(group.id);
  expect(freeAtoms(group)).toHaveLength(4);
  await expectCutEqualsSilence(graph, [{ group, atoms: [2] }]);
});

test("a kernel applied twice ties its outputs to its inputs", async () => {
  const net = new Net(new Random(9));
  const x = net.relu(net.conv(net.input([5, 5, 3]), 4));
  const w = net.weight([3, 3, 4, 4]);
  const y = net.conv(net.relu(net.conv(x, 4, 3, 1, { w })), 4, 3, 1, { w });
  const graph = net.build(net.dense(net.globalMean(y), 3));
  const group = groupOf(graph, x, -1);
  expect(groupOf(graph, y, -1).id).toBe(group.id);
  const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [1] }]);
  expect(cut.tensors.get(w)!.type.shape).toEqual([3, 3, 3, 3]);
});
