import { appendFileSync, cpSync, mkdtempSync, statSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { emit } from "../../src/emit/index.js";
import { createExecutor } from "../../src/host/executor.js";
import { CHROMIUM_FLAGS, describeWithChromium, serveFolder } from "../support/browser.js";
import { randomInputs, randomNetwork } from "../support/networks.js";

interface Answer {
  readonly variant: string;
  readonly y: number[];
}

/** What a user's page does; the attribute is what the test reads. */
const PAGE = `import { load } from "./pkg/index.js";
const x = await (await fetch("input.json")).json();
const answer = async (options) => {
  const model = await load(options);
  return { variant: model.variant, y: [...model.run({ x: Float32Array.from(x) }).y.data] };
};
const inWorker = () => new Promise((resolve, reject) => {
  const worker = new Worker(new URL("./pkg/worker.js", import.meta.url), { type: "module" });
  worker.onerror = (e) => reject(new Error(e.message));
  worker.onmessage = ({ data }) => resolve({ variant: "worker " + data.id, y: [...data.outputs.y.data] });
  worker.postMessage({ id: 7, inputs: { x: Float32Array.from(x) } });
});
const answers = { simd: await answer({ variant: "simd" }), best: await answer(), worker: await inWorker() };
answers.warm = await answer({ variant: "simd", warmUp: true });
const { load: loadLonger } = await import("./longer/index.js");
answers.longer = await loadLonger().catch((e) => e.message);
const getReader = ReadableStream.prototype.getReader;
ReadableStream.prototype.getReader = function (options) {
  if (options?.mode === "byob") throw TypeError("as browsers before they had readers with buffers");
  return getReader.call(this);
};
answers.older = await answer({ variant: "simd" });
document.body.dataset.answer = JSON.stringify(answers);
`;

describeWithChromium("an emitted package in Chromium", (executablePath) => {
  const graph = randomNetwork(7);
  const inputs = randomInputs(graph, 3, 1);
  let folder = "";
  let answers: Record<"simd" | "best" | "worker" | "warm" | "older", Answer> & { longer: string };

  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "idap-browser-"));
    await emit(graph, { out: path.join(folder, "pkg") });
    cpSync(path.join(folder, "pkg"), path.join(folder, "longer"), { recursive: true });
    appendFileSync(path.join(folder, "longer", "weights.bin"), new Uint8Array(4));
    writeFileSync(path.join(folder, "input.json"), JSON.stringify([...(inputs.x!.data as Float32Array)]));
    writeFileSync(path.join(folder, "page.js"), PAGE);
    writeFileSync(path.join(folder, "index.html"), '<!doctype html><script type="module" src="page.js"></script>');
    const site = await serveFolder(folder);
    const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
    try {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on("pageerror", (e) => errors.push(e.message));
      await page.goto(`${site.url}index.html`);
      // Through the document: the policy forbids scripts that come as strings.
      const body = await page
        .waitForSelector("body[data-answer]", { timeout: 30_000, state: "attached" })
        .catch((e: Error) => Promise.reject(new Error(`${e.message} ${errors.join("; ")}`)));
      answers = JSON.parse((await body.getAttribute("data-answer"))!) as typeof answers;
    } finally {
      await browser.close();
      await site.close();
    }
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("gives the bits of Node in its strict variant, under a strict content security policy", async () => {
    const entry = pathToFileURL(path.join(folder, "pkg", "node.js")).href;
    const { load } = (await import(entry)) as {
      load(o: { variant: string }): Promise<{ run(i: unknown): { y: { data: Float32Array } } }>;
    };
    const model = await load({ variant: "simd" });
    expect(answers.simd).toEqual({ variant: "simd", y: [...model.run({ x: inputs.x!.data }).y.data] });
  });

  test("gives the same after a warm-up, and where readers bring no buffers", () => {
    expect(answers.warm).toEqual(answers.simd);
    expect(answers.older).toEqual(answers.simd);
  });

  test("refuses weights that are too long, and says how long they are", () => {
    const { size } = statSync(path.join(folder, "longer", "weights.bin"));
    expect(answers.longer).toBe(`weights.bin has ${size} bytes, needs ${size - 4}`);
  });

  test("takes the relaxed variant by itself, within the bound of the reference, and runs in a worker", async () => {
    const reference = createExecutor("reference", graph);
    const y = [...((await reference.run(inputs)).y!.data as Float32Array)];
    await reference.close();
    expect(answers.best.variant).toBe("relaxed");
    expect(answers.worker.variant).toBe("worker 7");
    const scale = Math.max(...y.map(Math.abs));
    // Below a hundred f32 roundings of the largest value; a wrong weight or window is off by more than a thousandth.
    for (const answer of [answers.best, answers.worker])
      answer.y.forEach((v, i) => expect(Math.abs(v - y[i]!)).toBeLessThan(100 * 2 ** -24 * scale));
  });
});
