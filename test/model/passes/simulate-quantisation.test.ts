import { describe, expect, test } from "vitest";
import { ReferenceExecutor } from "../../../src/host/reference.js";
import { GraphBuilder } from "../../../src/model/builder.js";
import { simulateQuantisation } from "../../../src/model/passes/index.js";
import { Random } from "../../../src/model/random.js";
import type { Graph, Quantisation } from "../../../src/model/types.js";

const SIZE = 6;
const CI = 3;
const CO = 5;
const i8 = (scale: number, zeroPoint: number): Quantisation => ({
  dtype: "i8",
  scale: [Math.fround(scale)],
  zeroPoint: [zeroPoint],
  axis: null,
});
const input = i8(0.031, -7);
const hidden = i8(0.047, -128);
const output = i8(0.09, 11);

interface Layer {
  /** [ci, co]: a 1x1 convolution with one scale for each output channel. */
  readonly weights: Int8Array;
  readonly scales: readonly number[];
  readonly bias: Int32Array;
}

function layer(random: Random, ci: number, co: number, inputScale: number): Layer {
  const scales = Array.from({ length: co }, () => Math.fround(0.002 + 0.01 * random.next()));
  return {
    weights: Int8Array.from({ length: ci * co }, () => random.int(255) - 127),
    scales,
    bias: Int32Array.from({ length: co }, (_, o) => Math.round((0.3 * random.normal()) / (inputScale * scales[o]!))),
  };
}

/** What a reader makes of two quantised convolutions with a maximum between them, the first with a fused relu. */
function readGraph(layers: readonly Layer[]): Graph {
  const b = new GraphBuilder("quantised");
  const q = b.input("x", { dtype: "i8", shape: [1, SIZE, SIZE, CI], batchAxis: 0 });
  const { scale, zeroPoint, axis } = input;
  let [x] = b.node("dequantize", [q], { scale, zeroPoint, axis });
  b.annotate(x!, input);
  const convolve = (from: string, { weights, scales, bias }: Layer, ci: number, inputScale: number): string => {
    const co = scales.length;
    const w = b.constant(
      "w",
      "f32",
      [1, 1, ci, co],
      Float32Array.from(weights, (v, i) => v * scales[i % co]!),
      { dtype: "i8", scale: scales, zeroPoint: [0], axis: 3 },
    );
    const c = b.constant(
      "b",
      "f32",
      [co],
      Float32Array.from(bias, (v, o) => v * inputScale * scales[o]!),
    );
    return b.node("conv2d", [from, w, c], { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 })[0]!;
  };
  x = b.node("relu", [convolve(x!, layers[0]!, CI, input.scale[0]!)])[0]!;
  b.annotate(x, hidden);
  x = b.node("max_pool2d", [x], { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] })[0]!;
  b.annotate(x, hidden);
  x = convolve(x, layers[1]!, CO, hidden.scale[0]!);
  b.annotate(x, output);
  const out = { dtype: "i8", scale: output.scale, zeroPoint: output.zeroPoint, axis: null };
  b.output(b.node("quantize", [x], out)[0]!, "y");
  return b.build();
}

/** sum * multiplier in fixed point: 31 bits of the multiplier, a product rounded (halves up), a shift rounded (away from 0). */
function multiply(sum: number, multiplier: number): number {
  const shift = -Math.floor(Math.log2(multiplier)) - 1;
  const fixed = BigInt(Math.round(multiplier * 2 ** (shift + 31)));
  const product = Number((BigInt(sum) * fixed + (1n << 30n)) >> 31n);
  return Math.sign(product) * Math.floor(Math.abs(product) / 2 ** shift + 0.5);
}

