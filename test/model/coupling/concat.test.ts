import { expect, test } from "vitest";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

function network() {
  const net = new Net(new Random(1));
  const x = net.input([5, 5, 3]);
  const a = net.relu(net.conv(x, 4));
  const b = net.relu(net.conv(x, 6, 1));
  const y = net.conv(net.concat(a, b), 5);
  return { graph: net.build(net.dense(net.globalMean(y), 3)), a, b };
}

test("channels on either side of a concatenation are cut from the consumer at their offset", async () => {
  const { graph, a, b } = network();
  const first = groupOf(graph, a, -1);
  // Both branches share the concatenated axis, so they are one group of 4 + 6 independent channels.
  expect(freeAtoms(first)).toHaveLength(10);
  expect(groupOf(graph, b, -1).id).toBe(first.id);
  const fromB = first.atoms.find((t) => t.members.some((m) => m.tensor === b && m.indices[0] === 2))!;
  const fromA = first.atoms.find((t) => t.members.some((m) => m.tensor === a && m.indices[0] === 3))!;
  const cut = await expectCutEqualsSilence(graph, [{ group: first, atoms: [fromA.id, fromB.id] }]);
  expect(cut.tensors.get(a)!.type.shape).toEqual([1, 5, 5, 3]);
  expect(cut.tensors.get(b)!.type.shape).toEqual([1, 5, 5, 5]);
});
