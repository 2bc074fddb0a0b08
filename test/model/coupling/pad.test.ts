import { expect, test } from "vitest";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

test("a shortcut widened by zero channels follows its input, and the padding shrinks with what is cut from it", async () => {
  const net = new Net(new Random(6));
  const x = net.relu(net.conv(net.input([4, 4, 2]), 5));
  const wide = net.op("pad", [x], { before: [0, 0, 0, 2], after: [0, 0, 0, 1], value: 0 });
  const sum = net.relu(net.add(wide, net.conv(x, 8)));
  const graph = net.build(net.dense(net.globalMean(sum), 3));
  const group = groupOf(graph, sum, -1);
  expect(freeAtoms(group)).toHaveLength(8);
  // Channels 1 and 7 of the sum are padding in the shortcut, 3 is channel 1 of x.
  const atoms = [1, 3, 7].map(
    (i) => group.atoms.find((a) => a.members.some((m) => m.tensor === sum && m.indices[0] === i))!.id,
  );
  const cut = await expectCutEqualsSilence(graph, [{ group, atoms }]);
  const pad = cut.nodes.find((n) => n.op === "pad")!;
  expect(pad.attrs).toEqual({ before: [0, 0, 0, 1], after: [0, 0, 0, 0], value: 0 });
  expect(cut.tensors.get(x)!.type.shape).toEqual([1, 4, 4, 4]);
  expect(cut.tensors.get(sum)!.type.shape).toEqual([1, 4, 4, 5]);
});
