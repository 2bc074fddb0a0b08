import { expect, test } from "vitest";
import { cutAtoms } from "../../../src/model/cut.js";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

function network() {
  const net = new Net(new Random(10));
  const x = net.relu(net.norm(net.conv(net.input([4, 4, 2]), 5)));
  return { graph: net.build(net.dense(net.flatten(net.conv(x, 3)), 2)), x };
}

test("one channel left is a valid network", async () => {
  const { graph, x } = network();
  const group = groupOf(graph, x, -1);
  const cut = await expectCutEqualsSilence(graph, [{ group, atoms: freeAtoms(group).slice(0, 4) }]);
  expect(cut.tensors.get(x)!.type.shape).toEqual([1, 4, 4, 1]);
});

test("the last channel is not cut, and the message names the tensor", () => {
  const { graph, x } = network();
  const group = groupOf(graph, x, -1);
  expect(() => cutAtoms(graph, [{ group, atoms: freeAtoms(group) }])).toThrowError(
    /cutting all 5 channels of ".+" would leave nothing/,
  );
});
