import { describe, expect, test } from "vitest";
import { graphCost } from "../../src/analyzer/cost.js";
import { removableUnits } from "../../src/analyzer/units.js";
import { Random } from "../../src/model/random.js";
import { Net } from "../support/networks.js";

const macs = (net: Net, x: string, co: number, k: number): number => {
  const [, h, w, ci] = net.shape(x);
  return h! * w! * ci! * co * k * k;
};

describe("removable units", () => {
  test("a residual block is a branch; its shortcut and what the shortcut needs stay", () => {
    const net = new Net(new Random(1));
    const stem = net.relu(net.conv(net.input([6, 6, 3]), 8));
    const inner = net.relu(net.conv(stem, 4));
    const sum = net.add(net.conv(inner, 8), stem);
    const graph = net.build(net.dense(net.globalMean(net.relu(sum)), 2));
    const [unit, ...rest] = removableUnits(graph).filter((u) => u.kind === "branch");
    expect(rest).toEqual([]);
    expect(unit).toMatchObject({
      output: sum,
      replacement: stem,
      macs: macs(net, stem, 4, 3) + macs(net, inner, 8, 3),
    });
    expect(unit!.nodes).toHaveLength(4);
  });

  test("with a projected shortcut the cheaper operand stays", () => {
    const net = new Net(new Random(1));
    const x = net.relu(net.conv(net.input([6, 6, 3]), 4));
    const cheap = net.conv(x, 8, 1, 2);
    const dear = net.conv(net.relu(net.conv(x, 8, 3, 2)), 8);
    const graph = net.build(net.dense(net.globalMean(net.add(dear, cheap)), 2));
    const [unit] = removableUnits(graph).filter((u) => u.kind === "branch");
    expect(unit).toMatchObject({ replacement: cheap, compared: dear });
  });

  test("a tensor that something else reads keeps its layers", () => {
    const net = new Net(new Random(1));
    const x = net.relu(net.conv(net.input([6, 6, 3]), 4));
    const first = net.relu(net.conv(x, 4));
    const sum = net.add(x, net.conv(first, 4));
    const graph = net.build(net.dense(net.globalMean(net.concat(sum, first)), 2));
    const [unit] = removableUnits(graph).filter((u) => u.kind === "branch");
    // The second convolution and the addition go; `first` is still concatenated.
    expect(unit!.nodes).toHaveLength(2);
    expect(unit!.macs).toBe(macs(net, first, 4, 3));
  });

  test("two inputs that meet in an addition are no residual", () => {
    const net = new Net(new Random(1));
    const a = net.conv(net.input([4, 4, 3], "a"), 4);
    const b = net.conv(net.input([4, 4, 3], "b"), 4);
    expect(removableUnits(net.build(net.add(a, b))).filter((u) => u.kind === "branch")).toEqual([]);
  });

  test("layers that preserve the shape, with norm and activation; never the last layer", () => {
    const net = new Net(new Random(1));
    const a = net.relu(net.norm(net.conv(net.input([6, 6, 3]), 4)));
    const b = net.relu(net.norm(net.conv(a, 4)));
    const c = net.relu(net.conv(b, 4, 3, 2));
    const graph = net.build(net.dense(net.dense(net.globalMean(c), 4), 4));
    const units = removableUnits(graph).filter((u) => u.kind === "layer");
    expect(units.map((u) => [u.replacement, u.output])).toEqual([
      [a, b],
      [units[1]!.replacement, units[1]!.output],
    ]);
    expect(units[0]!.nodes).toHaveLength(3);
    expect(units.every((u) => u.output !== graph.outputs[0]!.tensor)).toBe(true);
  });
});

test("cost counts a shared constant once in total and MACs by hand", () => {
  const net = new Net(new Random(1));
  const w = net.weight([3, 3, 4, 4]);
  const x = net.input([5, 5, 4]);
  const y = net.conv(net.conv(x, 4, 3, 1, { w, bias: false }), 4, 3, 1, { w, bias: false });
  const cost = graphCost(net.build(y));
  expect(cost.macs).toBe(2 * 5 * 5 * 9 * 4 * 4);
  expect(cost.params).toBe(9 * 4 * 4);
  expect(cost.weightBytes).toBe(4 * 9 * 4 * 4);
});
