import { expect, test } from "vitest";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

test("two consumers lose the channel both", async () => {
  const net = new Net(new Random(11));
  const x = net.relu(net.conv(net.input([5, 5, 3]), 6));
  const a = net.conv(x, 4);
  const b = net.conv(net.op("max_pool2d", [x], { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }), 3, 1);
  const graph = net.build(net.dense(net.concat(net.globalMean(a), net.globalMean(b)), 3));
  const group = groupOf(graph, x, -1);
  const atom = group.atoms[3]!;
  // Both kernels, on their input axis, besides the producer's kernel and bias.
  expect(atom.members.filter((m) => graph.tensors.get(m.tensor)!.data && m.axis === 2)).toHaveLength(2);
  await expectCutEqualsSilence(graph, [{ group, atoms: [atom.id, 5] }]);
});

test("a gate that broadcasts over positions is coupled with what it gates", async () => {
  const net = new Net(new Random(12));
  const x = net.relu(net.conv(net.input([5, 5, 3]), 6));
  const y = net.excite(x);
  const graph = net.build(net.dense(net.globalMean(net.conv(y, 4)), 3));
  const group = groupOf(graph, x, -1);
  expect(groupOf(graph, y, -1).id).toBe(group.id);
  await expectCutEqualsSilence(graph, [{ group, atoms: [0, 4] }]);
});
