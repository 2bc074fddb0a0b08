/**
 * Random graphs of every operator: the reference, the host and the emitted variants agree within what the operators'
 * own tolerances allow. Many independent graphs run as one plan and one module, since compiling takes longest.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createExecutor } from "../../src/host/executor.js";
import { evaluateGraph } from "../../src/host/reference.js";
import type { NdArray } from "../../src/model/define-op.js";
import { toDoubles } from "../../src/model/doubles.js";
import { getOp } from "../../src/model/ops/index.js";
import { Random } from "../../src/model/random.js";
import { shapeAt, type Graph, type Node, type TensorRecord, type TensorValue } from "../../src/model/types.js";
import { evaluateNode, localBounds, propagate } from "../support/random-graph/errors.js";
import { PUBLIC_OPS, randomUnion, seedOf } from "../support/random-graph/index.js";
import { compileGraph } from "./support.js";

const GRAPHS = 2000;
/** Graphs in one module. One module in ten is optimised as packages are, which takes ten times as long to compile. */
const TOGETHER = 50;

const [seeds] = fc.sample(
  fc.uniqueArray(fc.noBias(fc.integer({ min: 0, max: 2 ** 31 - 1 })), { minLength: GRAPHS, maxLength: GRAPHS }),
  { numRuns: 1, seed: 3 },
) as [number[]];
const unions = Array.from({ length: GRAPHS / TOGETHER }, (_, i) => seeds.slice(i * TOGETHER, (i + 1) * TOGETHER));

const occurrences = new Map<string, number>();
const seen = { graphs: 0, outputs: 0, undecided: 0 };

function toArray({ data, shape, dtype }: TensorValue): NdArray {
  return { data: toDoubles(data), shape, dtype };
}

/** Every tensor of the graph has the shape that inference states. */
function expectShapes(
  graph: Graph,
  values: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: ArrayLike<unknown> }>,
  batch: number,
): void {
  for (const [name, { type }] of graph.tensors) {
    const { shape, data } = values.get(name)!;
    const stated = shapeAt(type, batch);
    expect(shape, name).toEqual(stated);
    expect(data.length, name).toBe(stated.reduce((n, d) => n * d, 1));
  }
}

/** Each node's result on the host is the exact one of the operands that the host had, within the operator's tolerance. */
async function expectEveryNode(graph: Graph, inputs: TensorRecord, batch: number): Promise<void> {
  const executor = createExecutor("wasm", graph);
  const computed = graph.nodes.flatMap((node) => node.outputs);
  const observed = await executor.observe(inputs, computed);
  await executor.close();
  const host = new Map([...observed].map(([name, value]) => [name, toArray(value)]));
  for (const [name, value] of Object.entries(inputs)) host.set(name, toArray(value));
  for (const [name, { data, type }] of graph.tensors) if (data) host.set(name, toArray({ data, ...type }));
  expectShapes(graph, host, batch);
  for (const node of graph.nodes) {
    expectBatch(graph, node, batch);
    expectNode(graph, node, host, batch);
  }
}

/** Operands of the larger batch as fixed extents give the result's type that the open batch states. */
function expectBatch(graph: Graph, { op, name, attrs, inputs, outputs }: Node, batch: number): void {
  const fixed = inputs.map((input) => {
    const { type } = graph.tensors.get(input)!;
    return { ...type, shape: shapeAt(type, batch), batchAxis: null };
  });
  getOp(op)
    .infer(fixed, attrs)
    .forEach(({ shape, dtype }, k) => {
      const { type } = graph.tensors.get(outputs[k]!)!;
      expect({ shape, dtype }, `${op} ${name}`).toEqual({ shape: shapeAt(type, batch), dtype: type.dtype });
    });
}

function expectNode(graph: Graph, node: Node, host: ReadonlyMap<string, NdArray>, batch: number): void {
  const operands = node.inputs.map((name) => host.get(name)!);
  const exact = evaluateNode(graph, node, operands, batch);
  const allowed = localBounds(graph, node, operands, exact, batch);
  exact.forEach(({ data }, k) => {
    const got = host.get(node.outputs[k]!)!.data;
    data.forEach((v, i) => {
      if (Math.abs(got[i]! - v) <= allowed[k]![i]!) return;
      if (onTheEdge(node, operands, got[i]!, v)) return;
      expect.fail(
        `${node.op} ${JSON.stringify(node.attrs)} of ${JSON.stringify(node.inputs.map((name) => graph.tensors.get(name)!.type))}, seed ${seedOf(node.name)}: element ${i} of ${node.outputs[k]} is ${got[i]} on the host instead of ${v}, allowed ${allowed[k]![i]}`,
      );
    });
  });
}

