import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { onnxBytes, readModel, writeModel } from "../../src/formats/index.js";
import { GraphBuilder } from "../../src/model/builder.js";
import type { Graph } from "../../src/model/types.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "idap-write-"));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

function small(): Graph {
  const b = new GraphBuilder("small");
  const x = b.input("x", { dtype: "f32", shape: [1, 2], batchAxis: 0 });
  b.output(b.node("dense", [x, b.constant("w", "f32", [2, 2], Float32Array.of(1, 2, 3, 4))])[0]!, "y");
  return b.build();
}

test("a model appears whole, in a folder that is made for it, and nothing is left beside it", async () => {
  const file = path.join(folder, "deep", "er", "small.onnx");
  await writeModel(small(), file, "onnx");
  expect(await readdir(path.dirname(file))).toEqual(["small.onnx"]);
  expect((await stat(file)).size).toBe(onnxBytes(small()).length);
  expect((await readModel(file)).name).toBe("small");
});

test("what cannot be written leaves nothing behind", async () => {
  const b = new GraphBuilder("training");
  const x = b.input("x", { dtype: "f32", shape: [1, 2], batchAxis: 0 });
  b.output(b.node("relu_grad", [x, x])[0]!, "y");
  const file = path.join(folder, "training.onnx");
  await expect(writeModel(b.build(), file, "onnx")).rejects.toMatchObject({ code: "E_UNSUPPORTED" });
  await expect(stat(file)).rejects.toMatchObject({ code: "ENOENT" });

  await writeFile(path.join(folder, "plain"), "");
  await expect(writeModel(small(), path.join(folder, "plain", "x.onnx"), "onnx")).rejects.toMatchObject({
    code: "E_FILE",
  });
  await expect(writeModel(small(), path.join(folder, "x.h5"), "h5" as "onnx")).rejects.toMatchObject({
    code: "E_FORMAT",
  });
});

test("a folder stands for the model.json in it", async () => {
  await expect(readModel(folder)).rejects.toMatchObject({
    code: "E_FILE",
    message: expect.stringContaining("no such file"),
  });
});
