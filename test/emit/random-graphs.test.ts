import fc from "fast-check";
import { expect, test } from "vitest";
import { planEmission } from "../../src/emit/index.js";
import { stepInputs, stepScratch } from "../../src/emit/steps.js";
import { tensorBytes } from "../../src/emit/layout.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { Net } from "../support/networks.js";
import { emissionError } from "./support.js";

/** A random network of every operator that keeps images images, with branches, several outputs and odd widths. */
function randomGraph(seed: number): Graph {
  const random = new Random(seed);
  const net = new Net(random, `random ${seed}`);
  const pick = <T>(list: readonly T[]): T => list[random.int(list.length)]!;
  const values = [net.input([3 + random.int(6), 3 + random.int(6), 1 + random.int(9)])];
  if (random.int(2)) values.push(net.input([4, 5, 1 + random.int(6)], "second"));
  for (let i = 0; i < 4 + random.int(8); i++) {
    const x = pick(values);
    const [, h, w, c] = net.shape(x) as [number, number, number, number];
    const alike = values.filter((v) => String(net.shape(v)) === String(net.shape(x)));
    const make: (() => string)[] = [
      () => net.conv(x, 1 + random.int(14), pick([1, 3]), 1 + random.int(2), { bias: random.int(2) === 0 }),
      () => net.op("relu", [net.op("add", [net.conv(x, c), pick(alike)])]),
      () => net.op("relu6", [net.depthwise(x, 1 + random.int(2), 1 + random.int(2))]),
      () => net.op(pick(["add", "mul"]), [x, pick(alike)]),
      () => net.op(pick(["add", "mul"]), [x, net.weight(pick([[c], [1], [w, 1], [h, w, c]]))]),
      () => net.op(pick(["relu", "relu6", "sigmoid"]), [x]),
      () => net.op("concat", [x, pick(alike), x], { axis: 3 }),
      () => net.op("softmax", [x], { axis: pick([1, 2, 3]) }),
      () => net.op("pad", [x], { before: [0, 1, 0, 0], after: [0, 0, 2, random.int(2)], value: pick([0, 1]) }),
      () =>
        net.op("transpose", [x], {
          perm: pick([
            [0, 2, 1, 3],
            [0, 3, 1, 2],
            [0, 2, 3, 1],
          ]),
        }),
      () => net.op("reduce_mean", [x], { axes: [1, 2], keepDims: true }),
      () => net.op("reshape", [x], { shape: [-1, w, h, c] }),
    ];
    if (h > 1 && w > 1) {
      make.push(() => net.op("max_pool2d", [x], { kernel: [2, 2], strides: [2, 1], pads: [0, 0, 0, 0] }));
      make.push(() => net.op("slice", [x], { begin: [0, 1, 0, 0], size: [-1, h - 1, w - 1, c] }));
      make.push(() =>
        net.op("avg_pool2d", [x], {
          kernel: [2, 2],
          strides: [1, 1],
          pads: [1, 0, 0, 1],
          countIncludePad: random.int(2) === 0,
        }),
      );
    }
    values.push(pick(make)());
  }
  for (const y of new Set([values.at(-1), values.at(-2), pick(values)])) net.builder.output(y);
  return net.builder.build();
}

test("random networks compute what the reference computes, in all variants, twice in a row", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 1e6 }), async (seed) => {
      // Sums of sums in f32: a mistake is of order 1, rounding of order 1e-6.
      expect(await emissionError(randomGraph(seed), 2, seed)).toBeLessThan(1e-4);
    }),
    { numRuns: 12, seed: 20, endOnFailure: true },
  );
});

test("no two tensors that are alive at the same time share memory, but for those that share on purpose", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
      const { laid, memory } = planEmission(randomGraph(seed), "always");
      // Lifetimes from the steps, not from the planner.
      const first = new Map<string, number>(laid.inputs.map((p) => [p.tensor, -1]));
      const last = new Map<string, number>();
      laid.steps.forEach((step, i) => {
        for (const t of [step.y, ...stepScratch(step)]) {
          if (!first.has(t)) first.set(t, i);
          last.set(t, Math.max(last.get(t) ?? i, i));
        }
        for (const x of stepInputs(step)) last.set(x, i);
      });
      for (const p of laid.outputs) last.set(p.tensor, Infinity);
      const owner = new Map(memory.buffers.flatMap((b) => b.tensors.map((t) => [t, b] as const)));
      const names = [...first.keys()];
      for (const a of names) {
        const at = memory.addresses.get(a)!;
        const end = at + tensorBytes(laid.layouts.get(a)!);
        expect(at % 16).toBe(0);
        expect(at).toBeGreaterThanOrEqual(memory.arenaOffset);
        expect(end).toBeLessThanOrEqual(memory.arenaOffset + memory.arenaBytes);
        for (const b of names) {
          if (a >= b || owner.get(a) === owner.get(b)) continue;
          const alive =
            first.get(a)! <= (last.get(b) ?? first.get(b)!) && first.get(b)! <= (last.get(a) ?? first.get(a)!);
          const from = memory.addresses.get(b)!;
          const apart = end <= from || from + tensorBytes(laid.layouts.get(b)!) <= at;
          expect(!alive || apart, `${a} and ${b} overlap in seed ${seed}`).toBe(true);
        }
      }
    }),
    { numRuns: 300, seed: 21, endOnFailure: true },
  );
});