/** The quotient of `floor_div` is rounded to f32 before it is rounded down. */
function onTheEdge({ op }: Node, operands: readonly NdArray[], got: number, exact: number): boolean {
  return op === "floor_div" && operands[0]!.dtype === "f32" && got === exact + 1 && Math.abs(exact) < 2 ** 20;
}

/** Operators that add in an order of the plan's choosing, which packages and the host choose for themselves. */
const SUMMING = new Set([
  ...["conv2d", "conv_transpose2d", "depthwise_conv2d", "dense", "matmul", "batch_norm", "layer_norm", "group_norm"],
  ...["reduce_sum", "reduce_mean", "reduce_prod", "softmax"],
]);

/** Tensors that hang on such an operator. */
function sums(graph: Graph): Set<string> {
  const found = new Set<string>();
  for (const { op, inputs, outputs } of graph.nodes) {
    if (SUMMING.has(op) || inputs.some((name) => found.has(name))) outputs.forEach((name) => found.add(name));
  }
  return found;
}

function bits({ data }: TensorValue): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** Outputs of the host and of every variant at batch 1, and the strict one's bits are the host's where no order of sums is free. */
async function expectOutputs(graph: Graph, inputs: TensorRecord, optimise: boolean): Promise<void> {
  const exact = evaluateGraph(graph, new Map(Object.entries(inputs).map(([name, v]) => [name, toArray(v)])), 1);
  expectShapes(graph, exact, 1);
  const executor = createExecutor("wasm", graph);
  const host = await executor.run(inputs);
  await executor.close();
  // By the operators' own sums; Winograd's method has other bounds (winograd.test.ts).
  const runners = await compileGraph(graph, ["simd", "relaxed", "scalar"], optimise, "off");
  expect(runners.length).toBe(3);

  const bySeed = new Map<string, Node[]>();
  for (const node of graph.nodes) bySeed.set(seedOf(node.name), [...(bySeed.get(seedOf(node.name)) ?? []), node]);
  const limits = [...bySeed].map(([seed, nodes]) => propagate(graph, nodes, exact, 1, new Random(Number(seed))));
  const allowed = new Map(limits.flatMap((l) => [...l.allowed]));
  const undecided = new Set(limits.flatMap((l) => [...l.undecided]));

  const compare = (who: string, results: Readonly<Record<string, TensorValue>>): void => {
    for (const { name, tensor } of graph.outputs) {
      expect(results[name]!.shape, `${name} (${who})`).toEqual(exact.get(tensor)!.shape);
      if (undecided.has(tensor)) continue;
      const got = toDoubles(results[name]!.data);
      const limit = (allowed.get(tensor) ?? 0) + 1e-28;
      exact.get(tensor)!.data.forEach((v, i) => {
        if (!(Math.abs(got[i]! - v) <= limit)) {
          expect.fail(`${name}[${i}] is ${got[i]} (${who}) instead of ${v}, allowed ${limit}`);
        }
      });
    }
  };
  compare("host", host);
  // Twice: the second run meets memory that the first has used.
  for (const runner of [...runners, ...runners]) compare(runner.variant, runner.run(inputs));
  const strict = runners.find(({ variant }) => variant === "simd")!.run(inputs);
  const scalar = runners.find(({ variant }) => variant === "scalar")!.run(inputs);
  const summed = sums(graph);
  for (const { name, tensor } of graph.outputs) {
    expect(bits(scalar[name]!), `${name} (scalar against strict)`).toEqual(bits(strict[name]!));
    if (!summed.has(tensor)) expect(bits(strict[name]!), `${name} (strict against host)`).toEqual(bits(host[name]!));
  }
  seen.outputs += graph.outputs.length;
  seen.undecided += graph.outputs.filter(({ tensor }) => undecided.has(tensor)).length;
}

describe("random graphs of all operators", () => {
  test.each(unions.map((list, i) => [i, list] as const))(
    "part %i: reference, host and packages agree",
    async (i, list) => {
      const { graph, inputs, batches, counts } = randomUnion(list, 2 + (i % 2));
      for (const [op, n] of counts) occurrences.set(op, (occurrences.get(op) ?? 0) + n);
      seen.graphs += list.length;
      await expectEveryNode(graph, inputs[1], batches[1]);
      await expectOutputs(graph, inputs[0], i % 10 === 0);
    },
    180_000,
  );

  test("every operator that a file may hold occurs, and few outputs hang on a rounding", () => {
    expect(seen.graphs).toBe(GRAPHS);
    const rare = PUBLIC_OPS.filter((op) => !((occurrences.get(op) ?? 0) >= 20));
    expect(rare).toEqual([]);
    expect(seen.undecided).toBeLessThan(0.02 * seen.outputs);
  });
});
