import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { networkWork, pieceNs, predictLatency, workMs } from "../../src/analyzer/latency.js";
import { expectedPiece } from "../../src/analyzer/pieces.js";
import { beyond } from "../../src/analyzer/work.js";
import { planEmission } from "../../src/emit/index.js";
import { deviceProfile, target } from "../../src/model/device-profile.js";
import { Random } from "../../src/model/random.js";
import { randomNetwork, Net } from "../support/networks.js";

const folder = new URL("../../targets/", import.meta.url);
const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, folder), "utf8"));
const profiles = readdirSync(new URL("devices/", folder)).map((file) => deviceProfile.parse(read(`devices/${file}`)));
const generic = profiles.find((p) => p.name === "node-generic")!;

test("the committed target and profiles fit their schemas, and the target names a profile", () => {
  expect(target.parse(read("wasm.json")).defaultDevice).toBe(generic.name);
  for (const p of profiles) {
    // Every piece that any variant needs has a time, and what was timed is explained.
    expect(p.ns["cycle"]).toBeGreaterThan(0);
    expect(p.error.low).toBeLessThan(1);
    expect(p.error.high).toBeGreaterThan(1);
    expect(p.simulated === null).toBe(!/throttled/.test(p.name));
  }
});

const sums = (counts: Readonly<Record<string, number>>): number =>
  Object.entries(counts).reduce((s, [name, n]) => {
    const tile = /^tile\.(\d+)x(\d+)$/.exec(name);
    return tile ? s + n * Number(tile[1]) * Number(tile[2]) : s;
  }, 0);

describe("work", () => {
  const chain = (width: number, winograd: "auto" | "off" = "off") => {
    const net = new Net(new Random(1));
    const x = net.relu(net.conv(net.input([16, 16, 8]), width));
    // The first step puts a border around the input.
    return networkWork(net.build(net.dense(net.globalMean(x), 4)), "simd", winograd).steps[1]!;
  };

  test("the tiles of a convolution hold its products, those of the padding up to the next tile included", () => {
    for (const width of [16, 13, 12, 1]) {
      const padded = Math.ceil(width / 4) * 4;
      expect(sums(chain(width).counts)).toBe(16 * 16 * 72 * padded);
    }
  });

  test("activations and batch norms behind a layer are part of its step", () => {
    const net = new Net(new Random(1));
    const x = net.relu(net.norm(net.conv(net.input([16, 16, 8]), 8)));
    const graph = net.build(net.dense(net.globalMean(x), 4));
    const families = predictLatency(graph, { ...generic, winograd: "off" }).nodes.map((n) => n.family);
    expect(families).toEqual(["conv", "fused", "fused", "memory", "dense"]);
  });

  test("there is one step for each layer that is emitted, in its order", () => {
    for (let seed = 0; seed < 12; seed++) {
      const graph = randomNetwork(seed);
      const { steps } = networkWork(graph, "simd");
      const { layers } = planEmission(graph).kernels;
      expect(steps.map((s) => s.name)).toEqual(layers.map((l) => l.name));
    }
  });

  test("Winograd's method counts its transforms, and its products in tiles", () => {
    // 16x16 pixels are 4x4 tiles; 36 products of 16 pixels by 8 channels each, for 16 channels.
    const { counts, family } = chain(16, "auto");
    expect(family).toBe("winograd");
    expect(counts["winograd.input"]).toBe((4 * 4 * 8) / 4);
    expect(counts["winograd.output"]).toBe((4 * 4 * 16) / 4);
    const macs = Object.entries(counts).reduce((sum, [name, n]) => {
      const tile = /^tile\.(\d+)x(\d+)$/.exec(name);
      return sum + (tile ? n * Number(tile[1]) * Number(tile[2]) : 0);
    }, 0);
    expect(macs).toBe(36 * 16 * 8 * 16);
  });

  test("data comes from beyond a cache when more than the cache lies between its uses", () => {
    expect(beyond(512, 1024)).toBe(0);
    expect(beyond(1024, 1024)).toBe(0.5);
    expect(beyond(4096, 1024)).toBe(1);
    const dense = (n: number) => {
      const net = new Net(new Random(2));
      return networkWork(net.build(net.dense(net.dense(net.input([n]), n), n)), "simd");
    };
    const far = (n: number): number => dense(n).cold.reduce((s, c) => s + (c["weight.2"] ?? 0), 0);
    expect(far(64)).toBe(0);
    // 2 layers of 1024 x 1024: all 8 MiB of weights (and biases) lie between two uses of each.
    expect(far(1024)).toBe(2 * 1024 * 1025 * 4);
  });
});

describe("prediction", () => {
  test("the parts add up, and the interval holds the prediction", () => {
    for (const profile of profiles) {
      const graph = randomNetwork(5);
      const p = predictLatency(graph, profile);
      const { ports } = networkWork(graph, profile.variant === "relaxed" ? "relaxed" : "simd");
      const parts = p.nodes.reduce((s, n) => s + n.ms, 0) + workMs(ports, profile);
      // What copies inputs and outputs into other layouts belongs to no node.
      expect(p.ms).toBeGreaterThanOrEqual(parts * (1 - 1e-12));
      expect(p.low).toBeLessThan(p.ms);
      expect(p.high).toBeGreaterThan(p.ms);
    }
  });

  test("twice the time of every piece is twice the time", () => {
    const graph = randomNetwork(7);
    const slow = { ...generic, ns: Object.fromEntries(Object.entries(generic.ns).map(([k, v]) => [k, 2 * v])) };
    expect(predictLatency(graph, slow).ms).toBeCloseTo(2 * predictLatency(graph, generic).ms, 12);
  });

  test("fewer channels in whole steps are never slower", () => {
    const at = (width: number): number => {
      const net = new Net(new Random(1));
      const x = net.relu(net.conv(net.relu(net.conv(net.input([16, 16, 8]), width)), 16));
      return predictLatency(net.build(net.dense(net.globalMean(x), 4)), generic).ms;
    };
    for (let width = 8; width <= 64; width += 8) expect(at(width - 4)).toBeLessThanOrEqual(at(width));
  });

  test("a network that cannot be emitted is predicted by its arithmetic, with a wide interval", () => {
    const net = new Net(new Random(1));
    const x = net.conv(net.input([8, 8, 4]), 8);
    const y = net.op("relu_grad", [x, x]);
    const p = predictLatency(net.build(y), generic);
    expect(p.ms).toBeGreaterThan(0);
    expect(p.high / p.low).toBe(4);
  });

  test("a piece that a profile does not tell costs what is expected of it, at the device's cycle", () => {
    const { "winograd.input": told, ...ns } = generic.ns;
    const cycles = expectedPiece("winograd.input", "simd").cycles;
    expect(pieceNs("winograd.input", generic)).toBe(told);
    expect(pieceNs("winograd.input", { ...generic, ns })).toBe(generic.ns["cycle"]! * cycles);
  });
});
