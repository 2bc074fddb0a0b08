/** Convolutions over time: sequences as images of height 1 or of width 1 take the same tiles. */
import { describe, expect, test } from "vitest";
import { planEmission } from "../../src/emit/index.js";
import { createExecutor } from "../../src/host/executor.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { Net } from "../support/networks.js";
import { compileGraph, emissionError, randomInputs } from "./support.js";

/** Sums of up to 9 * 20 terms; far below any mistake. */
const TOLERANCE = 2e-6;

interface Window {
  taps: number;
  stride?: number;
  dilation?: number;
  /** Zeros before and behind. */
  pads?: [number, number];
  /** Taps across the sequence, which see zeros but for one. */
  across?: number;
}

/** Layers on one sequence of `length` frames that lies along axis 1 (`down`) or axis 2, with residuals and depthwise layers. */
function sequences(down: boolean, channels: number, windows: readonly Window[], length = 23): Graph {
  const net = new Net(new Random(channels), "sequences");
  const both = (along: number, across: number): [number, number] => (down ? [along, across] : [across, along]);
  const x = net.input([...both(length, 1), channels]);
  for (const { taps, stride = 1, dilation = 1, pads: [before, behind] = [0, 0], across = 1 } of windows) {
    const side = (across - 1) / 2;
    const geometry = {
      strides: both(stride, 1),
      dilations: both(dilation, 1),
      pads: [...both(before, side), ...both(behind, side)],
    };
    const kernel = both(taps, across);
    const layer = (from: string): string =>
      net.op("conv2d", [from, net.weight([...kernel, channels, channels]), net.weight([channels])], {
        ...geometry,
        groups: 1,
      });
    const y = net.relu(layer(x));
    net.builder.output(y);
    const w = net.weight([...kernel, channels, 1]);
    net.builder.output(net.op("depthwise_conv2d", [x, w, net.weight([channels])], geometry));
    // A sum in place of an operand that has a border.
    if (stride === 1 && net.shape(y).join() === net.shape(x).join()) net.builder.output(net.add(layer(y), y));
  }
  return net.builder.build();
}

const windows: readonly Window[] = [
  { taps: 1 },
  { taps: 9, pads: [4, 4] },
  { taps: 3, stride: 2, pads: [0, 1] },
  { taps: 9, stride: 3, pads: [2, 5] },
  { taps: 3, dilation: 4, pads: [4, 4] },
  { taps: 3, pads: [1, 1], across: 3 },
  { taps: 23 },
];

describe.each([
  ["along axis 1", true],
  ["along axis 2", false],
])("sequences %s", (_, down) => {
  test.each([1, 3, 4, 8, 17])("%i channels: all variants against the reference, the host's bits", async (channels) => {
    const graph = sequences(down, channels, windows);
    expect(await emissionError(graph)).toBeLessThan(TOLERANCE);
    // With one channel a depthwise layer is none for the device, and may differ from the host's in the last bit.
    if (channels === 1) return;
    const inputs = randomInputs(graph, 9);
    const [simd] = await compileGraph(graph, ["simd"], true, "off");
    expect(simd!.run(inputs)).toEqual(await createExecutor("wasm", graph).run(inputs));
  });
});

test("both lie in tiles of several frames, the same ones", () => {
  const tiles = (down: boolean) =>
    planEmission(sequences(down, 16, [{ taps: 9, pads: [4, 4] }], 98)).kernels.layers.flatMap((l) => l.tiles ?? []);
  expect(tiles(true)).toEqual(tiles(false));
  expect(tiles(true)[0]!.simd).toMatch(/^[234]x/);
});
