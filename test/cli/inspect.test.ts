import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Outcome } from "../../src/cli/command.js";
import { build, buildOptions } from "../../src/cli/commands/build.js";
import { inspect } from "../../src/cli/commands/inspect.js";
import { describeModel } from "../../src/cli/describe-model.js";
import { readOptions } from "../../src/cli/options.js";
import { parseCommand } from "../../src/cli/parse.js";
import { loadDevice } from "../../src/build/targets.js";
import { planEmission } from "../../src/emit/index.js";
import { readModel, writeModel } from "../../src/formats/index.js";
import { GraphBuilder } from "../../src/model/builder.js";
import { Random } from "../../src/model/random.js";
import type { Quantisation } from "../../src/model/types.js";
import { exportNchw } from "../support/nchw.js";
import { Net } from "../support/networks.js";
import { describeWithData } from "../support/shared-data.js";

const folder = mkdtempSync(path.join(tmpdir(), "idap-inspect-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, "net.onnx");

/** A residual network of NCHW images with batch norms, one of which another node reads. */
function network() {
  const net = new Net(new Random(1), "net");
  const x = net.relu(net.norm(net.conv(net.input([8, 8, 3], "image"), 4)));
  const y = net.conv(x, 4, 1);
  const sum = net.relu(net.add(net.add(net.norm(y), y), x));
  return exportNchw(net.build(net.dense(net.globalMean(sum), 5)));
}

beforeAll(() => writeModel(network(), file, "onnx"));

async function run(...words: string[]): Promise<Outcome> {
  const { args, values } = parseCommand(inspect.spec, words);
  return inspect.run({ args, values, progress: undefined as never });
}

describe("idap inspect", () => {
  test("--memory draws every buffer of the plan, and no two that live at once overlap", async () => {
    const svg = path.join(folder, "plan.svg");
    await run(file, "--memory", svg);
    const text = readFileSync(svg, "utf8");
    expect(text).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    // Titles say what is drawn; the numbers of a rectangle are where.
    const { memory, kernels } = planEmission(await readModel(file));
    const boxes = [
      ...text.matchAll(
        /<rect\s[^>]*?x="([\d.]+)"\s+y="([\d.]+)"\s+width="([\d.]+)"\s+height="([\d.]+)"[^>]*>\s*<title>[^<]*: (\d+) bytes at (\d+), steps (\d+) to (\d+)</g,
      ),
    ].map((m) => m.slice(1).map(Number));
    expect(boxes.map(([, , , , bytes, offset]) => [bytes, offset])).toEqual(
      memory.buffers.map((b) => [b.bytes, b.offset]),
    );
    for (const [i, a] of boxes.entries()) {
      expect(a[6]).toBeLessThanOrEqual(a[7]!);
      expect(a[7]).toBeLessThan(kernels.layers.length);
      for (const b of boxes.slice(0, i)) {
        const apart = (k: number, size: number): boolean =>
          a[k]! + a[size]! <= b[k]! + 0.01 || b[k]! + b[size]! <= a[k]! + 0.01;
        expect(apart(0, 2) || apart(1, 3)).toBe(true);
      }
    }
    // Opening and closing tags match: it is XML.
    const open: string[] = [];
    for (const [, close, name, self] of text.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (close) expect(open.pop()).toBe(name);
      else if (!self) open.push(name!);
    }
    expect(open).toEqual([]);
  });

  test("counts operators, says where they run and what emission folds", async () => {
    const { json, text } = await run(file);
    expect(json).toMatchObject({
      name: "net",
      inputs: [{ name: "image", type: "f32 [n, 3, 8, 8]", dtype: "f32", shape: [1, 3, 8, 8], batchAxis: 0 }],
      outputs: [{ dtype: "f32", shape: [1, 5], batchAxis: 0 }],
      macs: 64 * (27 * 4 + 16) + 20,
      params: 108 + 4 + 16 + 4 + 20 + 5 + 4 * 8,
      quantisation: null,
      emission: {
        supported: true,
        reason: null,
        batchNorms: { folded: 1, multiplied: 1 },
        constantNodes: 0,
        transposes: { model: 1, emitted: 1 },
        // The activation of the first convolution, the flattening mean is a step of its own.
        aliases: 1,
      },
    });
    const { operators, nodes, emission } = json as ReturnType<typeof describeModel>;
    expect(operators.find((o) => o.op === "conv2d")).toMatchObject({
      count: 2,
      macs: 64 * (27 * 4 + 16),
      device: true,
    });
    expect(operators.reduce((sum, o) => sum + o.count, 0)).toBe(nodes.length);
    expect(operators.reduce((sum, o) => sum + o.macs, 0)).toBe((json as { macs: number }).macs);
    expect(operators.find((o) => o.op === "batch_norm")).toMatchObject({ count: 2, device: true, folded: true });
    expect(emission.steps).toBeLessThan(nodes.length);
    expect(text).toMatch(/inputs {3}image f32 \[n, 3, 8, 8\]/);
    expect(text).toMatch(/1 batch norm folded, 1 batch norm as product and sum, 1 of 1 transpose left/);
    expect(text).toMatch(/conv2d +2 .*host, device/);
  });

  test("groups of channels on request", async () => {
    expect((await run(file)).json).not.toHaveProperty("groups");
    const { groups } = (await run(file, "--groups")).json as { groups: { cuttable: number }[] };
    expect(groups.some((g) => g.cuttable > 0)).toBe(true);
  });

  test("scales of a quantised model: of its ports, weights and activations", () => {
    const scale = (axis: number | null, n = 1): Quantisation => {
      return { dtype: "i8", scale: new Array<number>(n).fill(0.5), zeroPoint: [3], axis };
    };
    const b = new GraphBuilder("quantised");
    const q = b.input("q", { dtype: "i8", shape: [1, 4], batchAxis: 0 });
    const x = b.node("dequantize", [q], { scale: [0.5], zeroPoint: [3], axis: null })[0]!;
    b.annotate(x, scale(null));
    const w = b.constant("w", "f32", [4, 2], new Float32Array(8), scale(1, 2));
    const y = b.node("dense", [x, w])[0]!;
    b.output(b.node("quantize", [y], { dtype: "i8", scale: [0.25], zeroPoint: [0], axis: null })[0]!, "y");
    const description = describeModel(b.build(), null, loadDevice("node-generic"));
    expect(description.quantisation).toEqual({ dtypes: ["i8"], weights: 1, activations: 1, perChannel: 1 });
    expect(description.inputs[0]).toMatchObject({ dtype: "i8", quantisation: { scale: [0.5], zeroPoint: [3] } });
    expect(description.outputs[0]).toMatchObject({ dtype: "i8", quantisation: { scale: [0.25], zeroPoint: [0] } });
  });

  test("what cannot be emitted is said, with the reason", () => {
    const b = new GraphBuilder("backward");
    const x = b.input("x", { dtype: "f32", shape: [1, 4], batchAxis: 0 });
    b.output(b.node("relu_grad", [x, x])[0]!, "y");
    const { emission } = describeModel(b.build(), null, loadDevice("node-generic"));
    expect(emission).toMatchObject({ supported: false, reason: expect.stringMatching(/no kernel for .*relu_grad/) });
  });
});

describe("--batch and --shape", () => {
  test("become the reader's options, in every command that reads a model", () => {
    const words = ["m.onnx", "--batch", "4", "--shape", "image=1,3,224,224", "--shape", "a=b:0=2x5"];
    const wanted = { batch: 4, shapes: { image: [1, 3, 224, 224], "a=b:0": [2, 5] } };
    expect(readOptions(parseCommand(inspect.spec, words).values as never)).toEqual(wanted);
    expect(buildOptions("m.onnx", parseCommand(build.spec, words).values as never).read).toEqual(wanted);
    expect(readOptions({ batch: 1, shape: [] })).toEqual({ batch: 1 });
  });

  test.each(["image", "=1,2", "image=", "image=1,0", "image=1,-3", "image=1,2.5", "image=1,,2", "image=n,3"])(
    "%s is no shape",
    (text) => {
      expect(() => readOptions({ batch: 1, shape: [text] })).toThrowError(
        expect.objectContaining({ code: "E_OPTION", message: expect.stringContaining(text) as string }),
      );
    },
  );

  test("an input has one shape", () => {
    expect(() => readOptions({ batch: 1, shape: ["x=1", "x=2"] })).toThrowError(/twice for the input x/);
  });
});

describeWithData("real models", ["models/coral/mobilenet_v1_0.25_128_quant.tflite"], ([model]) => {
  test("a quantised one: its scales, and nothing that cannot be emitted", async () => {
    const { json, text } = await run(model!);
    const { quantisation, emission, inputs } = json as ReturnType<typeof describeModel>;
    expect(quantisation!.weights).toBeGreaterThan(30);
    expect(emission.supported).toBe(true);
    expect(inputs[0]).toMatchObject({ dtype: "u8", quantisation: { zeroPoint: [128] } });
    expect(text).toMatch(/scales .* weights and .* activations/);
  });
});
