import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readModel, writeModel } from "../../../src/formats/index.js";
import { readTfjs } from "../../../src/formats/tfjs/read.js";
import { tfjsFiles } from "../../../src/formats/tfjs/write.js";
import { GraphBuilder } from "../../../src/model/builder.js";
import { fromDoubles } from "../../../src/model/doubles.js";
import { equalGraphs } from "../../../src/model/equal.js";
import { getOp } from "../../../src/model/ops/index.js";
import type { Graph, TensorRecord } from "../../../src/model/types.js";
import { ReferenceExecutor } from "../../../src/host/reference.js";
import { drawValues, opCases, type OpCase } from "../../support/op-cases.js";
import { relativeError } from "../support.js";
import { cases } from "../tfjs-cases.js";

/** What no composition of TF.js's operators is written for. */
const REFUSED = ["dilated", "casts to i8", "casts to u8"];

/** A graph of one node; parameters are constants. */
function graphOf(c: OpCase): { graph: Graph; inputs: TensorRecord } {
  const params = getOp(c.op).params ?? [];
  const builder = new GraphBuilder("test");
  const inputs: Record<string, TensorRecord[string]> = {};
  const operands = c.inputs.map((type, i) => {
    const data = fromDoubles(drawValues(type, c.draw?.[i] ?? "normal", 1, 7 + i), type.dtype);
    if (type.batchAxis === null && params.includes(i)) return builder.constant(`c${i}`, type.dtype, type.shape, data);
    inputs[`in${i}`] = { data, shape: type.shape, dtype: type.dtype };
    return builder.input(`in${i}`, type);
  });
  builder.node(c.op, operands, c.attrs).forEach((y, i) => builder.output(y, `out${i}`));
  return { graph: builder.build(), inputs };
}

function readBack(files: ReadonlyMap<string, Uint8Array>): Graph {
  const json: unknown = JSON.parse(new TextDecoder().decode(files.get("model.json")));
  return readTfjs(json, "test", "model.json", (name) => files.get(name)!);
}

/** Integers come back with 32 bits: TF.js has no others. */
function widened(inputs: TensorRecord): TensorRecord {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      name,
      value.dtype === "f32" || value.dtype === "bool"
        ? value
        : { ...value, data: Int32Array.from(value.data as Int32Array, Number), dtype: "i32" as const },
    ]),
  );
}

describe("an operator that is written computes the same when it is read back", () => {
  const some = opCases.filter((c) => getOp(c.op).internal !== true);
  test.each(some.map((c) => [`${c.op}, ${c.title}`, c] as const))("%s", async (_name, c) => {
    const { graph, inputs } = graphOf(c);
    let files: Map<string, Uint8Array>;
    try {
      files = tfjsFiles(graph);
    } catch (error) {
      expect(REFUSED.some((reason) => (error as Error).message.includes(reason))).toBe(true);
      return;
    }
    const expected = await new ReferenceExecutor(graph).run(inputs);
    const values = await new ReferenceExecutor(readBack(files)).run(widened(inputs));
    for (const [name, { data, shape }] of Object.entries(expected)) {
      expect(values[name]!.shape).toEqual(shape);
      // Constants of a decomposition are rounded to f32 once; at most three meet in one value.
      const numbers = Array.from(data as Float32Array, Number);
      const got = Array.from(values[name]!.data as Float32Array, Number);
      if (numbers.every((v) => v === 0)) expect(got).toEqual(numbers);
      else if (numbers.every(Number.isFinite)) expect(relativeError(got, numbers)).toBeLessThan(8 * 2 ** -24);
    }
  });
});

describe("what TF.js has an operator for comes back as it was", () => {
  const names = Object.keys(cases);
  test.each(names)("%s", (name) => {
    const { json, shard } = cases[name]!;
    const graph = readTfjs(json, "test", "model.json", () => shard);
    expect(equalGraphs(graph, readBack(tfjsFiles(graph)))).toBeNull();
  });

  test("the same graph gives the same bytes", () => {
    const { json, shard } = cases["Conv2D SAME"]!;
    const graph = readTfjs(json, "test", "model.json", () => shard);
    expect(tfjsFiles(graph)).toEqual(tfjsFiles(graph));
  });
});

describe("files", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "idap-tfjs-"));
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  /** 5 MiB of weights. */
  function large(): Graph {
    const builder = new GraphBuilder("large");
    const x = builder.input("x", { dtype: "f32", shape: [1, 1280], batchAxis: 0 });
    const w = builder.constant("w", "f32", [1280, 1024], new Float32Array(1280 * 1024).fill(0.5));
    builder.output(builder.node("dense", [x, w])[0]!, "y");
    return builder.build();
  }

  test("weights come in shards of 4 MiB, and a model that is there is replaced", async () => {
    const target = path.join(folder, "deep", "model");
    for (const where of [target, path.join(target, "model.json")]) {
      await writeModel(large(), where, "tfjs");
      expect((await readdir(target)).sort()).toEqual(["group1-shard1of2.bin", "group1-shard2of2.bin", "model.json"]);
      expect(await readdir(path.dirname(target))).toEqual(["model"]);
    }
    expect(equalGraphs(large(), await readModel(target))).toBeNull();
  });

  test("a folder with other files is left alone", async () => {
    await writeFile(path.join(folder, "notes.txt"), "mine");
    await expect(writeModel(large(), folder, "tfjs")).rejects.toMatchObject({ code: "E_FILE" });
    expect(await readdir(folder)).toContain("notes.txt");
  });

  test("operators that TF.js lacks are named, and nothing is written", async () => {
    const builder = new GraphBuilder("training");
    const x = builder.input("x", { dtype: "f32", shape: [1, 2], batchAxis: 0 });
    builder.output(builder.node("relu_grad", [x, x])[0]!, "y");
    const target = path.join(folder, "training");
    await expect(writeModel(builder.build(), target, "tfjs")).rejects.toMatchObject({
      code: "E_UNSUPPORTED",
      message: expect.stringContaining("relu_grad"),
    });
    await expect(readdir(target)).rejects.toMatchObject({ code: "ENOENT" });
  });
});
