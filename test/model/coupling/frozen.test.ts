import { expect, test } from "vitest";
import { analyzeCoupling } from "../../../src/model/coupling.js";
import { cutAtoms } from "../../../src/model/cut.js";
import { Random } from "../../../src/model/random.js";
import { groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

test("a dead end: channels nobody reads can be cut, those of an output cannot", () => {
  const net = new Net(new Random(13));
  const x = net.relu(net.conv(net.input([5, 5, 3]), 6));
  const y = net.dense(net.globalMean(x), 4);
  const graph = net.build(y);
  expect(groupOf(graph, x, -1).atoms.every((a) => a.frozen === null)).toBe(true);
  const { frozen } = analyzeCoupling(graph);
  const output = frozen.find((g) => g.axes.some((a) => a.tensor === y && a.axis === 1))!;
  expect(output.atoms.map((a) => a.frozen)).toEqual(new Array(4).fill("it is an output of the model"));
  expect(() => cutAtoms(graph, [{ group: output, atoms: [0] }])).toThrowError(/it is an output of the model/);
});

test("what a softmax normalises over is frozen, and the reason names the node", () => {
  const net = new Net(new Random(14));
  const x = net.dense(net.input([5]), 4);
  const graph = net.build(net.dense(net.op("softmax", [x], { axis: 1 }), 2));
  const group = analyzeCoupling(graph).frozen.find((g) => g.axes.some((a) => a.tensor === x))!;
  expect(group.atoms[0]!.frozen).toMatch(/softmax/);
});

test("an axis that is reduced over cannot be cut", () => {
  const net = new Net(new Random(15));
  const x = net.dense(net.input([5]), 4);
  const sum = net.op("reduce_mean", [x], { axes: [1], keepDims: true });
  const graph = net.build(net.dense(sum, 2));
  expect(analyzeCoupling(graph).groups.some((g) => g.axes.some((a) => a.tensor === x && a.axis === 1))).toBe(false);
});

test("what is frozen stays frozen when it is later added to something free", () => {
  const net = new Net(new Random(16));
  const x = net.input([5]);
  const free = net.relu(net.dense(x, 4));
  const fixed = net.op("softmax", [net.dense(x, 4)], { axis: 1 });
  const sum = net.add(free, fixed);
  const graph = net.build(net.dense(sum, 2));
  const group = analyzeCoupling(graph).frozen.find((g) => g.axes.some((a) => a.tensor === sum && a.axis === 1))!;
  expect(group.atoms.every((a) => a.frozen?.includes("softmax"))).toBe(true);
});
