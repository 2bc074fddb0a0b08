import { expect, test } from "vitest";
import { readModel } from "../../../src/formats/index.js";
import { simulateQuantisation } from "../../../src/model/passes/simulate-quantisation.js";
import { describeWithData } from "../../support/shared-data.js";
import { recordedRuns, replay } from "./golden.js";

/** Of the range of a float output: what every reader is held to. */
const TOLERANCE = 1e-4;

const float = [
  "hand-gesture/keypoint_classifier",
  "hand-gesture/point_history_classifier",
  "litert/torchaudio_conformer",
  "mlperf-tiny/ad01_fp32",
  "mlperf-tiny/pretrainedResnet",
  "mlperf-tiny/pretrainedResnet_large_float",
  "mlperf-tiny/vww_96_float",
  "tflite-micro/hello_world_float",
];

for (const name of float) {
  const model = `models/${name}.tflite`;
  describeWithData(`the float model ${name}`, [model], ([file]) => {
    test("gives its recorded outputs on the host", { timeout: 300_000 }, async () => {
      for (const { seen } of await replay(await readModel(file!), recordedRuns(file!), "wasm")) {
        for (const s of seen) expect(s.difference).toBeLessThan(TOLERANCE * s.range);
      }
    });
  });
}

interface Quantised {
  readonly name: string;
  /** Its outputs are no scores: there is no best one to compare. */
  readonly noTop?: boolean;
}

const quantised: Quantised[] = [
  { name: "coral/keras_lstm_mnist_ptq" },
  { name: "coral/mobilenet_v1_0.25_128_quant" },
  { name: "coral/tf2_mobilenet_v2_1.0_224_ptq" },
  { name: "mlperf-tiny/ad01_int8", noTop: true },
  { name: "mlperf-tiny/kws_ref_model" },
  { name: "mlperf-tiny/pretrainedResnet_quant" },
  { name: "mlperf-tiny/pretrainedResnet_large_int8" },
  { name: "mlperf-tiny/vww_96_int8" },
  { name: "tflite-micro/hello_world_int8" },
  { name: "tflite-micro/micro_speech_quantized" },
];

for (const { name, noTop } of quantised) {
  const model = `models/${name}.tflite`;
  describeWithData(`the quantised model ${name}`, [model], ([file]) => {
    test("finds the recorded best score in plain float", { timeout: 300_000 }, async () => {
      const graph = await readModel(file!);
      for (const { seen } of await replay(graph, recordedRuns(file!), "wasm")) {
        for (const s of seen) expect(s.sameTop || noTop === true).toBe(true);
      }
    });

    // Functions of reals (softmax) are rounded in f32, so that single values may come to lie one step further.
    test("gives the recorded integers with its rounding simulated", { timeout: 300_000 }, async () => {
      const graph = simulateQuantisation(await readModel(file!));
      for (const executor of ["wasm", "reference"] as const) {
        for (const { seen } of await replay(graph, recordedRuns(file!), executor)) {
          for (const s of seen)
            expect(s).toMatchObject({ withinOne: 1, equal: expect.toSatisfy((v: number) => v >= 0.99) });
        }
      }
    });
  });
}

describeWithData("DeepLab V3", ["models/coral/deeplabv3_mnv2_dm05_pascal_quant.tflite"], ([file]) => {
  test("gives nearly every pixel its recorded class in plain float", { timeout: 300_000 }, async () => {
    const graph = await readModel(file!);
    for (const { seen } of await replay(graph, recordedRuns(file!), "wasm")) {
      expect(seen[0]).toMatchObject({ dtype: "i64", shape: [1, 513, 513] });
      expect(seen[0]!.equal).toBeGreaterThan(0.98);
    }
  });

  test("gives each pixel its recorded class with its rounding simulated", { timeout: 300_000 }, async () => {
    const graph = simulateQuantisation(await readModel(file!));
    for (const { seen } of await replay(graph, recordedRuns(file!), "wasm")) expect(seen[0]!.equal).toBe(1);
  });
});

/** MoveNet's heat maps have 48 x 48 cells. */
const CELL = 1 / 48;

describeWithData("MoveNet", ["models/coral/movenet_single_pose_lightning_ptq.tflite"], ([file]) => {
  test("finds every key point within one cell in plain float", { timeout: 300_000 }, async () => {
    const runs = recordedRuns(file!);
    const results = await replay(await readModel(file!), runs, "wasm");
    results.forEach(({ values }, k) => {
      const [got, want] = [values[0]!.data as Float32Array, runs[k]!.outputs[0]!.data as Float32Array];
      for (let i = 0; i < got.length; i++) if (i % 3 < 2) expect(Math.abs(got[i]! - want[i]!)).toBeLessThan(CELL);
    });
  });

  test("gives the recorded reals with its rounding simulated", { timeout: 300_000 }, async () => {
    const graph = simulateQuantisation(await readModel(file!));
    for (const executor of ["wasm", "reference"] as const)
      for (const { seen } of await replay(graph, recordedRuns(file!), executor)) {
        // Products with the scale are rounded in f32.
        expect(seen[0]!.difference).toBeLessThan(1e-6);
      }
  });
});

describeWithData("DTLN", ["models/tflite-micro/dtln_noise_suppression.tflite"], ([file]) => {
  test("finds the recorded best score in plain float, at most two steps away everywhere", async () => {
    for (const { seen } of await replay(await readModel(file!), recordedRuns(file!), "wasm")) {
      expect(seen[0]!.sameTop).toBe(true);
      expect(seen[0]!.difference).toBeLessThanOrEqual(2);
    }
  });

  test("gives the recorded integers with its rounding simulated, that inside its recurrent layers too", async () => {
    const graph = simulateQuantisation(await readModel(file!));
    for (const executor of ["wasm", "reference"] as const)
      for (const { seen } of await replay(graph, recordedRuns(file!), executor)) expect(seen[0]!.equal).toBe(1);
  });
});
