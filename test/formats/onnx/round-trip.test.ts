import { describe, expect, test } from "vitest";
import { onnxBytes } from "../../../src/formats/index.js";
import { parseOnnx } from "../../../src/formats/onnx/wire.js";
import { readOnnx } from "../../../src/formats/onnx/read.js";
import { GraphBuilder } from "../../../src/model/builder.js";
import { equalGraphs } from "../../../src/model/equal.js";
import { Random } from "../../../src/model/random.js";
import { sizeOf, type Attrs, type Graph } from "../../../src/model/types.js";
import { outputsOf, randomInputs, relativeError } from "../support.js";

/** A random network of every operator that can be written, on images and on vectors. */
function randomGraph(seed: number): Graph {
  const r = new Random(seed);
  const b = new GraphBuilder(`random_${seed}`);
  const constant = (name: string, shape: number[], positive = false): string =>
    b.constant(
      name,
      "f32",
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => (positive ? r.next() + 0.5 : r.normal())),
    );
  const pick = <T>(list: readonly T[]): T => list[r.int(list.length)]!;
  const nchw = r.int(2) === 0;
  let x = b.input("x", { dtype: "f32", shape: nchw ? [1, 3, 8, 6] : [1, 8, 6, 3], batchAxis: 0 });
  const add = (op: string, inputs: string[], attrs: Attrs = {}): void => {
    x = b.node(op, inputs, attrs)[0]!;
    last = op;
  };
  let last = "";
  if (nchw) add("transpose", [x], { perm: [0, 2, 3, 1] });
  const earlier: string[] = [];
  const steps = 3 + r.int(8);
  for (let i = 0; i < steps; i++) {
    const { shape } = b.typeOf(x);
    if (shape.length === 4) {
      const [, h, w, c] = shape as [number, number, number, number];
      const strides = [1 + r.int(2), 1 + r.int(2)];
      const pads = [r.int(2), r.int(2), r.int(2), r.int(2)];
      const small = h > 2 && w > 2;
      const choice = r.int(16);
      if (choice < 3 && small) {
        const groups = pick([1, 1, c % 2 === 0 && c > 2 ? 2 : 1]);
        const co = 2 * groups * (1 + r.int(2));
        const bias = r.int(2) === 0 ? [constant("b", [co])] : [];
        const kernel = constant("w", [2, 3, c / groups, co]);
        add("conv2d", [x, kernel, ...bias], { strides, dilations: [1, 1], pads, groups });
      } else if (choice === 3 && small) {
        const m = 1 + r.int(2);
        add("depthwise_conv2d", [x, constant("w", [2, 2, c, m])], { strides, dilations: [1, 1], pads });
      } else if (choice === 4) {
        const parameters = ["gamma", "beta", "mean", "variance"].map((n) => constant(n, [c], n === "variance"));
        add("batch_norm", [x, ...parameters], { epsilon: 0.001 });
      } else if (choice === 5) add(pick(["relu", "relu6", "sigmoid"]), [x]);
      else if (choice === 6 && small) add("max_pool2d", [x], { kernel: [2, 2], strides, pads });
      else if (choice === 7 && small) {
        add("avg_pool2d", [x], { kernel: [2, 2], strides, pads, countIncludePad: r.int(2) === 0 });
      } else if (choice === 8)
        add(pick(["add", "mul"]), [x, constant("k", pick([[c], [w, c], [h, 1, c], [1, 1, 1, c], [1], []]))]);
      else if (choice === 9) {
        const partner = earlier.find((t) => b.typeOf(t).shape.join() === shape.join());
        add("add", partner === undefined ? [x, x] : [x, partner]);
      } else if (choice === 10)
        add("pad", [x], { before: [0, 1, 0, r.int(2)], after: [0, 0, 2, 0], value: pick([0, 0.5]) });
      else if (choice === 11) add("concat", [x, x], { axis: pick([1, 2, 3]) });
      else if (choice === 12) add("softmax", [x], { axis: pick([1, 2, 3]) });
      else if (choice === 13) {
        add("slice", [x], { begin: [0, 0, w > 1 ? 1 : 0, 0], size: [-1, pick([h, -1]), -1, c] });
      } else if (choice === 14 && i > 3) {
        add(pick(["reduce_mean", "reduce_max", "reduce_sum"]), [x], {
          axes: pick([[1, 2], [3], [2]]),
          keepDims: r.int(2) === 0,
        });
      } else if (choice === 15 && i > 3) add("reshape", [x], { shape: [-1, h * w * c] });
      else if (choice === 0 && last !== "transpose") {
        // Two in a row are written as one.
        add("transpose", [x], {
          perm: pick([
            [0, 3, 1, 2],
            [0, 2, 3, 1],
            [0, 2, 1, 3],
          ]),
        });
      }
    } else {
      const k = shape.at(-1)!;
      const bias = r.int(2) === 0 ? [constant("b", [4])] : [];
      if (r.int(3) > 0) add("dense", [x, constant("w", [k, 4]), ...bias]);
      else add(pick(["relu", "sigmoid"]), [x]);
    }
    earlier.push(x);
  }
  b.output(x, "y");
  if (r.int(3) === 0) b.output(pick(earlier), "z");
  return b.build();
}

