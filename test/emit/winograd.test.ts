/** Convolutions by Winograd's method, at every edge, within the bound that src/kernels/winograd.ts derives. */
import { describe, expect, test } from "vitest";
import { compileVariant } from "../../src/emit/compile.js";
import { planEmission } from "../../src/emit/index.js";
import { moduleSource } from "../../src/emit/source.js";
import { evaluateGraph } from "../../src/host/reference.js";
import { chunksOf, SCHEMES, winogradRoundings, type Scheme } from "../../src/kernels/winograd.js";
import { winogradShare } from "../../src/kernels/winograd-cost.js";
import { scratchBytes } from "../../src/kernels/winograd-source.js";
import { toDoubles } from "../../src/model/doubles.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { Net } from "../support/networks.js";
import { compileGraph, randomInputs } from "./support.js";

const BOTH: readonly Scheme[] = Object.values(SCHEMES);
const STRIDES = BOTH.map(({ stride }) => stride);

interface Case {
  readonly stride?: Scheme["stride"];
  readonly image: readonly [number, number];
  readonly ci: number;
  readonly co: number;
  readonly pads?: readonly [number, number, number, number];
  readonly batch?: number;
  readonly residual?: boolean;
  readonly act?: "relu" | "relu6";
  readonly bias?: boolean;
}

interface Layer extends Case {
  readonly x: string;
  readonly w: string;
  readonly b: string | null;
  readonly r: string | null;
  readonly y: string;
}

/** All cases as one graph, each with inputs of its own. */
function graphOf(cases: readonly Case[]): { graph: Graph; layers: Layer[] } {
  const net = new Net(new Random(cases.length));
  const input = (shape: number[], name: string): string =>
    net.builder.input(name, { dtype: "f32", shape, batchAxis: shape[0] === 1 ? 0 : null });
  const layers = cases.map((c, k): Layer => {
    const { pads = [1, 1, 1, 1], batch = 1, stride = 1 } = c;
    const [h, wd] = c.image;
    const outputs = (extent: number): number => Math.floor((extent - 3) / stride) + 1;
    const x = input([batch, h, wd, c.ci], `x${k}`);
    const w = net.weight([3, 3, c.ci, c.co]);
    const b = c.bias === false ? null : net.weight([c.co]);
    const out = [batch, outputs(h + pads[0] + pads[2]), outputs(wd + pads[1] + pads[3]), c.co];
    const r = c.residual ? input(out, `r${k}`) : null;
    let y = net.op("conv2d", b ? [x, w, b] : [x, w], {
      strides: [stride, stride],
      dilations: [1, 1],
      pads: [...pads],
      groups: 1,
    });
    if (r) y = net.op("add", [y, r]);
    if (c.act) y = net.op(c.act, [y]);
    net.builder.output(y, `y${k}`);
    return { ...c, x, w, b, r, y };
  });
  return { graph: net.builder.build(), layers };
}

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/** For each output channel the bound of the layer: roundings times what absolute weights and the largest inputs add up to. */
function allowedOf(layer: Layer, graph: Graph, value: (name: string) => ArrayLike<number>): number[] {
  const { ci, co, stride = 1 } = layer;
  const x = value(layer.x);
  const most = new Float64Array(ci);
  for (let i = 0; i < x.length; i++) most[i % ci] = Math.max(most[i % ci]!, Math.abs(x[i]!));
  const w = graph.tensors.get(layer.w)!.data as Float32Array;
  const b = layer.b === null ? null : (graph.tensors.get(layer.b)!.data as Float32Array);
  const r = layer.r === null ? 0 : largest(value(layer.r));
  return Array.from({ length: co }, (_, o) => {
    let size = Math.abs(b?.[o] ?? 0);
    for (let t = 0; t < 9; t++) for (let c = 0; c < ci; c++) size += Math.abs(w[(t * ci + c) * co + o]!) * most[c]!;
    // The residual adds one rounding, of a sum of at most all of it.
    return 2 ** -24 * (winogradRoundings(SCHEMES[stride], ci) * size + size + 2 * r);
  });
}

