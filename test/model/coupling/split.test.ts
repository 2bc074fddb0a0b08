import { expect, test } from "vitest";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

test("channels before a split are cut from the part that carries them, and the slices follow", async () => {
  const net = new Net(new Random(2));
  const x = net.relu(net.conv(net.input([4, 4, 2]), 7));
  const part = (begin: number, size: number) =>
    net.op("slice", [x], { begin: [0, 0, 0, begin], size: [-1, -1, -1, size] });
  const left = part(0, 3);
  const right = part(3, 4);
  const graph = net.build(net.dense(net.globalMean(net.concat(net.conv(left, 2), net.conv(right, 2))), 3));
  const group = groupOf(graph, x, -1);
  expect(freeAtoms(group)).toHaveLength(7);
  const atomsAt = [0, 4, 6].map(
    (i) => group.atoms.find((a) => a.members.some((m) => m.tensor === x && m.indices[0] === i))!.id,
  );
  const cut = await expectCutEqualsSilence(graph, [{ group, atoms: atomsAt }]);
  expect(cut.tensors.get(left)!.type.shape).toEqual([1, 4, 4, 2]);
  expect(cut.tensors.get(right)!.type.shape).toEqual([1, 4, 4, 2]);
});