describe("a graph written as ONNX and read again", () => {
  test("is equal, writes the same bytes, and gives the same numbers", async () => {
    for (let seed = 0; seed < 150; seed++) {
      const graph = randomGraph(seed);
      const bytes = onnxBytes(graph);
      const again = readOnnx(bytes, "again", "again.onnx");
      expect(equalGraphs(graph, again), `seed ${seed}`).toBeNull();
      expect(again.inputs.map((p) => p.name)).toEqual(graph.inputs.map((p) => p.name));
      expect(again.outputs.map((p) => p.name)).toEqual(graph.outputs.map((p) => p.name));
      expect(Buffer.compare(onnxBytes(again), bytes), `seed ${seed}`).toBe(0);
      if (seed % 5 > 0) continue;
      const inputs = randomInputs(graph, seed);
      const [before, after] = [await outputsOf(graph, inputs), await outputsOf(again, inputs)];
      before.forEach((value, i) => {
        expect(Array.from(after[i]!.data as Float32Array)).toEqual(Array.from(value.data as Float32Array));
      });
    }
  });

  test("keeps apart what the reader joins in foreign files: a product and a sum of rank 3", () => {
    const b = new GraphBuilder("apart");
    const x = b.input("x", { dtype: "f32", shape: [1, 5, 3], batchAxis: 0 });
    const [y] = b.node("dense", [x, b.constant("w", "f32", [3, 2], new Float32Array(6).fill(2))]);
    const [z] = b.node("add", [y!, b.constant("c", "f32", [2], Float32Array.of(1, 2))]);
    b.output(z!);
    const graph = b.build();
    expect(equalGraphs(graph, readOnnx(onnxBytes(graph), "n", "f"))).toBeNull();
  });

  test("keeps a depthwise convolution that has one channel left", () => {
    const b = new GraphBuilder("one");
    const x = b.input("x", { dtype: "f32", shape: [1, 4, 4, 1], batchAxis: 0 });
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
    const [y] = b.node(
      "depthwise_conv2d",
      [x, b.constant("w", "f32", [2, 2, 1, 1], new Float32Array(4).fill(1))],
      attrs,
    );
    b.output(y!);
    const graph = b.build();
    expect(readOnnx(onnxBytes(graph), "n", "f").nodes[0]!.op).toBe("depthwise_conv2d");
  });

  test("keeps a batch axis that is not first or holds several elements, and a fixed first extent of 1", () => {
    const b = new GraphBuilder("axes");
    b.input("a", { dtype: "f32", shape: [4, 1], batchAxis: 1 });
    b.input("b", { dtype: "f32", shape: [6, 2], batchAxis: 0 });
    b.input("c", { dtype: "f32", shape: [1, 2], batchAxis: null });
    for (const name of ["a", "b", "c"]) b.output(b.node("relu", [name])[0]!, `${name}_out`);
    const graph = b.build();
    expect(equalGraphs(graph, readOnnx(onnxBytes(graph), "n", "f"))).toBeNull();
  });

  test("names ports as the graph does, whatever the tensors are called", async () => {
    const b = new GraphBuilder("ports");
    const x = b.input("x", { dtype: "f32", shape: [1, 4, 4, 2], batchAxis: 0 });
    const w = b.constant("y", "f32", [1, 1, 2, 2], Float32Array.of(1, 2, 3, 4));
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 };
    const [c] = b.node("conv2d", [x, w], attrs, { outputs: ["out"] });
    const [r] = b.node("relu", [c!]);
    b.output(r!, "y");
    b.output(r!, "z");
    b.output(x, "out");
    const graph = b.build();
    const again = readOnnx(onnxBytes(graph), "n", "f");
    expect(again.outputs.map((p) => p.name)).toEqual(["y", "z", "out"]);
    expect(equalGraphs(graph, again)).toBeNull();
    const inputs = randomInputs(graph, 1);
    const [one, two] = [await outputsOf(graph, inputs), await outputsOf(again, inputs)];
    one.forEach((v, i) => expect(relativeError(two[i]!.data as Float32Array, v.data as Float32Array)).toBe(0));
  });
});

describe("what is written", () => {
  test("has no transposes inside a chain of image operators", () => {
    const b = new GraphBuilder("chain");
    let x = b.input("x", { dtype: "f32", shape: [1, 8, 8, 2], batchAxis: 0 });
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1 };
    for (let i = 0; i < 4; i++) {
      const w = b.constant("w", "f32", [3, 3, 2, 2], new Float32Array(36).fill(0.1));
      const [y] = b.node("conv2d", [x, w], attrs);
      const [z] = b.node("relu", [y!]);
      x = b.node("add", [z!, x])[0]!;
    }
    b.output(x, "y");
    const { graph } = parseOnnx(onnxBytes(b.build()), "f");
    const transposes = graph.nodes.filter((n) => n.opType === "Transpose");
    expect(transposes.map((n) => [n.input[0], n.output[0]])).toEqual([
      ["x", "x/nchw"],
      ["y/nchw", "y"],
    ]);
  });

  test("says which operators have no ONNX form", () => {
    const b = new GraphBuilder("training");
    const x = b.input("x", { dtype: "f32", shape: [1, 3], batchAxis: 0 });
    const [y] = b.node("relu", [x]);
    const [g] = b.node("relu_grad", [x, y!], {}, { name: "gradient" });
    b.output(g!);
    expect(() => onnxBytes(b.build())).toThrowError(
      expect.objectContaining({ code: "E_UNSUPPORTED", message: expect.stringContaining("relu_grad (gradient)") }),
    );
  });
});