/**
 * Expects both variants to compute all cases at both strides within their bounds, twice: the second run meets memory that
 * was used.
 */
async function expectWithin(given: readonly Case[]): Promise<void> {
  const cases = STRIDES.flatMap((stride) => given.map((c) => ({ ...c, stride })));
  const { graph, layers } = graphOf(cases);
  const inputs = randomInputs(graph, 11);
  const exact = evaluateGraph(
    graph,
    new Map(Object.entries(inputs).map(([name, { data, shape }]) => [name, { data: toDoubles(data), shape }])),
    1,
  );
  const runners = await compileGraph(graph, ["simd", "relaxed"], false, "always");
  expect(runners.map((r) => r.variant)).toEqual(["simd", "relaxed"]);
  for (const runner of [...runners, ...runners]) {
    const got = runner.run(inputs);
    layers.forEach((layer, k) => {
      const allowed = allowedOf(layer, graph, (name) => inputs[name]!.data as Float32Array);
      const { data } = exact.get(layer.y)!;
      const actual = got[`y${k}`]!.data as Float32Array;
      expect(actual.length).toBe(data.length);
      data.forEach((v, i) => {
        if (!(Math.abs(actual[i]! - v) <= allowed[i % layer.co]!)) {
          expect.fail(`${JSON.stringify(cases[k])}, ${runner.variant}, [${i}]: ${actual[i]} instead of ${v}`);
        }
      });
    });
  }
}

describe("the transforms", () => {
  test.each(BOTH)("give the four outputs of a correlation with three taps at stride $stride, exactly", (scheme) => {
    const { g, bt, at } = scheme.matrices;
    const taps = [2, -7, 1];
    const d = [3, -1, 4, 1, -5, 9, -2, 6, 8].slice(0, scheme.points);
    expect(bt.length).toBe(d.length);
    const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((n, v, i) => n + v * b[i]!, 0);
    const products = g.map((row, p) => dot(row, taps) * dot(bt[p]!, d));
    at.forEach((row, i) => {
      expect(dot(row, products)).toBeCloseTo(dot(taps, d.slice(scheme.stride * i, scheme.stride * i + 3)), 11);
    });
  });

  test("have coefficients that f32 holds, but for those of the weights, which are rounded once", () => {
    for (const { matrices } of BOTH)
      for (const row of [...matrices.bt, ...matrices.at]) for (const v of row) expect(Math.fround(v)).toBe(v);
    expect(SCHEMES[1].amplification).toBeCloseTo(160.4, 1);
    expect(SCHEMES[2].amplification).toBeCloseTo(87.9, 1);
  });

  test("chunks cover all tile rows; their products lie an odd number of cache lines apart", () => {
    const sizes = [
      [32, 32, 16, 16],
      [56, 56, 64, 64],
      [7, 9, 4, 60],
      [1, 1, 4, 4],
      [200, 3, 128, 128],
    ] as const;
    for (const [scheme, [h, w, c, n]] of BOTH.flatMap((s) => sizes.map((size) => [s, size] as const))) {
      const { rows, columns, chunkRows, vProduct, mProduct } = chunksOf(scheme, h, w, c, n);
      expect(4 * rows).toBeGreaterThanOrEqual(h);
      expect(4 * columns).toBeGreaterThanOrEqual(w);
      expect(chunkRows).toBeLessThanOrEqual(rows);
      expect(Math.floor(vProduct / 64) % 2).toBe(1);
      expect(vProduct).toBeGreaterThanOrEqual(chunkRows * columns * c * 4);
      expect(mProduct).toBeGreaterThanOrEqual(chunkRows * columns * n * 4);
      // Every product's place gets at most a line more than its share of 320 KiB.
      if (chunkRows > 1) expect(scheme.products * (vProduct + mProduct - 128)).toBeLessThanOrEqual(320 * 1024);
    }
  });
});

