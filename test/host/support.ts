/** Comparing the wasm executor with the reference. */
import { expect } from "vitest";
import { createExecutor, type ExecutorOptions } from "../../src/host/executor.js";
import { evaluateGraph } from "../../src/host/reference.js";
import { GraphBuilder } from "../../src/model/builder.js";
import type { NdArray } from "../../src/model/define-op.js";
import type { AttentionAttrs } from "../../src/model/ops/attention.js";
import { fromDoubles, toDoubles } from "../../src/model/doubles.js";
import { getOp } from "../../src/model/ops/index.js";
import { shapeAt, sizeOf, type Attrs, type Graph, type TensorRecord, type TensorValue } from "../../src/model/types.js";
import { drawValues, type OpCase } from "../support/op-cases.js";

/** One rounding to f32. */
export const ROUNDING = 2 ** -24;

/** The graph of one operator whose operands are all inputs. */
export function graphOf(c: OpCase): Graph {
  const builder = new GraphBuilder(c.op);
  const inputs = c.inputs.map((type, i) => builder.input(`in${i}`, type));
  builder.node(c.op, inputs, c.attrs).forEach((name, i) => builder.output(name, `out${i}`));
  return builder.build();
}

/** The same with the operands at `constants` as constants of the graph. */
export function graphWithConstants(c: OpCase, seed: number, constants: readonly number[]): Graph {
  const builder = new GraphBuilder(c.op);
  const inputs = c.inputs.map((type, i) =>
    constants.includes(i)
      ? builder.constant(
          `c${i}`,
          "f32",
          type.shape,
          Float32Array.from(drawValues(type, c.draw?.[i] ?? "normal", 1, seed + i)),
        )
      : builder.input(`in${i}`, type),
  );
  builder.node(c.op, inputs, c.attrs).forEach((name, i) => builder.output(name, `out${i}`));
  return builder.build();
}

export function operandsOf(c: OpCase, batch: number, seed: number): NdArray[] {
  return c.inputs.map((type, i) => ({
    data: drawValues(type, c.draw?.[i] ?? "normal", batch, seed + i),
    shape: shapeAt(type, batch),
    dtype: type.dtype,
  }));
}

export function toRecord(values: readonly NdArray[]): TensorRecord {
  return Object.fromEntries(
    values.map(({ data, shape, dtype = "f32" }, i) => [`in${i}`, { data: fromDoubles(data, dtype), shape, dtype }]),
  );
}

/**
 * Largest error that `c` may have in each element of each output: the operator's roundings times the size of its terms,
 * which is the operator applied to absolute values (for those that are sums of products) or the largest result.
 */
export function bounds(
  c: OpCase,
  values: readonly NdArray[],
  exact: readonly NdArray[],
  batch: number,
): Float64Array[] {
  const op = getOp(c.op);
  const attrs = op.attrs.parse(c.attrs) as never;
  const types = values.map(({ shape, dtype = "f32" }) => ({ dtype, shape, batchAxis: null }));
  const tolerance = op.tolerance(types, attrs);
  if (tolerance.kind === "exact") return exact.map(({ data }) => new Float64Array(data.length));
  const sizes = termSizes(c.op, values, attrs, exact);
  return exact.map(({ data, dtype = "f32" }, k) =>
    data.map((_, i) => (dtype === "f32" ? tolerance.count * ROUNDING * sizes[k]![i]! + 1e-30 * batch : 0)),
  );
}

/** For each element of each result the size of the terms that it is made of. */
function termSizes(
  op: string,
  values: readonly NdArray[],
  attrs: never,
  exact: readonly NdArray[],
): readonly Float64Array[] {
  const absolute = values.map(({ data, shape }) => ({ data: data.map(Math.abs), shape }));
  const shapes = exact.map(({ shape }) => shape);
  const reference = (operands: readonly NdArray[]): Float64Array[] =>
    getOp(op)
      .reference(operands, attrs, shapes)
      .map(({ data }) => data);
  if (LINEAR.has(op)) return reference(absolute);
  if (op === "batch_norm") {
    const [x, gamma, beta, mean, variance] = absolute as [NdArray, NdArray, NdArray, NdArray, NdArray];
    return reference([x, gamma, beta, { ...mean, data: mean.data.map((v) => -v) }, variance]);
  }
  // Where terms may cancel and are not known, the largest result stands for their size.
  const factor = CONDITION[op] ?? 1;
  const least = TERMS[op]?.(values, attrs) ?? 0;
  return exact.map(({ data }) => data.map(() => 0).fill(Math.max(factor * largestOf(data), least)));
}

function largestOf(data: Float64Array): number {
  return data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
}

/** Operators that are sums of products of their operands, so that their terms are those of the absolute operands. */
const LINEAR = new Set([
  "conv2d",
  "conv_transpose2d",
  "conv2d_grad_input",
  "conv2d_grad_weight",
  "depthwise_conv2d",
  "depthwise_conv2d_grad_input",
  "depthwise_conv2d_grad_weight",
  "dense",
  "matmul",
  "add",
  "mul",
  "avg_pool2d",
  "avg_pool2d_grad",
  "reduce_mean",
  "reduce_sum",
  "reduce_mean_grad",
  "cumsum",
]);