/** 1x1 convolution in integers, as TFLite defines it. */
function convolveIntegers(q: Int8Array, l: Layer, from: Quantisation, to: Quantisation, low: number): Int8Array {
  const co = l.scales.length;
  const ci = l.weights.length / co;
  return Int8Array.from({ length: (q.length / ci) * co }, (_, p) => {
    const o = p % co;
    let sum = l.bias[o]!;
    for (let k = 0; k < ci; k++) sum += (q[Math.floor(p / co) * ci + k]! - from.zeroPoint[0]!) * l.weights[k * co + o]!;
    const whole = multiply(sum, (from.scale[0]! * l.scales[o]!) / to.scale[0]!) + to.zeroPoint[0]!;
    return Math.min(Math.max(whole, low), 127);
  });
}

function poolIntegers(q: Int8Array, c: number): Int8Array {
  const half = SIZE / 2;
  return Int8Array.from({ length: half * half * c }, (_, p) => {
    const at = (dy: number, dx: number): number =>
      q[((2 * Math.floor(p / c / half) + dy) * SIZE + 2 * (Math.floor(p / c) % half) + dx) * c + (p % c)]!;
    return Math.max(at(0, 0), at(0, 1), at(1, 0), at(1, 1));
  });
}

describe("simulateQuantisation", () => {
  test("gives what integer kernels give", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed);
      const layers = [layer(random, CI, CO, input.scale[0]!), layer(random, CO, 4, hidden.scale[0]!)];
      const q = Int8Array.from({ length: SIZE * SIZE * CI }, () => random.int(256) - 128);
      const expected = convolveIntegers(
        poolIntegers(convolveIntegers(q, layers[0]!, input, hidden, hidden.zeroPoint[0]!), CO),
        layers[1]!,
        hidden,
        output,
        -128,
      );
      const executor = new ReferenceExecutor(simulateQuantisation(readGraph(layers)));
      const { y } = await executor.run({ x: { data: q, shape: [1, SIZE, SIZE, CI], dtype: "i8" } });
      expect(y!.data).toBeInstanceOf(Int8Array);
      expect(y!.data).toEqual(expected);
    }
  });

  test("rounds once after a fused activation, and not again where values are only chosen", () => {
    const random = new Random(1);
    const graph = readGraph([layer(random, CI, CO, 0.03), layer(random, CO, 4, 0.05)]);
    const simulated = simulateQuantisation(graph);
    expect(simulated.nodes.map((n) => n.op)).toEqual([
      "dequantize",
      ...["div", "round", "conv2d", "requantize", "mul"],
      "max_pool2d",
      ...["div", "round", "conv2d", "requantize", "mul"],
      "quantize",
    ]);
    // The relu is a bound: its zero is the zero point.
    expect(simulated.nodes.find((n) => n.op === "requantize")!.attrs).toMatchObject({ low: 0, high: 255, to: "f32" });
  });

  test("inputs with a scale are rounded, constants are not; other scales are rounded anew", () => {
    const b = new GraphBuilder("g");
    const x = b.input("x", { dtype: "f32", shape: [1, 4], batchAxis: 0 });
    b.annotate(x, i8(0.5, 0));
    const w = b.constant("w", "f32", [4], Float32Array.of(1, 2, 3, 4), i8(1, 0));
    const y = b.node("reshape", [b.node("add", [x, w])[0]!], { shape: [-1, 2, 2] })[0]!;
    b.annotate(y, i8(0.5, 1));
    b.output(y);
    const simulated = simulateQuantisation(b.build(), "even");
    expect(simulated.nodes.map((n) => [n.op, n.attrs.rounding])).toEqual([
      ["fake_quantize", "even"],
      ["add", undefined],
      ["reshape", undefined],
      ["fake_quantize", "even"],
    ]);
  });

  test("a graph without scales is the same graph", () => {
    const b = new GraphBuilder("g");
    b.output(b.node("relu", [b.input("x", { dtype: "f32", shape: [1, 4], batchAxis: 0 })])[0]!);
    const graph = b.build();
    expect(simulateQuantisation(graph)).toBe(graph);
  });
});