describe("layers by Winograd's method are within their bound", () => {
  test("widths and heights 1 to 17", async () => {
    await expectWithin(Array.from({ length: 17 }, (_, i) => ({ image: [17 - i, i + 1], ci: 4, co: 4 })));
  });

  test("channels that are no multiples of 4, down to one", async () => {
    await expectWithin(
      (
        [
          [1, 1],
          [3, 2],
          [5, 9],
          [7, 16],
          [13, 30],
          [17, 1],
        ] as const
      ).map(([ci, co]) => ({ image: [6, 9], ci, co })),
    );
  });

  test("pads of any kind, without and beyond the window's", async () => {
    await expectWithin(
      (
        [
          [0, 0, 0, 0],
          [0, 1, 2, 0],
          [2, 2, 2, 2],
          [3, 0, 1, 4],
          [1, 0, 0, 1],
        ] as const
      ).map((pads) => ({
        image: [5, 6],
        ci: 4,
        co: 8,
        pads,
      })),
    );
  });

  test("one pixel, and one that only padding surrounds", async () => {
    await expectWithin([
      { image: [1, 1], ci: 8, co: 8 },
      { image: [1, 1], ci: 3, co: 5, pads: [2, 2, 2, 2] },
      { image: [3, 3], ci: 3, co: 5, pads: [0, 0, 0, 0] },
      // At stride 2 a row and a column that no window reaches.
      { image: [4, 4], ci: 3, co: 5, pads: [0, 0, 0, 0] },
    ]);
  });

  test("residual, activations, no bias, several images", async () => {
    await expectWithin([
      { image: [6, 7], ci: 4, co: 6, residual: true },
      { image: [8, 5], ci: 5, co: 8, residual: true, act: "relu" },
      { image: [9, 9], ci: 4, co: 4, act: "relu6", bias: false },
      { image: [5, 6], ci: 6, co: 5, batch: 3, residual: true, act: "relu6" },
      { image: [4, 4], ci: 4, co: 4, batch: 2 },
    ]);
  });

  test.each(STRIDES)("a partial tile sees nothing of what lies behind its image, stride %i", async (stride) => {
    const { graph, layers } = graphOf([{ image: [5, 5], ci: 4, co: 4, batch: 2, stride }]);
    const half = 4 * Math.ceil(5 / stride) ** 2;
    const inputs = randomInputs(graph, 3);
    const x = inputs["x0"]!.data as Float32Array;
    const [first, second] = [x.subarray(0, 100), x.subarray(100)];
    const small = allowedOf(layers[0]!, graph, () => first.slice());
    second.forEach((v, i) => (second[i] = 1e12 * v));
    const exact = evaluateGraph(graph, new Map([["x0", { data: toDoubles(x), shape: [2, 5, 5, 4] }]]), 1);
    for (const runner of await compileGraph(graph, ["simd", "relaxed"], false, "always")) {
      const got = runner.run(inputs)["y0"]!.data as Float32Array;
      const { data } = exact.get(layers[0]!.y)!;
      expect(got.length).toBe(2 * half);
      for (let i = 0; i < half; i++) expect(Math.abs(got[i]! - data[i]!)).toBeLessThanOrEqual(small[i % 4]!);
    }
  });

  test("more tile rows than a chunk holds, the last of them partial", async () => {
    const wide: Case = { image: [54, 38], ci: 32, co: 36, residual: true, act: "relu" };
    const { rows, chunkRows } = chunksOf(SCHEMES[1], 54, 38, 32, 36);
    expect(rows % chunkRows).toBeGreaterThan(0);
    const halved = chunksOf(SCHEMES[2], 27, 19, 32, 36);
    expect(halved.rows % halved.chunkRows).toBeGreaterThan(0);
    await expectWithin([wide, { ...wide, image: [27, 38], batch: 2 }]);
  });
});