/** Terms of these may be this much larger than the largest result (means and differences cancel). */
const CONDITION: Readonly<Record<string, number>> = {
  batch_norm_train: 4,
  batch_norm_grad: 8,
};

/** The size of terms that the largest result does not show, because they cancel in all of them. */
const TERMS: Readonly<Record<string, (values: readonly NdArray[], attrs: Attrs) => number>> = {
  gelu: ([x]) => largestOf(x!.data),
  hard_swish: ([x]) => largestOf(x!.data),
  hard_sigmoid: ([x], { alpha, beta }) => (alpha as number) * largestOf(x!.data) + Math.abs(beta as number),
  elu: (_, { alpha }) => alpha as number,
  selu: (_, { alpha, gamma }) => (alpha as number) * (gamma as number),
  floor_mod: ([, b]) => largestOf(b!.data),
  // Cubic weights are negative in places: the sizes of all along one axis sum to less than 2.
  resize: ([x], { mode }) => (mode === "cubic" ? 4 : 1) * largestOf(x!.data),
  attention: (values, attrs) => attentionTerms(values, attrs as unknown as AttentionAttrs),
  layer_norm: (values, { axis, epsilon }) => {
    const run = sizeOf(values[0]!.shape.slice(axis as number));
    return normTerms(values, (p) => Math.floor(p / run), epsilon as number);
  },
  group_norm: (values, { groups, epsilon }) => {
    const { shape } = values[0]!;
    const channels = shape[shape.length - 1]!;
    const sample = sizeOf(shape.slice(1));
    const group = (p: number): number => Math.floor(((p % channels) * (groups as number)) / channels);
    return normTerms(values, (p) => Math.floor(p / sample) * channels + group(p), epsilon as number);
  },
};

/** max(1, S) * largest |v|, S the largest sum of |scale q k| + |mask| (see `attention`). */
function attentionTerms([q, k, v, mask]: readonly NdArray[], { heads, scale }: AttentionAttrs): number {
  const size = q!.shape[2]! / heads;
  let most = 0;
  for (let i = 0; i < q!.data.length; i += size)
    for (let j = 0; j < k!.data.length; j += size) {
      let sum = 0;
      for (let l = 0; l < size; l++) sum += Math.abs(q!.data[i + l]! * k!.data[j + l]!);
      most = Math.max(most, sum);
    }
  return Math.max(1, Math.abs(scale) * most + (mask ? largestOf(mask.data) : 0)) * largestOf(v!.data);
}

/** |gamma| (|x - mean| + mean of |x|) / deviation + |beta|, the largest of each in all runs (see `normRoundings`). */
function normTerms([x, gamma, beta]: readonly NdArray[], runOf: (p: number) => number, epsilon: number): number {
  const runs = new Map<number, number[]>();
  x!.data.forEach((v, p) => runs.set(runOf(p), [...(runs.get(runOf(p)) ?? []), v]));
  const mean = (list: readonly number[]): number => list.reduce((sum, v) => sum + v, 0) / list.length;
  const terms = [...runs.values()].map((list) => {
    const centre = mean(list);
    const deviation = Math.sqrt(mean(list.map((v) => (v - centre) ** 2)) + epsilon);
    return (Math.max(...list.map((v) => Math.abs(v - centre))) + mean(list.map(Math.abs))) / deviation;
  });
  return Math.max(...terms) * (gamma ? largestOf(gamma.data) : 1) + (beta ? largestOf(beta.data) : 0);
}

/** Runs `c` in the wasm executor and expects every element within its bound of the reference. */
export async function expectCase(c: OpCase, batch: number, seed: number, options: ExecutorOptions = {}): Promise<void> {
  const graph = graphOf(c);
  const values = operandsOf(c, batch, seed);
  const reference = evaluateGraph(graph, new Map(values.map((v, i) => [`in${i}`, v])), batch);
  const exact = graph.outputs.map(({ tensor }) => reference.get(tensor)!);
  const executor = createExecutor("wasm", graph, options);
  const got = await executor.run(toRecord(values));
  await executor.close();
  const allowed = bounds(c, values, exact, batch);
  graph.outputs.forEach(({ name }, k) => {
    expect(got[name]!.shape).toEqual(exact[k]!.shape);
    const data = toDoubles(got[name]!.data);
    for (let i = 0; i < data.length; i++) {
      const error = Math.abs(data[i]! - exact[k]!.data[i]!);
      if (!(error <= allowed[k]![i]!)) {
        expect.fail(
          `${c.op} (${c.title}) ${name}[${i}]: ${data[i]} is ${error} from ${exact[k]!.data[i]}, allowed ${allowed[k]![i]}`,
        );
      }
    }
  });
}

/** max |a - b| / max |b|; NaN wherever a is. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  let scale = 0;
  for (let i = 0; i < b.length; i++) {
    const d = Math.abs(a[i]! - b[i]!);
    if (!(d <= most)) most = d;
    scale = Math.max(scale, Math.abs(b[i]!));
  }
  return most === 0 ? 0 : most / (scale || 1);
}

export function floats(value: TensorValue | undefined): Float32Array {
  expect(value?.data).toBeInstanceOf(Float32Array);
  return value!.data as Float32Array;
}
