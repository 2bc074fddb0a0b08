import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/host/autodiff.js";
import { evaluateGraph } from "../../src/host/reference.js";
import { GraphBuilder } from "../../src/model/builder.js";
import type { NdArray } from "../../src/model/define-op.js";
import { getOp, opNames } from "../../src/model/ops/index.js";
import { Random } from "../../src/model/random.js";
import { shapeAt, sizeOf, type Graph, type TensorType } from "../../src/model/types.js";
import { drawValues, opCases, type OpCase } from "../support/op-cases.js";
import { randomInputs, randomNetwork } from "../support/networks.js";

const BATCH = 2;
/** Step of the central difference in f64: truncation h^2/6 |f'''| and rounding 1e-16 |f| / h are both below 1e-9. */
const STEP = 1e-5;
const TOLERANCE = 1e-7;

/** loss = sum of y times fixed random numbers: every element of every gradient matters. */
function lossGraph(c: OpCase): Graph {
  const builder = new GraphBuilder(c.op);
  const inputs = c.inputs.map((type, i) => builder.input(`in${i}`, type));
  const [y] = builder.node(c.op, inputs, c.attrs);
  const type = builder.typeOf(y!);
  if (type.shape.length === 0) {
    builder.output(y!, "loss");
    return builder.build();
  }
  const random = new Random(99);
  const shape = type.shape;
  const weights = builder.constant(
    "r",
    "f32",
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
  const scale = type.batchAxis !== null && shape[type.batchAxis] !== 1 ? y! : builder.node("mul", [y!, weights])[0]!;
  const axes = shape.map((_, i) => i);
  builder.output(builder.node("reduce_sum", [scale], { axes, keepDims: false })[0]!, "loss");
  return builder.build();
}

const integral = (type: TensorType | undefined): boolean => type?.dtype !== "f32";
/** Between reals: where there is anything to derive. */
const real = opCases.filter(
  (c) =>
    c.inputs.some((type) => !integral(type)) &&
    !integral(getOp(c.op).infer(c.inputs, getOp(c.op).attrs.parse(c.attrs))[0]),
);
const forward = real.filter((c) => getOp(c.op).vjp ?? getOp(c.op).expand);

describe.each(forward)("gradient of $op, $title", (c) => {
  test("equals the central difference in f64", () => {
    const graph = lossGraph(c);
    const loss = graph.outputs[0]!.tensor;
    const wanted = c.inputs
      .map((_, i) => `in${i}`)
      .filter((_, i) => !c.noGradient?.includes(i) && !integral(c.inputs[i]));
    const { graph: backward, gradients } = differentiate(graph, loss, wanted);
    expect([...gradients.keys()]).toEqual(wanted);
    const values = new Map<string, NdArray>(
      c.inputs.map((type, i) => {
        const data = drawValues(type, c.draw?.[i] ?? "normal", BATCH, 7 * i + 3);
        return [`in${i}`, { data, shape: shapeAt(type, BATCH), dtype: type.dtype }];
      }),
    );
    const result = evaluateGraph(backward, values, BATCH);
    for (const name of wanted) {
      const { data, shape } = values.get(name)!;
      const gradient = result.get(gradients.get(name)!)!;
      expect(gradient.shape).toEqual(shape);
      for (let i = 0; i < data.length; i++) {
        const at = (v: number): number => {
          const moved = data.slice();
          moved[i] = v;
          return evaluateGraph(graph, new Map(values).set(name, { data: moved, shape }), BATCH).get(loss)!.data[0]!;
        };
        const difference = (at(data[i]! + STEP) - at(data[i]! - STEP)) / (2 * STEP);
        const error = Math.abs(gradient.data[i]! - difference);
        expect(error, `${name}[${i}]`).toBeLessThanOrEqual(TOLERANCE * (1 + Math.abs(difference)));
      }
    }
  });
});

test("every operator of source models has a gradient", () => {
  const without = opNames.filter((name) => !getOp(name).vjp && !getOp(name).expand);
  expect(without.filter((name) => !getOp(name).internal)).toEqual([]);
  const [tested, between] = [forward, real].map((cases) => new Set(cases.map((c) => c.op)));
  expect(opNames.filter((name) => getOp(name).vjp && between!.has(name) && !tested!.has(name))).toEqual([]);
});

describe("whole networks", () => {
  test.each([1, 2, 3, 4, 5, 6])("gradients along a random direction, network %i", (seed) => {
    const graph = withLoss(randomNetwork(seed));
    const parameters = [...graph.tensors.values()].filter((t) => t.data && t.name !== "target");
    const loss = graph.outputs.at(-1)!.tensor;
    const { graph: backward, gradients } = differentiate(
      graph,
      loss,
      parameters.map((t) => t.name),
    );
    const inputs = new Map<string, NdArray>();
    const record = randomInputs(graph, seed, BATCH);
    for (const { name, tensor } of graph.inputs) {
      inputs.set(tensor, { data: Float64Array.from(record[name]!.data as Float32Array), shape: record[name]!.shape });
    }
    const result = evaluateGraph(backward, inputs, BATCH);
    const random = new Random(seed);
    const step = 1e-7;
    const direction = new Map(
      parameters.map((t) => [t.name, Float64Array.from(t.data as Float32Array, () => random.normal())]),
    );
    const at = (s: number): number => {
      const moved = new Map(
        parameters.map((t) => [
          t.name,
          Float64Array.from(t.data as Float32Array, (v, i) => v + s * direction.get(t.name)![i]!),
        ]),
      );
      return evaluateGraph(graph, inputs, BATCH, moved).get(loss)!.data[0]!;
    };
    let slope = 0;
    let size = 0;
    for (const t of parameters) {
      const gradient = gradients.get(t.name);
      if (gradient === undefined) continue;
      result.get(gradient)!.data.forEach((g, i) => {
        slope += g * direction.get(t.name)![i]!;
        size += Math.abs(g * direction.get(t.name)![i]!);
      });
    }
    // A step of 1e-7 crosses a kink of relu or max only by chance; rounding is 1e-16 |loss| / step.
    const difference = (at(step) - at(-step)) / (2 * step);
    expect(Math.abs(slope - difference)).toBeLessThanOrEqual(1e-5 * (size + Math.abs(at(0))));
  });
});

/** Adds the mean squared distance of the output from zero-ish targets. */
function withLoss(graph: Graph): Graph {
  const builder = new GraphBuilder(graph.name);
  for (const p of graph.inputs) builder.input(p.name, graph.tensors.get(p.tensor)!.type, p.tensor);
  for (const t of graph.tensors.values()) if (t.data) builder.constant(t.name, t.type.dtype, t.type.shape, t.data);
  for (const n of graph.nodes) builder.node(n.op, n.inputs, n.attrs, { name: n.name, outputs: n.outputs });
  const y = graph.outputs[0]!.tensor;
  const classes = builder.typeOf(y).shape[1]!;
  const target = builder.constant("target", "f32", [1, classes], new Float32Array(classes).fill(0.25));
  const minus = builder.constant("minus", "f32", [], new Float32Array([-1]));
  const gap = builder.node("add", [y, builder.node("mul", [target, minus])[0]!])[0]!;
  const squares = builder.node("mul", [gap, gap])[0]!;
  builder.output(builder.node("reduce_mean", [squares], { axes: [0, 1], keepDims: false })[0]!, "loss");
  return builder.build();
}

describe("differentiate", () => {
  const scalar = (): Graph => {
    const b = new GraphBuilder("g");
    const x = b.input("x", { dtype: "f32", shape: [1, 3], batchAxis: 0 });
    const y = b.node("relu", [x])[0]!;
    const loss = b.node("reduce_sum", [b.node("mul", [y, y])[0]!], { axes: [0, 1], keepDims: false })[0]!;
    b.output(loss, "loss");
    return b.build();
  };

  test("a tensor used twice gets both contributions", () => {
    const g = scalar();
    const { graph, gradients } = differentiate(g, g.outputs[0]!.tensor, ["x"]);
    const input = new Map([["x", { data: new Float64Array([1, -2, 3]), shape: [1, 3] }]]);
    expect([...evaluateGraph(graph, input, 1).get(gradients.get("x")!)!.data]).toEqual([2, 0, 6]);
  });

  test("what the loss does not depend on has no gradient", () => {
    const b = new GraphBuilder("g");
    const x = b.input("x", { dtype: "f32", shape: [2], batchAxis: null });
    const z = b.input("z", { dtype: "f32", shape: [2], batchAxis: null });
    b.output(b.node("reduce_sum", [x], { axes: [0], keepDims: false })[0]!, "loss");
    const g = b.build();
    const { gradients } = differentiate(g, g.outputs[0]!.tensor, [x, z]);
    expect([...gradients.keys()]).toEqual(["x"]);
  });

  test("a loss that is no scalar is refused", () => {
    const g = scalar();
    expect(() => differentiate(g, g.nodes[0]!.outputs[0]!, ["x"])).toThrowError(
      expect.objectContaining({ code: "E_LOSS" }),
    );
  });
});