describe("the module", () => {
  const cases: Case[] = [
    { image: [16, 13], ci: 12, co: 16, residual: true },
    { image: [9, 9], ci: 3, co: 10 },
    { image: [15, 16], ci: 8, co: 7, stride: 2, act: "relu" },
  ];

  test("writes nothing outside what was planned, and never to its weights", async () => {
    const { graph } = graphOf(cases);
    const plan = planEmission(graph, "always");
    const { pages, weightsOffset, transformedOffset, arenaOffset, arenaBytes } = plan.memory;
    for (const variant of ["simd", "relaxed"] as const) {
      const wasm = await compileVariant(moduleSource(plan, variant), variant, pages);
      const abi = new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource)).exports as unknown as {
        memory: WebAssembly.Memory;
        setup(): void;
        selftest(): number;
        run(): void;
      };
      const bytes = new Uint8Array(abi.memory.buffer);
      bytes.set(plan.weights.file, weightsOffset);
      // Before its weights are made the module does not pass for a good one.
      expect(abi.selftest()).toBe(0);
      abi.setup();
      expect(abi.selftest()).toBe(1);
      bytes.fill(0xa5, arenaOffset + arenaBytes);
      bytes.fill(0xa5, 0, plan.memory.scratchOffset);
      const kept = transformedOffset + scratchBytes(SCHEMES[2]);
      const before = bytes.slice();
      abi.run();
      abi.run();
      const equal = (from: number, to: number): boolean =>
        Buffer.from(bytes.subarray(from, to)).equals(Buffer.from(before.subarray(from, to)));
      expect(equal(0, transformedOffset)).toBe(true);
      expect(equal(kept, arenaOffset)).toBe(true);
      expect(equal(arenaOffset + arenaBytes, bytes.length)).toBe(true);
    }
  });

  test("is what it was before where the method is off, and its file of weights is no longer where it is on", () => {
    const { graph } = graphOf(cases);
    const [off, on] = [planEmission(graph, "off"), planEmission(graph, "always")];
    expect(moduleSource(off, "simd")).not.toContain("winograd");
    expect(off.memory.transformedBytes).toBe(0);
    const constants = [...on.weights.schemes.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    expect(on.weights.file.length).toBeLessThanOrEqual(off.weights.file.length + constants);
    const names = on.kernels.layers.filter((l) => l.kernel === "winograd").map((l) => l.tiles!.simd!);
    expect(names.length).toBe(cases.length);
    for (const name of names) expect(name).toMatch(/^F\(4x4,3x3\)(\/2)? \dx\d/);
    expect(names.filter((name) => name.includes("/2")).length).toBe(1);
  });

  test("is chosen where it pays and its bound allows", () => {
    const share = (height: number, width: number, ci: number, co: number, stride: Scheme["stride"] = 1): number =>
      Math.max(...(["simd", "relaxed"] as const).map((v) => winogradShare({ stride, height, width, ci, co }, v)));
    expect(share(16, 16, 32, 32)).toBeLessThan(0.5);
    expect(share(32, 32, 16, 16)).toBeLessThan(0.6);
    expect(share(1, 1, 64, 64)).toBe(1);
    expect(share(1, 32, 32, 32)).toBe(1);
    // Its transforms cost more than a few products save.
    expect(share(16, 16, 1, 1)).toBe(1);
    expect(share(14, 14, 1026, 64)).toBeLessThan(1);
    expect(share(14, 14, 1027, 64)).toBe(1);
    expect(share(8, 8, 32, 64, 2)).toBeLessThan(0.85);
    // Transformed weights of 2.6 MB for a fourteenth of the time.
    expect(share(28, 28, 64, 128, 2)).toBe(1);
    expect(share(1, 1, 64, 64, 2)).toBe(1);
    expect(share(16, 16, 1, 1, 2)).toBe(1);
  });
});
