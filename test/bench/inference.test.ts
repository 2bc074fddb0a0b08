/** The inference bench: its statistics, its networks, and that an engine which computes wrongly is not timed. */
import { describe, expect, test } from "vitest";
import * as library from "../../src/index.js";
import { evaluateGraph } from "../../src/host/reference.js";
import { toDoubles } from "../../src/model/doubles.js";
import type { Graph } from "../../src/model/types.js";

/** The bench is plain JavaScript with dependencies of its own; what is imported here needs none of them. */
const bench = (file: string): Promise<any> => import(new URL(`../../bench/inference/${file}`, import.meta.url).href);
const statistics = await bench("statistics.mjs");
const networks = await bench("networks.mjs");
const { tokenNetworks, VOCABULARY } = await bench("token-networks.mjs");
const { channelsFirst } = await bench("prepare.mjs");
const { measureNetwork } = await bench("interleave.mjs");
const { combinePlace, combineCold } = await bench("combine.mjs");
const { compareWithTargets, floorVerdicts } = await bench("targets.mjs");
const { parseOptions } = await bench("options.mjs");
const { renderPage } = await bench("render.mjs");

describe("statistics", () => {
  test("quantiles lie between neighbours linearly, whatever the order", () => {
    expect(statistics.quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(statistics.quantile([5, 1, 3], 0)).toBe(1);
    expect(statistics.quantile([5, 1, 3], 1)).toBe(5);
    expect(statistics.summarise([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110])).toEqual({
      median: 60,
      p10: 20,
      p90: 100,
    });
  });

  test("the geometric mean of ratios is the inverse of that of the inverse ratios", () => {
    const ratios = [2, 8, 0.5];
    expect(statistics.geometricMean(ratios)).toBeCloseTo(2, 12);
    expect(statistics.geometricMean(ratios.map((r) => 1 / r))).toBeCloseTo(0.5, 12);
  });

  test("errors are relative to the largest exact value; what is no number is infinitely wrong", () => {
    expect(statistics.relativeError([1, -4.5], [1, -4])).toBe(0.125);
    expect(statistics.relativeError([0, 0], [0, 0])).toBe(0);
    for (const wrong of [[1, NaN], [1, Infinity], [1]]) expect(statistics.relativeError(wrong, [1, 2])).toBe(Infinity);
  });

  test("a line through points on a line explains all of them", () => {
    const line = statistics.fitLine([1, 2, 5].map((x) => [x, 3 + 2 * x]));
    expect(line.slope).toBeCloseTo(2, 12);
    expect(line.intercept).toBeCloseTo(3, 12);
    expect(line.r2).toBeCloseTo(1, 12);
  });
});

const channels = (graph: Graph): number[] =>
  graph.nodes.filter((n) => n.op === "conv2d").map((n) => graph.tensors.get(n.outputs[0]!)!.type.shape[3]!);

function outputOf(graph: Graph, input: Float32Array): number[] {
  const [port] = graph.inputs;
  const { shape, dtype } = graph.tensors.get(port!.tensor)!.type;
  const values = evaluateGraph(graph, new Map([[port!.tensor, { data: toDoubles(input), shape, dtype }]]), 1);
  return [...values.get(graph.outputs[0]!.tensor)!.data];
}

describe("networks", () => {
  const [mobilenet, resnet]: Graph[] = [networks.mobilenetV2(library), networks.resnet20(library)];

  test("have the MACs of the published architectures", () => {
    expect(networks.macsOf(library, mobilenet)).toBe(300_774_272);
    expect(networks.macsOf(library, resnet)).toBe(40_813_184);
  });

  test.each([
    ["MobileNetV2", mobilenet],
    ["ResNet-20", resnet],
  ] as const)(
    "%s pruned has odd widths everywhere, keeps its share of the MACs, and is the same every time",
    (_name, whole) => {
      const pruned: Graph = networks.prunedToOddWidths(library, whole);
      const widths = channels(pruned);
      expect(widths.filter((w) => w % 2 === 0)).toEqual([]);
      expect(new Set(widths).size).toBeGreaterThan(5);
      const share = networks.macsOf(library, pruned) / networks.macsOf(library, whole);
      expect(share).toBeLessThanOrEqual(networks.PRUNED_SHARE);
      expect(share).toBeGreaterThan(networks.PRUNED_SHARE - 0.02);
      expect(channels(networks.prunedToOddWidths(library, whole))).toEqual(widths);
    },
  );

  test("activations keep their size through all layers, so that errors have something to show in", () => {
    const y = outputOf(resnet!, networks.drawnInput(library, resnet));
    const size = Math.max(...y.map(Math.abs));
    expect(size).toBeGreaterThan(0.1);
    expect(size).toBeLessThan(100);
  });

  test("channels first at the interface is the same network", () => {
    const graph: Graph = networks.layers(library, 4);
    const x: Float32Array = networks.drawnInput(library, graph);
    const [, h, w, c] = graph.tensors.get(graph.inputs[0]!.tensor)!.type.shape;
    const turned = Float32Array.from(x, (_, i) => x[(i % (h! * w!)) * c! + Math.floor(i / (h! * w!))]!);
    const nchw: Graph = library.verify(channelsFirst(graph));
    expect(nchw.tensors.get(nchw.inputs[0]!.tensor)!.type.shape).toEqual([1, c, h, w]);
    expect(outputOf(nchw, turned)).toEqual(outputOf(graph, x));
  });

  test("a chain of layers has as many as asked for, and no two alike", () => {
    const weighted = (count: number): string[] => {
      const graph: Graph = networks.layers(library, count);
      const nodes = graph.nodes.filter((n) => /conv2d|dense/.test(n.op));
      return nodes.map((n) => [n.op, ...n.inputs.map((i) => graph.tensors.get(i)!.type.shape.join("x"))].join(" "));
    };
    for (const count of [1, 10, 60]) expect(weighted(count)).toHaveLength(count);
    expect(new Set(weighted(60)).size).toBe(60);
  });
});

describe("networks of tokens", () => {
  const build = (name: string): Graph => tokenNetworks[name].build(library);

  test("have the MACs of their shapes: projections, hidden layer, two products for each block", () => {
    const blocks = (count: number, tokens: number, width: number, hidden: number): number =>
      count * tokens * (4 * width * width + 2 * width * hidden + 2 * tokens * width);
    expect(networks.macsOf(library, build("distilbert"))).toBe(blocks(6, 128, 256, 1024));
    expect(networks.macsOf(library, build("intent"))).toBe(blocks(4, 24, 128, 512) + 128 * 7);
    expect(networks.macsOf(library, build("vit"))).toBe(blocks(6, 49, 96, 384) + 49 * 16 * 96 + 96 * 10);
  });

  test.each(Object.keys(tokenNetworks).filter((name) => tokenNetworks[name].pruned))(
    "%s has fewer heads and odd hidden widths, and about half of the MACs",
    (name) => {
      const [pruned, whole] = [build(name), build(name.replace("-pruned", ""))];
      const share = networks.macsOf(library, pruned) / networks.macsOf(library, whole);
      expect(share).toBeGreaterThan(0.4);
      expect(share).toBeLessThan(0.6);
      const hidden = pruned.nodes.filter((n) => n.op === "gelu").map((n) => pruned.tensors.get(n.outputs[0]!)!);
      expect(hidden.map((t) => t.type.shape[2]! % 2)).toEqual(hidden.map(() => 1));
    },
  );

  test("tokens are drawn from the vocabulary", () => {
    const ids: Int32Array = networks.drawnInput(library, build("intent"));
    expect(ids).toBeInstanceOf(Int32Array);
    expect(Math.min(...ids)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...ids)).toBeLessThan(VOCABULARY);
    expect(new Set(ids).size).toBeGreaterThan(15);
  });
});

