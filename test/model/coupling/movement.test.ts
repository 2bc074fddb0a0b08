import { describe, expect, test } from "vitest";
import { analyzeCoupling } from "../../../src/model/coupling.js";
import type { Attrs, Graph } from "../../../src/model/types.js";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms, groupOf } from "../../support/coupling.js";
import { Net } from "../../support/networks.js";

const CHANNELS = 6;

/** input → conv → operator → conv: the channels between the convolutions meet the operator. */
function between(make: (net: Net, x: string) => string): { graph: Graph; x: string; y: string } {
  const net = new Net(new Random(5));
  const x = net.relu(net.conv(net.input([4, 4, 2]), CHANNELS));
  const y = make(net, x);
  return { graph: net.build(net.dense(net.globalMean(net.conv(y, 3)), 2)), x, y };
}

const op = (name: string, attrs: Attrs) => (net: Net, x: string) => net.op(name, [x], attrs);
const resized = { coordinates: "half_pixel", scales: null };

describe("channels pass through", () => {
  test.each([
    ["resize, nearest", op("resize", { ...resized, sizes: [7, 8], mode: "nearest" })],
    ["resize, linear", op("resize", { ...resized, sizes: [8, 6], mode: "linear" })],
    ["tile of rows", op("tile", { repeats: [1, 2, 1, 1] })],
    ["rows backwards", op("slice", { begin: [0, 3, 0, 0], size: [-1, -1, -1, -1], steps: [1, -1, 1, 1] })],
    ["every second row", op("slice", { begin: [0, 0, 0, 0], size: [-1, 2, -1, -1], steps: [1, 2, 1, 1] })],
    ["mirrored rows", op("pad", { before: [0, 2, 0, 0], after: [0, 1, 0, 0], value: 0, mode: "reflect" })],
    ["running sums of columns", op("cumsum", { axis: 2 })],
    ["minimum of rows", op("reduce_min", { axes: [1], keepDims: true })],
    ["largest rows", op("top_k", { axis: 1, k: 2 })],
    [
      "gathered columns",
      (net: Net, x: string) =>
        net.op("gather", [x, net.builder.constant("i", "i32", [3], Int32Array.of(2, 0, -1))], { axis: 2 }),
    ],
  ] as const)("%s", async (_name, make) => {
    const { graph, x, y } = between(make);
    const group = groupOf(graph, x, 3);
    expect(freeAtoms(group)).toHaveLength(CHANNELS);
    const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [0, 3, 4] }]);
    expect(cut.tensors.get(y)!.type.shape[3]).toBe(CHANNELS - 3);
  });

  test("a broadcast of one row keeps its channels", async () => {
    const { graph, x } = between((net, t) => {
      const row = net.op("reduce_mean", [t], { axes: [1], keepDims: true });
      return net.op("broadcast_to", [row], { shape: [-1, 4, 4, CHANNELS] });
    });
    const group = groupOf(graph, x, 3);
    const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [1, 5] }]);
    expect(cut.nodes.find((n) => n.op === "broadcast_to")!.attrs.shape).toEqual([-1, 4, 4, CHANNELS - 2]);
  });
});

describe("channels that the operator moves", () => {
  test("all copies of a channel go with it", async () => {
    const { graph, x, y } = between(op("tile", { repeats: [1, 1, 1, 2] }));
    const group = groupOf(graph, x, 3);
    const cut = await expectCutEqualsSilence(graph, [{ group, atoms: [2, 3] }]);
    expect(cut.tensors.get(y)!.type.shape[3]).toBe(2 * (CHANNELS - 2));
  });

  test("backwards, the first of a slice may be cut", async () => {
    // Channels 4, 3, 2, 1.
    const { graph, x, y } = between(op("slice", { begin: [0, 0, 0, 4], size: [-1, -1, -1, 4], steps: [1, 1, 1, -1] }));
    const group = groupOf(graph, x, 3);
    for (const channels of [[4], [1], [0, 5], [2, 4], [3, 0]]) {
      const atoms = channels.map(
        (i) => group.atoms.find((a) => a.members.some((m) => m.tensor === x && m.indices.includes(i)))!.id,
      );
      const cut = await expectCutEqualsSilence(graph, [{ group, atoms }]);
      const gone = channels.filter((i) => i >= 1 && i <= 4).length;
      expect(cut.tensors.get(y)!.type.shape[3]).toBe(4 - gone);
    }
  });
});

describe("channels that must stay, with the reason", () => {
  test.each([
    ["every second", op("slice", { begin: [0, 0, 0, 0], size: [-1, -1, -1, 3], steps: [1, 1, 1, 2] }), /one in 2/],
    [
      "mirrored",
      op("pad", { before: [0, 0, 0, 1], after: [0, 0, 0, 1], value: 0, mode: "reflect" }),
      /padding repeats them/,
    ],
    ["running sums", op("cumsum", { axis: 3 }), /sums them up/],
    ["sorted", op("top_k", { axis: 3, k: 2 }), /sorts them/],
    [
      "numbered",
      (net: Net, x: string) =>
        net.op("cast", [net.op("arg_reduce", [x], { axis: 3, keepDims: true, kind: "max" })], { to: "f32" }),
      /gives their numbers/,
    ],
    [
      "picked",
      (net: Net, x: string) =>
        net.op("gather", [x, net.builder.constant("i", "i32", [3], Int32Array.of(2, 0, 5))], { axis: 3 }),
      /picks from them/,
    ],
  ] as const)("%s", (_name, make, reason) => {
    const { graph, x } = between(make);
    const group = analyzeCoupling(graph).frozen.find((g) => g.axes.some((a) => a.tensor === x && a.axis === 3))!;
    expect(group.atoms.map((a) => a.frozen)).toEqual(
      Array.from({ length: CHANNELS }, () => expect.stringMatching(reason) as string),
    );
  });
});
