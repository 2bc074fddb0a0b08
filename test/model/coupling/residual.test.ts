import { expect, test } from "vitest";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

test("everything that is added to a residual stream is one channel set; a block's inner width is its own", async () => {
  const net = new Net(new Random(5));
  const stem = net.relu(net.conv(net.input([5, 5, 3]), 6));
  const inner = net.relu(net.norm(net.conv(stem, 4)));
  const x = net.relu(net.add(stem, net.norm(net.conv(inner, 6))));
  const y = net.relu(net.add(x, net.conv(net.conv(x, 3), 6)));
  const graph = net.build(net.dense(net.globalMean(y), 3));
  const stream = groupOf(graph, stem, -1);
  expect(groupOf(graph, x, -1).id).toBe(stream.id);
  expect(groupOf(graph, y, -1).id).toBe(stream.id);
  const width = groupOf(graph, inner, -1);
  expect(width.id).not.toBe(stream.id);
  expect(freeAtoms(stream)).toHaveLength(6);
  expect(freeAtoms(width)).toHaveLength(4);
  const cut = await expectCutEqualsSilence(graph, [
    { group: stream, atoms: [0, 3] },
    { group: width, atoms: [1] },
  ]);
  for (const tensor of [stem, x, y]) expect(cut.tensors.get(tensor)!.type.shape).toEqual([1, 5, 5, 4]);
});
