import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build, type BuildProgress, type BuildResult } from "../../src/build/index.js";
import { readModel } from "../../src/formats/index.js";
import { graphCost } from "../../src/analyzer/cost.js";
import { data } from "../pruner/tiny.js";
import { filesOf, quickBuild, writeTinyProject } from "./support.js";

const root = mkdtempSync(path.join(os.tmpdir(), "idap-build-"));
let project: { model: string; data: string };
let first: BuildResult;
const seen: BuildProgress[] = [];

beforeAll(async () => {
  project = await writeTinyProject(root);
  first = await build(quickBuild(project, path.join(root, "one"), { onProgress: (p) => seen.push(p) }));
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a whole build", () => {
  test("says everything that the command prints", () => {
    expect(first.metric).toMatchObject({ name: "accuracy" });
    expect(first.macs.pruned).toBeLessThan(first.macs.dense);
    expect(first.maxError).toBeLessThan(1e-4);
    expect(first.arenaBytes).toBeGreaterThan(0);
    expect(first.bytes.weights).toBeLessThan(first.bytes.dense!.weights);
    expect(first.latency).toMatchObject({ device: "node-generic" });
    expect(first.latency.measuredMs).toBeGreaterThan(0);
    expect(first.test!.samples).toBe(data.validation.count);
    expect(first.test!.low).toBeLessThanOrEqual(first.test!.dropPoints);
    // Host and emitted module may disagree on a sample whose two best scores are equal to 1e-6; here none is.
    expect(first.test!.emitted).toBe(first.test!.pruned);
    expect(first.ledger.length).toBeGreaterThan(1);
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
  });

  test("leaves a package that can be imported, and nothing beside it but the run folder", async () => {
    expect(readdirSync(root).sort()).toEqual([".idap-run-one", "bars.onnx", "data", "one"]);
    const files = readdirSync(path.join(root, "one"));
    for (const f of [
      "model.onnx",
      "model.simd.wasm",
      "weights.bin",
      "passport.json",
      "measurements.json",
      "report.html",
    ]) {
      expect(files).toContain(f);
    }
    const glue = (await import(pathToFileURL(path.join(root, "one", "node.js")).href)) as {
      load(): Promise<{ run(i: Record<string, Float32Array>): Record<string, { data: Float32Array }> }>;
    };
    const model = await glue.load();
    const x = new Float32Array(64);
    data.validation.read([0], x);
    expect(Object.values(model.run({ x }))[0]!.data).toHaveLength(4);
  });

  test("the ONNX file in the package is the pruned network", async () => {
    const graph = await readModel(path.join(root, "one", "model.onnx"));
    expect(graphCost(graph).macs).toBe(first.macs.pruned);
  });

  test("the same build again gives the same bytes", async () => {
    await build(quickBuild(project, path.join(root, "two", "one")));
    expect(filesOf(path.join(root, "two", "one"))).toEqual(filesOf(path.join(root, "one")));
  }, 120_000);

  test("progress never goes back, and ends at 1", () => {
    for (let i = 1; i < seen.length; i++)
      expect(seen[i]!.fraction).toBeGreaterThanOrEqual(seen[i - 1]!.fraction - 1e-12);
    expect(seen.at(-1)).toMatchObject({ fraction: 1, etaSeconds: 0 });
  });
});

describe("without pruning", () => {
  test("no data is needed, and the numbers are the model's", async () => {
    const result = await build({ model: project.model, out: path.join(root, "plain"), prune: false, measure: false });
    expect(result).toMatchObject({ accepted: true, metric: null, ledger: [], run: null });
    expect(result.macs.pruned).toBe(result.macs.dense);
    expect(result.maxError).toBeLessThan(1e-4);
    expect(existsSync(path.join(root, "plain", "measurements.json"))).toBe(false);
  }, 60_000);
});

describe("refusal", () => {
  test("a limit that nothing meets: not accepted, the reason in a sentence, and a package all the same", async () => {
    const out = path.join(root, "refused");
    const options = quickBuild(project, out, { measure: false });
    // One attempt, at nearly everything.
    const most = { rho0: 0.95, maxShareStep: 1, minShare: 0.05, maxFailures: 1, iterations: 1 };
    const pruning = { ...options.pruning, maxDrop: 0, oneShot: true, maxRemovals: 0, ...most };
    const result = await build({ ...options, pruning });
    expect(result.accepted).toBe(false);
    expect(result.reason).toContain("nothing could be removed");
    expect(existsSync(path.join(out, "passport.json"))).toBe(true);
  }, 60_000);
});

describe("wrong input leaves nothing behind", () => {
  const out = path.join(root, "wrong");
  test.each([
    ["no data", { data: undefined }, "E_DATA"],
    ["unknown target", { target: "toaster" }, "E_TARGET"],
    ["unknown device", { device: "toaster" }, "E_DEVICE"],
    ["negative limit", { pruning: { maxDrop: -1 } }, "E_OPTION"],
    ["unknown criterion", { pruning: { criterion: "taste" } }, "E_CRITERION"],
  ])("%s", async (_name, wrong, code) => {
    await expect(build({ ...quickBuild(project, out), ...wrong })).rejects.toMatchObject({ code });
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(root).filter((f) => f.includes("wrong"))).toEqual([]);
  });

  test("a folder that is not ours", async () => {
    const theirs = path.join(root, "theirs");
    mkdirSync(theirs);
    writeFileSync(path.join(theirs, "letter.txt"), "dear");
    await expect(build(quickBuild(project, theirs))).rejects.toMatchObject({ code: "E_OUT_NOT_OURS" });
    expect(readFileSync(path.join(theirs, "letter.txt"), "utf8")).toBe("dear");
  });
});