/** A package that gives `y`, as the bench finds it. */
function fakePackage(y: readonly number[]) {
  const files: Record<string, Float32Array> = {
    "input.bin": Float32Array.of(1),
    "exact.bin": Float32Array.of(1, 2),
  };
  return {
    read: async (name: string) => new Uint8Array(files[name]!.buffer),
    module: async () => ({ load: async () => ({ run: () => ({ y: { data: Float32Array.from(y) } }) }) }),
  };
}

describe("an engine", () => {
  const network = { name: "n", macs: 1, input: { name: "x", shape: [1] }, output: "y" };
  const runtimes = { ours: async () => ({ entry: "node.js" }) };
  const measure = (y: readonly number[]): Promise<any> =>
    measureNetwork(network, ["simd", "litert"], runtimes, fakePackage(y), { rounds: 3, seconds: 0.01 });

  test("is timed when it computes the network; one that does not run here is named", async () => {
    const result = await measure([1, 2 + 1e-5]);
    expect(result.rounds).toBe(3);
    expect(result.engines.simd.error).toBeLessThan(1e-5);
    expect(result.engines.simd.median).toBeGreaterThan(0);
    expect(result.missing).toEqual({ litert: "does not run here" });
  });

  test.each([[[1, 2.001]], [[1, NaN]], [[1]]])("that gives %j for 1, 2 is refused", async (y) => {
    await expect(measure(y)).rejects.toThrow(/simd computes n wrong/);
  });
});

