import { expect, test } from "vitest";
import { sliceConstantGathers } from "../../../src/model/passes/constant-gathers.js";
import { Random } from "../../../src/model/random.js";
import type { Graph } from "../../../src/model/types.js";
import { expectCutEqualsSilence, freeAtoms, groupOf, outputsOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

const CHANNELS = 6;

function gathering(axis: number, indices: readonly number[], shape: readonly number[] = [indices.length]): Graph {
  const net = new Net(new Random(3));
  const x = net.relu(net.conv(net.input([5, 5, 2]), CHANNELS));
  const fixed = net.builder.constant("indices", "i32", shape, Int32Array.from(indices));
  return net.build(net.op("gather", [x, fixed], { axis }));
}

const opsOf = (graph: Graph): string[] => graph.nodes.slice(2).map((node) => node.op);

test.each([
  ["a range", 1, [1, 2, 3], ["slice"]],
  ["backwards, from the end", 2, [-1, -2, -3, -4, -5], ["slice"]],
  ["every second", 3, [1, 3, 5], ["slice"]],
  ["two runs", 3, [4, 5, 0, 1, 2], ["slice", "slice", "concat"]],
  ["the same one twice", 3, [2, 2], ["gather"]],
  ["too many runs", 3, [0, 3, 1, 4, 0, 3, 5, 2, 0, 5, 4, 1, 5, 0, 2, 1, 3, 0, 5], ["gather"]],
] as const)("%s", async (_name, axis, indices, ops) => {
  const graph = gathering(axis, indices);
  const lean = sliceConstantGathers(graph);
  expect(opsOf(lean)).toEqual(ops);
  expect(await outputsOf(lean)).toEqual(await outputsOf(graph));
});

test("one index takes its axis away", async () => {
  const graph = gathering(2, [-1], []);
  const lean = sliceConstantGathers(graph);
  expect(opsOf(lean)).toEqual(["slice", "reshape"]);
  expect(lean.tensors.get(lean.outputs[0]!.tensor)!.type).toEqual({ dtype: "f32", shape: [1, 5, 6], batchAxis: 0 });
  expect(await outputsOf(lean)).toEqual(await outputsOf(graph));
});

test("channels that change places can be cut", async () => {
  const net = new Net(new Random(4));
  const x = net.relu(net.conv(net.input([4, 4, 2]), CHANNELS));
  const order = net.builder.constant("order", "i32", [CHANNELS], Int32Array.of(3, 4, 5, 0, 1, 2));
  const swapped = net.op("gather", [x, order], { axis: 3 });
  const graph = sliceConstantGathers(net.build(net.dense(net.globalMean(net.conv(swapped, 3)), 2)));
  const group = groupOf(graph, x, 3);
  expect(freeAtoms(group)).toHaveLength(CHANNELS);
  await expectCutEqualsSilence(graph, [{ group, atoms: [0, 4] }]);
});
