import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { Progress, clock, readingProgress } from "../../src/cli/progress.js";

function recorder(isTTY: boolean) {
  const writes: string[] = [];
  let time = 0;
  const progress = new Progress({ isTTY, columns: 40, write: (s) => writes.push(s) }, false, () => time);
  return { writes, progress, at: (ms: number) => (time = ms) };
}

describe("progress", () => {
  test("without a terminal: a line when a stage begins, then one every five seconds, with the time left", () => {
    const { writes, progress, at } = recorder(false);
    for (let done = 0; done <= 100; done++) {
      at(done * 200);
      progress.report({ stage: "train", done, total: 100 });
    }
    expect(writes).toEqual([
      "train 0/100\n",
      "train 25/100, 0:15 left\n",
      "train 50/100, 0:10 left\n",
      "train 75/100, 0:05 left\n",
      "train 100/100, 0:00 left\n",
    ]);
  });

  test("a new stage is said at once and begins a new estimate", () => {
    const { writes, progress, at } = recorder(false);
    progress.report({ stage: "read", done: 0, total: 0 });
    at(10);
    progress.report({ stage: "score", done: 0, total: 4, detail: "divergence" });
    at(6010);
    progress.report({ stage: "score", done: 1, total: 4 });
    expect(writes).toEqual(["read\n", "score 0/4, divergence\n", "score 1/4, 0:18 left\n"]);
  });

  test("on a terminal one line is rewritten, cut to the width, and cleared at the end", () => {
    const { writes, progress, at } = recorder(true);
    progress.report({ stage: "x".repeat(60), done: 0, total: 1 });
    at(50);
    progress.report({ stage: "x".repeat(60), done: 1, total: 1 });
    progress.end();
    expect(writes).toEqual([`\r\x1b[2K${"x".repeat(39)}`, "\r\x1b[2K"]);
  });

  test("quiet prints nothing", () => {
    const writes: string[] = [];
    const progress = new Progress({ write: (s) => writes.push(s) }, true);
    progress.report({ stage: "a", done: 0, total: 1 });
    progress.say("b");
    progress.end();
    expect(writes).toEqual([]);
  });

  test.each([
    [0, "0:00"],
    [75, "1:15"],
    [3661, "1:01:01"],
  ])("%d s is %s", (s, text) => expect(clock(s)).toBe(text));
});

test("the reading of large models is told, that of small ones is not", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "idap-progress-"));
  const file = path.join(folder, "net.onnx");
  const { writes, progress } = recorder(false);
  writeFileSync(file, "");
  for (const name of [file, path.join(folder, "none.onnx")]) readingProgress(name, progress)(0.5);
  expect(writes).toEqual([]);
  truncateSync(file, 20 << 20);
  readingProgress(file, progress)(0.5);
  expect(writes).toEqual(["reading the model 50/100\n"]);
  rmSync(folder, { recursive: true });
});
