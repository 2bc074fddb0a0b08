import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { predictLatency, throughput } from "../../src/analyzer/latency.js";
import { winogradShare } from "../../src/kernels/winograd-cost.js";
import { deviceProfile, target } from "../../src/model/device-profile.js";
import { Random } from "../../src/model/random.js";
import { Net } from "../support/networks.js";

const read = (path: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../targets/${path}`, import.meta.url), "utf8"));
const profile = deviceProfile.parse(read("devices/node-generic.json"));

test("the committed target and profile fit their schemas, and the target names the profile", () => {
  expect(target.parse(read("wasm.json")).defaultDevice).toBe(profile.name);
});

test("throughput: grid points exactly, halfway on a logarithmic scale between them, constant outside", () => {
  const table = {
    k: [16, 64],
    n: [4, 16],
    gmacs: [
      [1, 3],
      [2, 6],
    ],
  };
  expect(throughput(table, 16, 16)).toBe(3);
  expect(throughput(table, 32, 4)).toBe(1.5);
  expect(throughput(table, 32, 8)).toBe(3);
  expect(throughput(table, 1, 1)).toBe(1);
  expect(throughput(table, 9999, 9999)).toBe(6);
});

describe("prediction", () => {
  const chain = (width: number, device = profile): ReturnType<typeof predictLatency> => {
    const net = new Net(new Random(1));
    const x = net.relu(net.conv(net.input([16, 16, 8]), width));
    return predictLatency(net.build(net.dense(net.globalMean(x), 4)), device);
  };

  test("activations and batch norms behind a layer are fused and free", () => {
    const net = new Net(new Random(1));
    const x = net.relu(net.norm(net.conv(net.input([16, 16, 8]), 8)));
    const families = predictLatency(net.build(net.dense(net.globalMean(x), 4)), profile).nodes.map((n) => n.family);
    expect(families).toEqual(["conv", "fused", "fused", "memory", "dense"]);
  });

  test("a width between tiles costs what the next tile costs", () => {
    expect(chain(13).nodes[0]!.ms).toBeCloseTo(chain(16).nodes[0]!.ms, 12);
    expect(chain(12).nodes[0]!.ms).toBeLessThan(chain(16).nodes[0]!.ms);
  });

  test("a layer is its MACs at the measured throughput plus one overhead", () => {
    const { nodes } = chain(16, { ...profile, winograd: "off" });
    const macs = 16 * 16 * 72 * 16;
    const expected = macs / throughput(profile.families.conv, 72, 16) / 1e6 + profile.overheadUs * 1e-3;
    expect(nodes[0]!.ms).toBeCloseTo(expected, 12);
  });

  test("Winograd's method leaves the share of that which the emitter expects of it", () => {
    const overhead = profile.overheadUs * 1e-3;
    const direct = chain(16, { ...profile, winograd: "off" }).nodes[0]!.ms - overhead;
    const share = winogradShare({ stride: 1, height: 16, width: 16, ci: 8, co: 16 }, "simd");
    expect(share).toBeLessThan(1);
    expect(chain(16).nodes[0]!.ms).toBeCloseTo(direct * share + overhead, 12);
  });
});
