import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { DEMO_MODEL, runDemo, type DemoResult } from "../../src/build/demo.js";
import { glyphs } from "../../src/data/glyphs.js";
import { readModel } from "../../src/formats/index.js";
import { evaluate } from "../../src/host/evaluate.js";
import { verifyPackage } from "../../src/measure/index.js";
import { requireAll } from "../support/shared-data.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const root = mkdtempSync(path.join(tmpdir(), "idap-demo-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("the committed model", () => {
  test("at most 300 kB, trained for what it is shown here, and no linear problem", async () => {
    expect(statSync(DEMO_MODEL).size).toBeLessThanOrEqual(300_000);
    const graph = await readModel(DEMO_MODEL);
    expect(graph.nodes.filter((n) => n.op === "batch_norm").length).toBeGreaterThan(5);
    const { test: split } = glyphs(5, { train: 10, validation: 0, calibration: 0, test: 1000 });
    expect((await evaluate(graph, split!)).accuracy).toBeGreaterThan(0.95);
  });
});

// The program that users run; `npm test` builds it first.
describe.skipIf(!existsSync(main) && !requireAll)("idap demo", () => {
  test("within three minutes: figures for both networks, what was removed and why, a package that works", async () => {
    const out = path.join(root, "out", "glyphs");
    const run = spawnSync(process.execPath, [main, "demo", "--out", out, "--json"], {
      encoding: "utf8",
      maxBuffer: 1 << 26,
      timeout: 180_000,
    });
    expect(run.status, run.stderr).toBe(0);
    const r = JSON.parse(run.stdout) as DemoResult;

    expect(r.accepted).toBe(true);
    expect(r.seconds).toBeLessThan(180);
    // Within the budget on the split that decides; on the test split within the budget and the interval's width.
    expect(r.metric!.dense - r.metric!.pruned).toBeLessThanOrEqual(r.maxDropPoints! / 100 + 1e-9);
    expect(r.test!.dense).toBeGreaterThan(0.95);
    expect(r.test!.low).toBeLessThanOrEqual(r.maxDropPoints!);
    expect(r.test!.emitted).toBeCloseTo(r.test!.pruned, 2);
    expect(r.macs.pruned).toBeLessThan(0.6 * r.macs.dense);
    expect(r.params.pruned).toBeLessThan(0.8 * r.params.dense);
    for (const b of [r.bytes, r.bytes.dense!]) {
      for (const key of ["weights", "code", "glue"] as const) {
        expect(b[key]).toBeGreaterThan(b[`${key}Brotli`]);
        expect(b[`${key}Brotli`]).toBeGreaterThan(0);
      }
    }
    expect(r.bytes.glue).toBeLessThanOrEqual(2000);
    expect(r.arenaBytes).toBeLessThan(r.denseArenaBytes!);
    expect(r.latency.measuredMs!).toBeLessThan(r.latency.denseMs!);
    for (const error of [r.maxError, r.denseMaxError!]) expect(error).toBeLessThan(1e-4);
    for (const stage of ["filters", "layers"]) {
      const entries = r.ledger.filter((e) => e.stage === stage);
      expect(entries.length, `${stage} in the ledger`).toBeGreaterThan(0);
      for (const e of entries) expect(e.reason.length).toBeGreaterThan(10);
    }

    await expect(verifyPackage(out)).resolves.toMatchObject({ name: "glyphs" });
    expect(readFileSync(path.join(out, "report.html"), "utf8")).toContain("accepted");
    const { load } = (await import(pathToFileURL(path.join(out, "node.js")).href)) as {
      load: () => Promise<{ run(x: object): Record<string, { data: Float32Array }> }>;
    };
    const model = await load();
    const { test: split } = glyphs(9, { train: 10, validation: 0, calibration: 0, test: 200 });
    const image = new Float32Array(24 * 24);
    let right = 0;
    for (let i = 0; i < 200; i++) {
      split!.read([i], image);
      const scores = model.run({ image }).scores!.data;
      if (scores.indexOf(Math.max(...scores)) === split!.labels![i]) right++;
    }
    expect(right).toBeGreaterThan(180);
  }, 200_000);
});

/** Every file below a folder, except those that may differ between equal builds. */
function bytesOf(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || ["measurements.json", "report.html"].includes(entry.name)) continue;
    const file = path.join(entry.parentPath, entry.name);
    files[path.relative(folder, file)] = readFileSync(file, "base64");
  }
  return files;
}

test("two equal demos give the same bytes, on one thread or two", async () => {
  // Short, but with a step of each stage.
  const pruning = { iterations: 1, recoverySamples: 512, layerSteps: 4, patience: 1, finalEpochs: 1, maxDrop: 40 };
  const dirs: string[] = [];
  for (const threads of [1, 2]) {
    const out = path.join(root, `threads${threads}`, "glyphs");
    const { ledger } = await runDemo({ out, threads, pruning, measure: false });
    expect(new Set(ledger.map((e) => e.stage))).toContain("filters");
    dirs.push(out);
  }
  const [one, two] = dirs.map(bytesOf);
  expect(Object.keys(one!)).toEqual(
    expect.arrayContaining([
      "model.simd.wasm",
      "model.relaxed.wasm",
      "weights.bin",
      "glue.js",
      "passport.json",
      "model.onnx",
    ]),
  );
  expect(two).toEqual(one);
}, 120_000);
