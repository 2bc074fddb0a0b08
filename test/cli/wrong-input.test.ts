import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeModel } from "../../src/formats/index.js";
import { GraphBuilder } from "../../src/model/builder.js";
import { cifarFile, idxFile } from "../data/files.js";
import { describeWithData } from "../support/shared-data.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** A folder for all tests of this file, with a model for CIFAR-10 shapes in it. */
const folder = mkdtempSync(path.join(tmpdir(), "idap-cli-"));
const at = (name: string): string => path.join(folder, name);
const put = (name: string, content: Uint8Array | string): string => {
  writeFileSync(at(name), content);
  return at(name);
};

beforeAll(async () => {
  if (!existsSync(main)) throw new Error("dist is missing: npm run build");
  const b = new GraphBuilder("tiny");
  const x = b.input("image", { dtype: "f32", shape: [1, 32, 32, 3], batchAxis: 0 });
  const w = b.constant("w", "f32", [3, 3, 3, 4], new Float32Array(108).fill(0.01));
  const conv = { strides: [4, 4], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1 };
  const [y] = b.node("conv2d", [x, w], conv);
  const [m] = b.node("reduce_mean", [y!], { axes: [1, 2], keepDims: false });
  const d = b.constant("d", "f32", [4, 10], new Float32Array(40).fill(0.5));
  const [scores] = b.node("dense", [m!, d], {});
  b.output(scores!, "scores");
  await writeModel(b.build(), at("tiny.onnx"), "onnx");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function idap(...words: string[]): Run {
  return spawnSync(process.execPath, [main, ...words], { cwd: folder, encoding: "utf8", input: "" });
}

/** One clear sentence and exit code 1, the same as one JSON document; no stack; nothing written. */
function expectRefused(words: string[], code: string, message: RegExp): void {
  const before = readdirSync(folder).sort();
  const run = idap(...words, "--json", "--quiet");
  expect(run.status, run.stderr).toBe(1);
  const errors = run.stderr.split("\n").filter((l) => l.startsWith("error: "));
  expect(errors, run.stderr).toHaveLength(1);
  expect(errors[0]).toMatch(message);
  expect(run.stderr).not.toMatch(/^\s+at /m);
  expect(JSON.parse(run.stdout)).toMatchObject({ error: { code, message: errors[0]!.slice("error: ".length) } });
  expect(readdirSync(folder).sort()).toEqual(before);
}

describe("wrong input: one clear sentence, exit code 1, nothing half-written", () => {
  const build = (...rest: string[]): string[] => ["build", at("tiny.onnx"), "--out", at("never"), ...rest];

  test("missing file", () => {
    expectRefused(["build", at("none.tflite"), "--out", at("never")], "E_FILE", /none\.tflite/);
    expectRefused(["inspect", at("none.onnx")], "E_FILE", /none\.onnx/);
  });

  test("a text file named .tflite", () => {
    const file = put("text.tflite", "version https://example.com/pointer\nsize 12\n");
    expectRefused(["build", file, "--out", at("never")], "E_FORMAT", /text\.tflite/);
    expectRefused(["inspect", file], "E_FORMAT", /text\.tflite/);
  });

  test("a calibration that cannot end in a profile is refused before it begins", () => {
    const calibrate = (file: string, ...rest: string[]): string[] => ["measure", at(file), "--calibrate", ...rest];
    expectRefused(calibrate("phone"), "E_OPTION", /phone is no name of one/);
    expectRefused(calibrate("nowhere/phone.json"), "E_OPTION", /no folder .*nowhere/);
    expectRefused(calibrate("phone.json", "--profile"), "E_OPTION", /networks of its own/);
    expectRefused(calibrate("phone.json", "--serve", "--devices", "2"), "E_OPTION", /one device/);
  });

  test("a cut .onnx", () => {
    const whole = readFileSync(at("tiny.onnx"));
    expectRefused(["inspect", put("cut.onnx", whole.subarray(0, whole.length - 40))], "E_FORMAT", /cut\.onnx/);
  });

  test("operators that are not supported: all at once, with their nodes", () => {
    const layer = (name: string, class_name: string, from: string | null, config: object = {}) => ({
      name,
      class_name,
      config: { name, ...config },
      inbound_nodes: from === null ? [] : [[[from, 0, 0, {}]]],
    });
    const model = {
      format: "layers-model",
      modelTopology: {
        keras_version: "2.15.0",
        model_config: {
          class_name: "Functional",
          config: {
            name: "odd",
            layers: [
              layer("in", "InputLayer", null, { batch_input_shape: [null, 8, 4], dtype: "float32" }),
              layer("first_memory", "ConvLSTM1D", "in", { filters: 4 }),
              layer("noise", "AlphaDropoutNobodyKnows", "first_memory"),
              layer("second_memory", "ConvLSTM1D", "noise", { filters: 4 }),
            ],
            input_layers: [["in", 0, 0]],
            output_layers: [["second_memory", 0, 0]],
          },
        },
      },
      weightsManifest: [],
    };
    const file = put("odd.json", JSON.stringify(model));
    expectRefused(
      ["inspect", file],
      "E_UNSUPPORTED",
      /ConvLSTM1D.*first_memory.*second_memory.*AlphaDropoutNobodyKnows.*noise/,
    );
    expectRefused(["build", file, "--out", at("never")], "E_UNSUPPORTED", /first_memory/);
  });

  test("an unknown target and an unknown device, and which there are", () => {
    expectRefused(build("--target", "wasn", "--no-prune"), "E_TARGET", /"wasn"/);
    expectRefused(build("--device", "my-phone", "--no-prune"), "E_DEVICE", /"my-phone"/);
    expect(idap(...build("--target", "wasn", "--no-prune")).stderr).toMatch(/hint: .*wasm/);
    expect(idap(...build("--device", "my-phone", "--no-prune")).stderr).toMatch(/hint: .*node-generic/);
  });

  test("no data folder, and one with no data", () => {
    const empty = mkdtempSync(at("empty-"));
    writeFileSync(path.join(empty, "readme.txt"), "nothing here");
    expectRefused(build("--data", at("no-such-folder")), "E_DATA_MISSING", /no-such-folder/);
    expectRefused(build("--data", empty), "E_DATA_EMPTY", /no data that is understood/);
  });

  test("images whose shape does not fit the model", () => {
    const data = mkdtempSync(at("grey-"));
    writeFileSync(path.join(data, "train-images"), idxFile([20, 28, 28], new Uint8Array(20 * 784)));
    writeFileSync(
      path.join(data, "train-labels"),
      idxFile(
        [20],
        Uint8Array.from({ length: 20 }, (_, i) => i % 10),
      ),
    );
    expectRefused(build("--data", data), "E_DATA_SHAPE", /\[28, 28, 1\].*\[32, 32, 3\]/);
  });

  test("a label outside the classes", () => {
    const data = mkdtempSync(at("label-"));
    writeFileSync(path.join(data, "data_batch_1.bin"), cifarFile([0, 1, 12]));
    expectRefused(build("--data", data), "E_DATA_LABEL", /sample 2 has label 12/);
  });

  test.each([
    [["--max-drop", "-1"], /--max-drop needs a number of at least 0.*got -1/],
    [["--max-drop", "much"], /got much/],
    [["--seed", "-3"], /--seed/],
    [["--device", "node-generic=0"], /--device/],
    [["--normalize", "1/0"], /--normalize/],
    [["--criterion"], /--criterion needs a value/],
    [["--learning-rate", "fast"], /--learning-rate must be auto or a number above 0, got fast/],
    [["--learning-rate", "0"], /got 0/],
    [["--max-dorp", "1"], /no option --max-dorp/],
  ])("%j", (words, message) => expectRefused(build(...words), "E_OPTION", message));

  test("an unknown criterion, and which there are", () => {
    const data = mkdtempSync(at("ok-"));
    writeFileSync(path.join(data, "data_batch_1.bin"), cifarFile(Array.from({ length: 60 }, (_, i) => i % 10)));
    expectRefused(build("--data", data, "--criterion", "luck"), "E_CRITERION", /"luck"/);
  });

  test("pruning without data", () => {
    expectRefused(build(), "E_DATA", /needs samples/);
  });

  test("an output folder that is not ours to overwrite is left as it was", () => {
    const mine = mkdtempSync(at("mine-"));
    writeFileSync(path.join(mine, "thesis.txt"), "years of work");
    expectRefused(["build", at("tiny.onnx"), "--no-prune", "--out", mine], "E_OUT_NOT_OURS", /mine-.*not overwritten/);
    expect(readdirSync(mine)).toEqual(["thesis.txt"]);
    const file = put("taken", "a file");
    expectRefused(["build", at("tiny.onnx"), "--no-prune", "--out", file], "E_OUT_NOT_OURS", /taken/);
  });

  test("a folder that is no package", () => {
    expectRefused(["measure", folder], "E_NO_PACKAGE", /no package/);
    expectRefused(["verify", at("nowhere")], "E_NO_PACKAGE", /nowhere/);
  });

  test("unknown command", () => expectRefused(["biuld", "x"], "E_COMMAND", /no command biuld/));
});

describe("right input", () => {
  test("inspect prints text, or exactly one document", () => {
    const text = idap("inspect", at("tiny.onnx"), "--groups");
    expect(text, text.stderr).toMatchObject({ status: 0, stderr: "" });
    expect(text.stdout).toMatch(/conv2d/);
    const json = idap("inspect", at("tiny.onnx"), "--groups", "--json");
    const document = JSON.parse(json.stdout) as { macs: number; groups: unknown[] };
    // 8 x 8 positions of 27 x 4 multiplications, then 4 x 10.
    expect(document.macs).toBe(64 * 108 + 40);
    expect(document.groups.length).toBeGreaterThan(0);
  });

  test("help and version go to stdout with exit code 0", () => {
    expect(idap()).toMatchObject({ status: 0, stderr: "" });
    expect(idap("build", "--help").stdout).toMatch(/--max-drop <points>/);
    expect(idap("--version").stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describeWithData("a truncated real .tflite", ["models/mlperf-tiny/pretrainedResnet.tflite"], ([file]) => {
  test.each([0.999, 0.5, 0.01])("%d of the file", (share) => {
    const whole = readFileSync(file!);
    const cut = put(`cut${share}.tflite`, whole.subarray(0, Math.floor(whole.length * share)));
    expectRefused(["inspect", cut], "E_FORMAT", /cut.*\.tflite/);
    expectRefused(["build", cut, "--no-prune", "--out", at("never")], "E_FORMAT", /cut.*\.tflite/);
  });
});
