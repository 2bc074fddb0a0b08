/**
 * Random graphs of every operator that a file may hold, with their inputs: images, sequences, vectors, integers and truth
 * values, shared tensors, several inputs and outputs, odd widths, fixed and open batches.
 */
import { GraphBuilder } from "../../../src/model/builder.js";
import { fromDoubles } from "../../../src/model/doubles.js";
import { Random } from "../../../src/model/random.js";
import type { Graph, TensorRecord } from "../../../src/model/types.js";
import { Draft, type Batches } from "./draft.js";
import { drawOperator, PUBLIC_OPS } from "./operators.js";

export { PUBLIC_OPS } from "./operators.js";

/** Independent random graphs side by side in one graph: one plan and one module run them all. */
export interface RandomUnion {
  readonly graph: Graph;
  /** At batch 1, and at the larger batch. */
  readonly inputs: readonly [TensorRecord, TensorRecord];
  readonly batches: Batches;
  /** How many nodes there are of each operator. */
  readonly counts: ReadonlyMap<string, number>;
}

/** The names of all tensors of the graph of a seed begin with it. */
const prefixOf = (seed: number): string => `s${seed}_`;
export const seedOf = (tensor: string): string => /^s(\d+)_/.exec(tensor)?.[1] ?? "?";

function drawInputs(d: Draft): void {
  const extent = (): number => d.between(1, 6);
  const kinds: (() => void)[] = [
    () => d.input("f32", [1, d.between(2, 7), d.between(2, 7), d.between(1, 9)], 0),
    () => d.input("f32", [1, extent(), d.between(1, 9)], 0),
    () => d.input("f32", [extent(), 1, extent()], 1),
    () => d.input("f32", [1, d.between(1, 23)], 0, d.pick(["normal", "positive"])),
    () => d.input("f32", [extent(), extent()], null),
    () => d.input("f32", d.pick([[2, 3, 4, 5], [1, 5, 4, 3], [3], [3, 1, 2]]), null), // prettier-ignore
    () => d.input("i32", d.pick([[1, 7], [1, 3, 5], [1, 4, 3, 2]]), 0), // prettier-ignore
    () => d.input("bool", d.pick([[1, 5], [1, 3, 4]]), 0), // prettier-ignore
    () => d.input(d.pick(["u8", "i8", "i64"]), d.pick([[1, 9], [1, 3, 4, 2]]), 0), // prettier-ignore
  ];
  // The first is of reals, more often than not an image.
  d.pick(d.chance(0.5) ? kinds.slice(0, 1) : kinds.slice(0, 6))();
  for (let n = d.random.int(3); n > 0; n--) d.pick(kinds)();
}

/** What back ends treat in most ways is drawn more often. */
const LIKELY: readonly string[] = [
  ...PUBLIC_OPS,
  ...["conv2d", "depthwise_conv2d", "conv_transpose2d", "dense", "matmul"].flatMap((op) => [op, op, op, op]),
  ...["add", "mul", "concat", "transpose", "reshape", "pad", "slice", "batch_norm", "softmax", "reduce_mean"],
  ...["lstm", "gru", "rnn"],
];

/** 3 nodes or more on 1 to 3 inputs; what the operators need besides comes on top. */
function drawGraph(d: Draft): void {
  drawInputs(d);
  const wanted = d.between(3, 8);
  for (let tries = 0; d.ops.length < wanted && tries < 100; tries++) drawOperator(d, d.pick(LIKELY));
}

export function randomUnion(seeds: readonly number[], batch: number): RandomUnion {
  const builder = new GraphBuilder("random");
  const batches: Batches = [1, batch];
  const counts = new Map<string, number>();
  const inputs: Record<string, TensorRecord[string]>[] = [{}, {}];
  for (const seed of seeds) {
    const d = new Draft(builder, prefixOf(seed), new Random(seed), batches);
    drawGraph(d);
    d.finish();
    for (const op of d.ops) counts.set(op, (counts.get(op) ?? 0) + 1);
    for (const { name, type, at } of d.values.filter((v) => /_in\d+$/.test(v.name))) {
      at.forEach(({ data, shape }, k) => {
        inputs[k]![name] = { data: fromDoubles(data, type.dtype), shape, dtype: type.dtype };
      });
    }
  }
  return { graph: builder.build(), inputs: [inputs[0]!, inputs[1]!], batches, counts };
}
