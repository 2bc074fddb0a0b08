import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { build } from "../../src/build/index.js";
import { onnxBytes } from "../../src/formats/index.js";
import { Random } from "../../src/model/random.js";
import { Net } from "../support/networks.js";

const root = mkdtempSync(path.join(os.tmpdir(), "idap-winograd-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Differences of neighbours, 3x3, of values around `level`: what is left is as much smaller than its terms as that is large. */
async function buildEdges(level: number, winograd?: "auto" | "off") {
  const net = new Net(new Random(4), "edges");
  const ones = net.builder.constant("ones", "f32", [1, 1, 8, 8], new Float32Array(64).fill(1));
  const shift = net.builder.constant("shift", "f32", [8], new Float32Array(8).fill(level));
  const window = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
  const x = net.op("conv2d", [net.input([18, 18, 8]), ones, shift], window);
  const taps = Float32Array.from({ length: 9 * 64 }, (_, i) => (Math.floor(i / 64) === 4 ? 8 : -1));
  net.builder.output(net.op("conv2d", [x, net.builder.constant("taps", "f32", [3, 3, 8, 8], taps)], window), "y");
  const model = path.join(root, "edges.onnx");
  const out = path.join(root, `edges-${level}-${winograd}`);
  writeFileSync(model, onnxBytes(net.builder.build()));
  const result = await build({ model, out, prune: false, measure: false, ...(winograd && { winograd }) });
  expect(result.maxError).toBeLessThan(1e-4);
  const passport = JSON.parse(readFileSync(path.join(out, "passport.json"), "utf8")) as {
    winograd: { mode: string; layers: number };
  };
  return { ...passport.winograd, predictedMs: result.latency.predictedMs };
}

test("a build takes Winograd's method unless it is told not to, or its module is too far from the host", async () => {
  const usual = await buildEdges(0);
  expect(usual).toMatchObject({ mode: "auto", layers: 1 });
  const off = await buildEdges(0, "off");
  expect(off).toMatchObject({ mode: "off", layers: 0 });
  expect(off.predictedMs).toBeGreaterThan(usual.predictedMs);
  expect(await buildEdges(1e4)).toMatchObject({ mode: "off", layers: 0 });
}, 120_000);
