import { describe, expect, test } from "vitest";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { Net } from "../support/networks.js";
import { emissionError } from "./support.js";

/** One f32 rounding of sums of a few hundred terms of size 1: far above the derived bound, far below any mistake. */
const TOLERANCE = 2e-6;

interface Window {
  k: [number, number];
  s?: [number, number];
  d?: [number, number];
  p?: [number, number, number, number];
}

const windows: Window[] = [
  { k: [1, 1] },
  { k: [1, 1], s: [2, 2] },
  { k: [3, 3], p: [1, 1, 1, 1] },
  { k: [3, 3], s: [2, 2], p: [0, 0, 1, 1] },
  { k: [3, 3], d: [2, 2], p: [2, 2, 2, 2] },
  { k: [3, 2], s: [1, 2], d: [1, 3], p: [1, 0, 0, 2] },
  { k: [5, 1], p: [2, 0, 2, 0] },
  { k: [1, 9], p: [0, 4, 0, 4] },
  { k: [10, 4], s: [2, 2], p: [5, 1, 5, 2] },
];

/** Whether a window has a place on an h x w image. */
const fits = ({ k, d = [1, 1], p = [0, 0, 0, 0] }: Window, h: number, w: number): boolean =>
  (k[0] - 1) * d[0] + 1 <= h + p[0] + p[2] && (k[1] - 1) * d[1] + 1 <= w + p[1] + p[3];

/** Every window on one input of `ci` channels, each an output. */
function convolutions(ci: number, co: number, h: number, w: number): Graph {
  const net = new Net(new Random(ci * 100 + co), "convolutions");
  const x = net.input([h, w, ci]);
  windows
    .filter((window) => fits(window, h, w))
    .forEach(({ k, s = [1, 1], d = [1, 1], p = [0, 0, 0, 0] }, i) => {
      const y = net.op("conv2d", [x, net.weight([...k, ci, co]), net.weight([co])], {
        strides: s,
        dilations: d,
        pads: p,
        groups: 1,
      });
      net.builder.output(i % 2 ? net.op("relu", [y]) : y);
    });
  return net.builder.build();
}

describe("conv2d at the edges, all variants against the reference", () => {
  test.each(Array.from({ length: 17 }, (_, i) => [i + 1]))("%i channels", async (c) => {
    expect(await emissionError(convolutions(c, 18 - c, 6, 7))).toBeLessThan(TOLERANCE);
  });

  test("one pixel, windows larger than the image", async () => {
    expect(await emissionError(convolutions(5, 6, 1, 1))).toBeLessThan(TOLERANCE);
    expect(await emissionError(convolutions(3, 29, 2, 1))).toBeLessThan(TOLERANCE);
  });

  test("widths around every tile: 1 to 13 pixels, 36 channels", async () => {
    const net = new Net(new Random(4));
    for (let w = 1; w <= 13; w++) {
      net.builder.output(net.conv(net.input([3, w, 4], `x${w}`), 36));
      net.builder.output(net.conv(net.input([1, w, 4], `z${w}`), 20, 1));
    }
    expect(await emissionError(net.builder.build())).toBeLessThan(TOLERANCE);
  });
});

describe("grouped and depthwise", () => {
  test.each([
    [8, 8, 2],
    [6, 9, 3],
    [12, 24, 3],
    [4, 8, 4],
    [5, 5, 5],
    [2, 10, 2],
  ])("conv2d %i -> %i channels in %i groups", async (ci, co, groups) => {
    const net = new Net(new Random(groups));
    const x = net.input([5, 4, ci]);
    net.builder.output(net.op("relu6", [net.conv(x, co, 3, 1, { groups })]));
    net.builder.output(net.conv(x, co, 3, 2, { groups, bias: false }));
    net.builder.output(net.conv(x, co, 1, 1, { groups }));
    const w = net.weight([3, 3, ci / groups, co]);
    net.builder.output(net.op("conv2d", [x, w], { strides: [1, 1], dilations: [2, 2], pads: [2, 2, 2, 2], groups }));
    expect(await emissionError(net.builder.build())).toBeLessThan(TOLERANCE);
  });

  test.each(Array.from({ length: 17 }, (_, i) => [i + 1]))("depthwise %i channels", async (c) => {
    const net = new Net(new Random(c));
    const x = net.input([6, 7, c]);
    for (const { k, s = [1, 1], d = [1, 1], p = [0, 0, 0, 0] } of windows.filter((window) => fits(window, 6, 7))) {
      const y = net.op("depthwise_conv2d", [x, net.weight([...k, c, 1]), net.weight([c])], {
        strides: s,
        dilations: d,
        pads: p,
      });
      net.builder.output(k[0] === 3 ? net.op("relu", [y]) : y);
    }
    if (c <= 5) net.builder.output(net.depthwise(x, 3, 2));
    expect(await emissionError(net.builder.build())).toBeLessThan(TOLERANCE);
  });
});