/** What `measureNetwork` gives, with medians in ms. */
const timed = (network: string, macs: number, medians: Record<string, number>) => ({
  network,
  macs,
  rounds: 20,
  missing: {},
  engines: Object.fromEntries(
    Object.entries(medians).map(([name, m]) => [
      name,
      { median: m, p10: m / 2, p90: m * 2, processor: m, error: 1e-7 },
    ]),
  ),
});

const repeats = [
  [
    timed("resnet8", 12e6, { simd: 2, relaxed: 1, "tfjs-wasm": 4, "ort-node": 0.9 }),
    timed("mobilenetv2", 300e6, { simd: 20, relaxed: 10, "tfjs-wasm": 10, "ort-node": 5 }),
  ],
  [
    timed("resnet8", 12e6, { simd: 4, relaxed: 2, "tfjs-wasm": 6, "ort-node": 2.4 }),
    timed("mobilenetv2", 300e6, { simd: 20, relaxed: 10, "tfjs-wasm": 10, "ort-node": 5 }),
  ],
  [
    timed("resnet8", 12e6, { simd: 2, relaxed: 1, "tfjs-wasm": 4, "ort-node": 0.9 }),
    timed("mobilenetv2", 300e6, { simd: 20, relaxed: 10, "tfjs-wasm": 10, "ort-node": 5 }),
  ],
].map((results) => ({ node: "24.0.0", v8: "13", load: [0.1, 0.2], results }));

