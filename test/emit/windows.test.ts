/** Windows of every shape and position: one graph for each geometry, on the host and in every emitted variant. */
import { describe, expect, test } from "vitest";
import { createExecutor } from "../../src/host/executor.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { randomInputs, Net } from "../support/networks.js";
import { emissionError, relativeError } from "./support.js";

/** Sums of at most 8 * 49 + 1 products of size 1, two roundings each; far below any mistake. */
const TOLERANCE = 2 * (8 * 49 + 1) * 2 ** -24;

interface Geometry {
  readonly image: [number, number];
  readonly kernel: [number, number];
  readonly strides?: [number, number];
  readonly dilations?: [number, number];
  readonly pads?: [number, number, number, number];
}

const geometries: readonly Geometry[] = [
  { image: [7, 8], kernel: [2, 4], pads: [1, 2, 0, 1] },
  { image: [6, 5], kernel: [4, 2], strides: [2, 3], pads: [0, 0, 3, 1] },
  { image: [9, 11], kernel: [2, 3], strides: [3, 5] },
  { image: [10, 9], kernel: [1, 1], strides: [4, 3] },
  { image: [8, 7], kernel: [1, 2], strides: [2, 4], pads: [0, 1, 0, 0] },
  { image: [3, 2], kernel: [5, 7], pads: [1, 3, 2, 4] },
  { image: [1, 1], kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  { image: [9, 10], kernel: [3, 2], dilations: [3, 4], pads: [2, 0, 1, 3] },
  { image: [8, 12], kernel: [3, 3], strides: [2, 3], dilations: [2, 3], pads: [2, 3, 2, 4] },
  { image: [5, 13], kernel: [2, 2], strides: [3, 3], dilations: [1, 5], pads: [0, 2, 1, 2] },
  { image: [1, 20], kernel: [1, 6], strides: [1, 4], pads: [0, 1, 0, 4] },
  { image: [15, 1], kernel: [5, 1], dilations: [3, 1], pads: [6, 0, 6, 0] },
];

/** Largest error of the host against the reference, at batch 1 and 3, relative to the largest value of each output. */
async function hostError(graph: Graph): Promise<number> {
  const [host, reference] = (["wasm", "reference"] as const).map((id) => createExecutor(id, graph));
  let worst = 0;
  for (const batch of [1, 3]) {
    const inputs = randomInputs(graph, 7, batch);
    const [got, expected] = [await host!.run(inputs), await reference!.run(inputs)];
    for (const { name } of graph.outputs) {
      expect(got[name]!.shape).toEqual(expected[name]!.shape);
      const error = relativeError(got[name]!.data as Float32Array, expected[name]!.data as Float32Array);
      if (!(error <= worst)) worst = error;
    }
  }
  await host!.close();
  return worst;
}

async function expectAgreement(graph: Graph): Promise<void> {
  expect(await hostError(graph)).toBeLessThan(TOLERANCE);
  expect(await emissionError(graph)).toBeLessThan(TOLERANCE);
}

const attrsOf = ({ strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0] }: Geometry) => ({
  strides,
  dilations,
  pads,
});

/** Whether every window of a pool has a tap inside the image. */
function poolable({ image, kernel, strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0] }: Geometry): boolean {
  return ([0, 1] as const).every((k) => {
    const reach = (kernel[k] - 1) * dilations[k] + 1;
    for (let at = -pads[k]; at + reach <= image[k] + pads[k + 2]!; at += strides[k]) {
      const taps = Array.from({ length: kernel[k] }, (_, t) => at + t * dilations[k]);
      if (!taps.some((t) => t >= 0 && t < image[k])) return false;
    }
    return true;
  });
}

describe.each(geometries)("image $image, kernel $kernel, strides $strides, dilations $dilations, pads $pads", (g) => {
  const [kh, kw] = g.kernel;

  test("convolutions: ordinary, in groups that tiles fit and do not fit, one group a channel", async () => {
    const net = new Net(new Random(kh * 10 + kw));
    const x = net.input([...g.image, 6]);
    for (const [groups, co] of [
      [1, 5],
      [2, 8],
      [3, 9],
      [6, 6],
      [6, 12],
    ] as const) {
      const weights = [net.weight([kh, kw, 6 / groups, co]), net.weight([co])];
      net.builder.output(net.op("conv2d", [x, ...weights], { ...attrsOf(g), groups }));
    }
    await expectAgreement(net.builder.build());
  });

  test("depthwise convolutions with one, two and three outputs for each channel", async () => {
    const net = new Net(new Random(kh * 10 + kw));
    const x = net.input([...g.image, 5]);
    for (const m of [1, 2, 3]) {
      const weights = [net.weight([kh, kw, 5, m]), net.weight([5 * m])];
      net.builder.output(net.op("depthwise_conv2d", [x, ...weights], attrsOf(g)));
    }
    await expectAgreement(net.builder.build());
  });

  test.runIf(poolable(g))("pools: maximum, and averages with padding counted, partly or not", async () => {
    const net = new Net(new Random(kh * 10 + kw));
    const x = net.input([...g.image, 5]);
    const attrs = { ...attrsOf(g), kernel: g.kernel };
    const padsCounted = attrs.pads.map((p) => Math.max(0, p - 1));
    net.builder.output(net.op("max_pool2d", [x], attrs));
    net.builder.output(net.op("avg_pool2d", [x], { ...attrs, countIncludePad: false }));
    net.builder.output(net.op("avg_pool2d", [x], { ...attrs, countIncludePad: true }));
    net.builder.output(net.op("avg_pool2d", [x], { ...attrs, countIncludePad: true, padsCounted }));
    await expectAgreement(net.builder.build());
  });
});