describe("fusion", () => {
  test("bias, residual and activation go into the convolution, in either order of operands", async () => {
    const net = new Net(new Random(9));
    const x = net.input([5, 6, 7]);
    const a = net.op("relu", [net.conv(x, 7)]);
    const b = net.op("relu", [net.op("add", [net.conv(a, 7), a])]);
    const c = net.op("add", [b, net.conv(b, 7, 1)]);
    const d = net.op("add", [net.conv(c, 9, 1, 2), net.conv(net.op("relu", [c]), 9, 3, 2)]);
    net.builder.output(net.op("relu6", [d]));
    const late = net.op("add", [net.conv(x, 7, 1), x]);
    net.builder.output(late);
    expect(await emissionError(net.builder.build())).toBeLessThan(TOLERANCE);
  });

  test("a bias added as its own node, and a scalar one", async () => {
    const net = new Net(new Random(10));
    const x = net.input([3, 3, 5]);
    const y = net.op("add", [net.conv(x, 6, 3, 1, { bias: false }), net.weight([6])]);
    const z = net.op("add", [net.weight([1, 1, 1, 1]), net.conv(net.op("relu", [y]), 3, 1)]);
    net.builder.output(z);
    expect(await emissionError(net.builder.build())).toBeLessThan(TOLERANCE);
  });

  test("explicit padding is absorbed, and stays where others read it", async () => {
    const net = new Net(new Random(11));
    const x = net.input([4, 5, 3]);
    const padded = net.op("pad", [x], { before: [0, 1, 2, 0], after: [0, 2, 0, 0], value: 0 });
    net.builder.output(
      net.op("conv2d", [padded, net.weight([3, 3, 3, 4])], {
        strides: [1, 1],
        dilations: [1, 1],
        pads: [0, 0, 0, 0],
        groups: 1,
      }),
    );
    net.builder.output(net.op("max_pool2d", [padded], { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }));
    expect(await emissionError(net.builder.build())).toBeLessThan(TOLERANCE);
  });

  test("flatten and dense read the image in place, whatever its channel stride and border", async () => {
    const net = new Net(new Random(12));
    const x = net.conv(net.input([4, 3, 5]), 7);
    const other = net.conv(x, 3); // gives x a border
    const flat = net.op("reshape", [x], { shape: [-1, 84] });
    net.builder.output(net.op("relu", [net.op("dense", [flat, net.weight([84, 11]), net.weight([11])])]));
    net.builder.output(net.op("reshape", [other], { shape: [-1, 36] }));
    net.builder.output(flat);
    expect(await emissionError(net.builder.build())).toBeLessThan(TOLERANCE);
  });
});

