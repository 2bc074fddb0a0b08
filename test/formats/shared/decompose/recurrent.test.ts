import { describe, expect, test } from "vitest";
import {
  MOST_MOMENTS,
  unrolled,
  whyNotUnrolled,
  type StepAttrs,
} from "../../../../src/formats/shared/decompose/recurrent.js";
import { ReferenceExecutor } from "../../../../src/host/reference.js";
import { GraphBuilder } from "../../../../src/model/builder.js";
import { getOp } from "../../../../src/model/ops/index.js";
import { Random } from "../../../../src/model/random.js";
import { sizeOf, type Attrs, type Graph, type TensorType } from "../../../../src/model/types.js";
import { f32 } from "./support.js";

const SHAPES: Record<string, { gates: number; functions: string[][]; states: number }> = {
  lstm: { gates: 4, functions: [["sigmoid", "tanh", "tanh"], ["hard_sigmoid", "relu", "linear"]], states: 2 }, // prettier-ignore
  gru: { gates: 3, functions: [["sigmoid", "tanh"], ["hard_sigmoid", "relu"]], states: 1 }, // prettier-ignore
  rnn: { gates: 1, functions: [["tanh"], ["linear"]], states: 1 },
};

interface Drawn {
  readonly op: string;
  readonly attrs: StepAttrs;
  /** Types of x, w, r, b?, h0?, c0?, peephole? */
  readonly types: readonly TensorType[];
  /** Values of all but the inputs. */
  readonly data: readonly (Float32Array | null)[];
}

/** A recurrence with every option drawn. */
function drawn(seed: number): Drawn {
  const r = new Random(seed);
  const op = ["lstm", "gru", "rnn"][seed % 3]!;
  const { gates, functions, states } = SHAPES[op]!;
  const [t, features, h] = [1 + r.int(4), 1 + r.int(3), 1 + r.int(3)];
  const batchAxis = r.int(3) === 0 ? null : 1;
  const batch = batchAxis === null ? 1 + r.int(2) : 1;
  const direction = (["forward", "reverse", "bidirectional"] as const)[r.int(3)]!;
  const d = direction === "bidirectional" ? 2 : 1;
  const attrs = {
    direction,
    activations: Array.from({ length: d }, () => functions[r.int(2)]!).flat(),
    clip: r.int(2) === 0 ? null : 0.7,
    ...(r.int(2) === 0 && { hardSigmoid: [0.3, 0.4] }),
    ...(op === "lstm" && r.int(2) === 0 && { cellClip: 0.5 }),
    ...(op === "gru" && { linearBeforeReset: r.int(2) === 0 }),
  } as StepAttrs;
  const types = [f32([t, batch, features], batchAxis), f32([d, gates * h, features]), f32([d, gates * h, h])];
  const more = r.int(op === "lstm" ? 5 : 4);
  if (more > 0) types.push(f32([d, 2 * gates * h]));
  // A state for each sample, computed, or one for all of them.
  const own = r.int(2) === 0;
  const zeros = r.int(3) === 0;
  if (more > 1) for (let i = 0; i < states; i++) types.push(own ? f32([d, batch, h], batchAxis) : f32([d, 1, h]));
  if (more > 3 && op === "lstm") types.push(f32([d, 3 * h]));
  const data = types.map(({ shape }, i) => {
    const state = i > 3 && i < 4 + states;
    if (i === 0 || (state && own)) return null;
    return Float32Array.from({ length: sizeOf(shape) }, () => (state && zeros ? 0 : r.normal()));
  });
  return { op, attrs, types, data };
}

/** The operator itself, or its steps. */
function graphOf({ op, attrs, types, data }: Drawn, steps: boolean): Graph {
  const b = new GraphBuilder(op);
  const inputs = types.map((type, i) =>
    data[i] ? b.constant(`c${i}`, "f32", type.shape, data[i]) : b.input(`x${i}`, type),
  );
  const emitter = {
    emit: (inner: string, operands: readonly string[], innerAttrs?: Attrs) => b.node(inner, operands, innerAttrs)[0]!,
    typeOf: (tensor: string) => b.typeOf(tensor),
    constant: (shape: readonly number[], values: Float32Array | Int32Array) => b.constant("c", "f32", shape, values),
  };
  const outputs = steps
    ? unrolled(emitter, op, inputs, attrs, (i) => data[i] ?? null)
    : b.node(op, inputs, attrs as unknown as Attrs);
  outputs.forEach((y, i) => b.output(y, `y${i}`));
  return b.build();
}

describe("a recurrence written down step by step", () => {
  test.each(["lstm", "gru", "rnn"])("%s: every option gives what the operator gives", async (op) => {
    for (let k = 0; k < 80; k++) {
      const seed = 3 * k + Object.keys(SHAPES).indexOf(op);
      const recurrence = drawn(seed);
      const [whole, steps] = [graphOf(recurrence, false), graphOf(recurrence, true)];
      expect(steps.nodes.some((node) => node.op === op)).toBe(false);
      const random = new Random(seed);
      const values = Object.fromEntries(
        whole.inputs.map(({ name, tensor }) => {
          const { type } = whole.tensors.get(tensor)!;
          const shape = type.shape.map((d, axis) => (axis === type.batchAxis ? 2 : d));
          const data = Float32Array.from({ length: sizeOf(shape) }, () => random.normal());
          return [name, { data, shape, dtype: "f32" as const }];
        }),
      );
      const [want, got] = [await new ReferenceExecutor(whole).run(values), await new ReferenceExecutor(steps).run(values)]; // prettier-ignore
      const tolerance = getOp(op).tolerance(recurrence.types, recurrence.attrs);
      const scale = Math.max(1, ...Object.values(want).flatMap((y) => Array.from(y.data as Float32Array, Math.abs)));
      for (const [name, y] of Object.entries(want)) {
        expect(got[name]!.shape).toEqual(y.shape);
        const worst = (y.data as Float32Array).reduce((m, v, i) => Math.max(m, Math.abs(v - Number(got[name]!.data[i]))), 0); // prettier-ignore
        expect(worst, `seed ${seed}`).toBeLessThanOrEqual((tolerance as { count: number }).count * 2 ** -24 * scale);
      }
    }
  });

  test("too long a sequence and computed weights are told", () => {
    const types = [f32([MOST_MOMENTS + 1, 1, 2]), f32([1, 3, 2]), f32([1, 3, 3])];
    const known = (i: number): Float32Array | null => (i === 0 ? null : new Float32Array(1));
    expect(whyNotUnrolled(types, known)).toBe("over 513 moments, of which at most 512 are written as steps");
    types[0] = f32([MOST_MOMENTS, 1, 2]);
    expect(whyNotUnrolled(types, known)).toBeNull();
    expect(whyNotUnrolled(types, () => null)).toBe("with computed weights");
  });
});