describe("comparison", () => {
  const place = combinePlace(repeats);

  test("ratios are formed inside a repeat, then their median is taken", () => {
    const [resnet8] = place.networks;
    expect(resnet8.engines["tfjs-wasm"].median).toBe(4);
    expect(resnet8.best).toBe("relaxed");
    expect(resnet8.ratios["tfjs-wasm"].best).toEqual({ ratio: 4, quiet: 4, processor: 4 });
    expect(resnet8.ratios["tfjs-wasm"].simd.ratio).toBe(2);
    expect(place.means["tfjs-wasm"].best.ratio).toBeCloseTo(2, 12);
    expect(resnet8.rounds).toBe(60);
  });

  test("best is the shorter variant for each figure by itself", () => {
    const [simd, relaxed] = [
      { median: 3, p10: 1, p90: 9, processor: 2, error: 0 },
      { median: 2, p10: 1.5, p90: 9, processor: 1, error: 0 },
    ];
    const litert = { median: 6, p10: 3, p90: 9, processor: 4, error: 0 };
    const mixed = { ...timed("vww", 1, {}), engines: { simd, relaxed, litert } };
    const { networks: list } = combinePlace([{ chromium: "156", load: [0], results: [mixed] }]);
    expect(list[0].best).toBe("relaxed");
    expect(list[0].ratios.litert.best).toEqual({ ratio: 3, quiet: 3, processor: 4 });
    expect(list[0].ratios.litert.simd).toEqual({ ratio: 2, quiet: 3, processor: 2 });
  });

  test("native is a target on small and pruned networks alone, and missing it is said", () => {
    const list = compareWithTargets({
      places: { node24: place },
      cold: {},
      networks: [sized("resnet8")],
      emission: null,
    });
    const native = list.find((t: any) => /native/.test(t.what));
    expect(native).toMatchObject({ where: "resnet8", value: 0.9, required: 1, met: false });
  });

  test("networks of tokens are held against targets of their own", () => {
    const [first] = repeats;
    const { results } = first!;
    const tokens = { ...results[0], network: "intent" };
    const both = combinePlace([{ ...first, results: [results[0], tokens] }]);
    const list = compareWithTargets({
      places: { chromium: both },
      cold: {},
      networks: [sized("intent")],
      emission: null,
    });
    const over = (what: RegExp) => list.find((t: any) => what.test(t.what));
    expect(over(/^geometric mean, best variant, over tfjs-wasm/)).toMatchObject({ value: 4, required: 2.7 });
    expect(over(/^geometric mean of tokens, best variant, over tfjs-wasm/)).toMatchObject({ value: 4, required: 2 });
    expect(over(/^every network of tokens/)).toMatchObject({ where: "intent", required: 1 });
  });

  test("the floor holds for the real networks: best variant on Node 24, strict SIMD before", () => {
    expect(floorVerdicts({ node24: place })).toEqual([
      { node: "24.0.0", network: "resnet8", rule: "best variant", ratio: 4, required: 1.8, ok: true },
    ]);
    const old = combinePlace(repeats.map((r) => ({ ...r, node: "20.0.0" })));
    expect(floorVerdicts({ node20: old })[0]).toMatchObject({ rule: "simd", ratio: 2, required: 1.5 });
  });

  test("a cold start is judged by load and first run together", () => {
    const start = (engine: string, loadMs: number, firstMs: number) => ({
      engine,
      network: "resnet8",
      loadMs,
      firstMs,
    });
    const cold = combineCold([start("ours", 10, 10), start("tfjs-wasm", 30, 20), start("ours", 30, 10)]);
    expect(cold.resnet8.ours).toMatchObject({ loadMs: 20, firstMs: 10, answerMs: 30 });
    const list = compareWithTargets({
      places: {},
      cold: { chromium: cold },
      networks: [sized("resnet8")],
      emission: null,
    });
    expect(list.find((t: any) => /load and first/.test(t.what))).toMatchObject({ value: 50 / 30, met: false });
  });

  test("the page shows defeats, missed targets and the load beside the victories", () => {
    const report = {
      date: "2026-11-24T12:00:00.000Z",
      machine: { cpu: "some processor", cores: 2, memoryBytes: 2 ** 34, system: "linux", load: [0.1, 0.2, 0.3] },
      versions: { idap: "0.1.0" },
      repeats: 3,
      networks: [sized("resnet8"), sized("mobilenetv2")],
      places: { node24: place },
      cold: {},
      runtimes: {},
      emission: null,
      scaling: null,
    };
    const text = renderPage({ ...report, targets: compareWithTargets(report) });
    expect(text).toContain("2026-11-24, some processor");
    expect(text).toContain("| resnet8 | 12.0 |");
    expect(text).toContain("onnxruntime-node (native) takes 0.90 of our time");
    expect(text).toContain("**missed**");
    expect(text).toContain("load average 0.1 to 0.2");
  });
});

function sized(name: string) {
  const part = { code: { simd: 9000, relaxed: 8000 }, glue: 1500, weights: 1e6 };
  return { name, title: name, pruned: false, macs: 1, bytes: { onnx: 1e6, tflite: 1e6, ...part, brotli: part } };
}

describe("options", () => {
  const parse = (...argv: string[]) => parseOptions(argv, "data");

  test("--json alone prints, with a value it names a file", () => {
    expect(parse().json).toBeNull();
    expect(parse("--json").json).toBe("-");
    expect(parse("--json", "--scaling")).toMatchObject({ json: "-", scaling: true });
    expect(parse("--json", "figures.json").json).toBe("figures.json");
  });

  test("everything is compared unless less is asked for", () => {
    expect(parse().networks).toHaveLength(7);
    expect(parse().where).toEqual(["chromium", "node20", "node24"]);
    expect(parse("--nodes", "20,24").where).toEqual(["node20", "node24"]);
    expect(parse("--networks", "vww", "--where", "chromium")).toMatchObject({ networks: ["vww"], where: ["chromium"] });
    expect(parse("--networks", "tokens").networks).toEqual(Object.keys(tokenNetworks));
    expect(parse("--networks", "tokens,vww").networks).toHaveLength(9);
    expect(() => parse("--rounds", "0")).toThrow(/at least 1/);
  });
});