/** Each plain operator on tensors whose channel stride is padded, bordered, or neither. */
describe("plain operators", () => {
  const run = async (build: (net: Net) => void): Promise<number> => {
    const net = new Net(new Random(21));
    build(net);
    return emissionError(net.builder.build());
  };

  test.each([3, 4, 5])("pooling, %i channels", async (c) => {
    const error = await run((net) => {
      const x = net.input([7, 6, c]);
      for (const pads of [
        [0, 0, 0, 0],
        [1, 1, 1, 1],
        [0, 0, 1, 1],
      ] as const) {
        net.builder.output(
          net.op("max_pool2d", [x], { kernel: [3, 2], strides: [2, 1], pads: [pads[0], 0, pads[2], pads[3]] }),
        );
        for (const countIncludePad of [false, true]) {
          net.builder.output(net.op("avg_pool2d", [x], { kernel: [3, 3], strides: [2, 2], pads, countIncludePad }));
        }
      }
      net.builder.output(
        net.op("avg_pool2d", [net.conv(x, c)], {
          kernel: [7, 6],
          strides: [1, 1],
          pads: [0, 0, 0, 0],
          countIncludePad: false,
        }),
      );
    });
    expect(error).toBeLessThan(TOLERANCE);
  });

  test.each([3, 4])("element-wise, broadcasting, %i channels", async (c) => {
    const error = await run((net) => {
      const x = net.input([3, 5, c]);
      const y = net.input([3, 5, c], "y");
      const scale = net.input([1, 1, c], "scale");
      const padded = net.conv(x, c); // padded channel stride
      const bordered = net.op("mul", [padded, y]);
      net.builder.output(net.conv(bordered, 2));
      net.builder.output(net.op("mul", [padded, scale]));
      net.builder.output(net.op("add", [net.weight([3, 5, c]), y]));
      net.builder.output(net.op("add", [x, net.weight([1])]));
      net.builder.output(net.op("mul", [padded, net.weight([5, 1])]));
      net.builder.output(net.op("mul", [x, net.weight([1, 3, 1, c])]));
      net.builder.output(net.op("add", [net.op("mul", [scale, net.weight([3, 1, 1])]), y]));
      net.builder.output(net.op("sigmoid", [net.op("relu6", [net.op("mul", [x, y])])]));
      net.builder.output(net.op("relu", [bordered]));
      net.builder.output(net.op("add", [y, y]));
      net.builder.output(net.op("add", [scale, y]));
    });
    expect(error).toBeLessThan(TOLERANCE);
  });

  test.each([3, 4])("reductions, %i channels", async (c) => {
    const error = await run((net) => {
      const x = net.input([4, 3, c]);
      const y = net.conv(x, c);
      for (const [op, axes, keepDims] of [
        ["reduce_mean", [1, 2], false],
        ["reduce_max", [1, 2], true],
        ["reduce_sum", [3], false],
        ["reduce_mean", [1, 2, 3], false],
        ["reduce_max", [3], true],
        ["reduce_sum", [2], false],
        ["reduce_mean", [1, 3], true],
      ] as const) {
        net.builder.output(net.op(op, [x], { axes, keepDims }));
        net.builder.output(net.op(op, [y], { axes, keepDims }));
      }
    });
    expect(error).toBeLessThan(TOLERANCE);
  });

  test.each([3, 4, 9])("softmax, %i channels, large logits too", async (c) => {
    const error = await run((net) => {
      const x = net.input([2, 3, c]);
      net.builder.output(net.op("softmax", [x], { axis: 3 }));
      net.builder.output(net.op("softmax", [net.conv(x, c, 3)], { axis: 3 }));
      net.builder.output(
        net.op("softmax", [net.op("mul", [x, net.builder.constant("big", "f32", [1], Float32Array.of(50))])], {
          axis: 1,
        }),
      );
      net.builder.output(net.op("softmax", [net.op("reshape", [x], { shape: [-1, 6 * c] })], { axis: 1 }));
    });
    // Differences of logits near 100 are rounded before the exponential.
    expect(error).toBeLessThan(2e-5);
  });

  test.each([3, 4])("moves: reshape, transpose, slice, pad, concat; %i channels", async (c) => {
    const error = await run((net) => {
      const x = net.input([3, 4, c]);
      const y = net.op("relu", [net.conv(x, c)]);
      for (const t of [x, y]) {
        net.builder.output(net.op("reshape", [t], { shape: [-1, 4, 3 * c] }));
        net.builder.output(net.op("transpose", [t], { perm: [0, 3, 1, 2] }));
        net.builder.output(net.op("transpose", [t], { perm: [0, 2, 1, 3] }));
        net.builder.output(net.op("slice", [t], { begin: [0, 1, 0, 1], size: [-1, 2, 3, c - 1] }));
        net.builder.output(net.op("pad", [t], { before: [0, 1, 0, 2], after: [0, 0, 3, 1], value: -1.5 }));
        net.builder.output(
          net.op(
            "conv2d",
            [net.op("pad", [t], { before: [0, 1, 1, 0], after: [0, 1, 1, 0], value: 2 }), net.weight([3, 3, c, 2])],
            { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1 },
          ),
        );
      }
      const cat = net.op("concat", [x, y, x], { axis: 3 });
      net.builder.output(net.conv(cat, 5));
      const fixed = net.weight([2, 4, c]);
      net.builder.output(
        net.op("concat", [net.op("reduce_sum", [x], { axes: [0], keepDims: false }), fixed], { axis: 0 }),
      );
      net.builder.output(net.op("concat", [y, x], { axis: 1 }));
      net.builder.output(net.op("reshape", [net.op("concat", [x, y], { axis: 2 })], { shape: [-1, 24 * c] }));
      net.builder.output(net.depthwise(net.op("slice", [x], { begin: [0, 0, 0, 0], size: [-1, 3, 4, 2] })));
    });
    expect(error).toBeLessThan(TOLERANCE);
  });

  test("dense on every rank, matmul with all transpositions", async () => {
    const net = new Net(new Random(5));
    const x = net.input([3, 4, 5]);
    net.builder.output(net.op("dense", [x, net.weight([5, 6]), net.weight([6])]));
    net.builder.output(net.op("dense", [net.op("reshape", [x], { shape: [-1, 60] }), net.weight([60, 33])]));
    const type = (shape: number[]) => ({ dtype: "f32" as const, shape, batchAxis: null });
    const a = net.builder.input("a", type([3, 5])),
      b = net.builder.input("b", type([5, 7]));
    const at = net.builder.input("at", type([5, 3])),
      bt = net.builder.input("bt", type([7, 5]));
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        net.builder.output(net.op("matmul", [transposeA ? at : a, transposeB ? bt : b], { transposeA, transposeB }));
      }
    }
    expect(await emissionError(net.builder.build())).toBeLessThan(TOLERANCE);
  });

  test("batch norm folded into convolutions, or left as a scale and an offset", async () => {
    const error = await run((net) => {
      const x = net.input([4, 4, 3]);
      net.builder.output(net.op("relu", [net.norm(net.conv(x, 5, 3, 1, { bias: false }))]));
      net.builder.output(net.conv(net.op("relu", [net.norm(x)]), 4));
    });
    expect(error).toBeLessThan(5e-6);
  });

  test("a batch that is part of the model", async () => {
    const net = new Net(new Random(6));
    const x = net.builder.input("x", { dtype: "f32", shape: [3, 5, 4, 6], batchAxis: null });
    const y = net.op("relu", [net.conv(x, 6)]);
    net.builder.output(net.op("add", [net.conv(y, 6, 3), y]));
    net.builder.output(
      net.op("conv2d", [y, net.weight([3, 3, 3, 8])], {
        strides: [1, 1],
        dilations: [1, 1],
        pads: [1, 1, 1, 1],
        groups: 2,
      }),
    );
    net.builder.output(net.depthwise(y));
    net.builder.output(net.op("reduce_mean", [y], { axes: [1, 2], keepDims: true }));
    net.builder.output(net.op("max_pool2d", [y], { kernel: [2, 2], strides: [1, 2], pads: [0, 0, 0, 0] }));
    net.builder.output(net.op("sigmoid", [y]));
    expect(await emissionError(net.builder.build())).toBeLessThan(TOLERANCE);
  });

  test("outputs that are inputs, the same output twice, several inputs", async () => {
    const error = await run((net) => {
      const x = net.input([2, 2, 3]);
      const y = net.input([2, 2, 3], "second");
      const z = net.op("add", [x, y]);
      net.builder.output(x, "same");
      net.builder.output(z, "sum");
      net.builder.output(z, "again");
      net.builder.output(net.op("reshape", [z], { shape: [-1, 12] }), "flat");
    });
    expect(error).toBeLessThan(TOLERANCE);
  });
});
