import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { onnxBytes, readModel, writeModel } from "../../../src/formats/index.js";
import { createExecutor } from "../../../src/host/executor.js";
import { equalGraphs } from "../../../src/model/equal.js";
import type { TensorValue } from "../../../src/model/types.js";
import { describeWithData } from "../../support/shared-data.js";
import { goldenCases, relativeError } from "../support.js";

/** What every reader must keep; ONNX Runtime and our kernels both compute in f32. */
const TOLERANCE = 1e-4;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "idap-onnx-"));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

describeWithData(
  "golden outputs of YuNet",
  ["models/onnx/yunet_n_320_320.onnx", "models/onnx/golden/yunet_n_320_320.onnx"],
  ([file, golden]) => {
    test("come out of the host's kernels, from the file and from what is written of it", async () => {
      const graph = await readModel(file!);
      expect(graph.inputs).toHaveLength(1);
      expect(graph.outputs).toHaveLength(12);
      // Upsampling is one operator, and only the interface and what is flattened changes the order of axes.
      expect(graph.nodes.filter((n) => n.op === "resize")).toHaveLength(2);

      const written = path.join(folder, "yunet.onnx");
      await writeModel(graph, written, "onnx");
      const again = await readModel(written);
      expect(equalGraphs(graph, again)).toBeNull();
      expect(Buffer.compare(onnxBytes(graph), onnxBytes(again))).toBe(0);

      const [recorded] = goldenCases(golden!);
      const inputs = { [graph.inputs[0]!.name]: recorded!.inputs[0]! };
      const executor = createExecutor("wasm", again, { threads: 1 });
      const got = await executor.run(inputs);
      await executor.close();
      recorded!.outputNames.forEach((name, i) => {
        const value = got[name] as TensorValue;
        expect(value.shape).toEqual(recorded!.outputs[i]!.shape);
        const error = relativeError(value.data as Float32Array, recorded!.outputs[i]!.data as Float32Array);
        expect(error, name).toBeLessThan(TOLERANCE);
      });
    });
  },
);
