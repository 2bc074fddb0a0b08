import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assignOffsets, type Lifetime } from "../../src/host/arena.js";
import { fuseGraph } from "../../src/host/fuse.js";
import { planGraph } from "../../src/host/planner.js";
import { FIRST_ADDRESS } from "../../src/host/plan.js";
import { buildTraining } from "../../src/host/training-graph.js";
import { windowReach } from "../../src/host/windows.js";
import { gradientPhases, phaseReach } from "../../src/kernels/phases.js";
import { Random } from "../../src/model/random.js";
import { Net, randomNetwork } from "../support/networks.js";
import { tinyResidual } from "./toys.js";

describe("memory", () => {
  test("buffers that live together never overlap, and the arena is no larger than all of them", () => {
    const buffer = fc.record({
      bytes: fc.integer({ min: 1, max: 500 }),
      from: fc.integer({ min: 0, max: 20 }),
      life: fc.integer({ min: 0, max: 8 }),
    });
    fc.assert(
      fc.property(fc.array(buffer, { minLength: 1, maxLength: 30 }), (list) => {
        const buffers: Lifetime[] = list.map(({ bytes, from, life }) => ({ bytes, from, to: from + life, offset: 0 }));
        const size = assignOffsets(buffers);
        for (const a of buffers) {
          expect(a.offset % 64).toBe(0);
          expect(a.offset + a.bytes).toBeLessThanOrEqual(size);
          for (const b of buffers) {
            if (a === b || a.to < b.from || b.to < a.from) continue;
            expect(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset).toBe(true);
          }
        }
        expect(size).toBeLessThanOrEqual(buffers.reduce((n, b) => n + Math.ceil(b.bytes / 64) * 64, 0));
      }),
    );
  });

  test("a plan is data: it survives a copy, and is the same when made again", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const plan = planGraph(randomNetwork(seed), { batch: 3 });
      expect(structuredClone(plan)).toEqual(plan);
      expect(planGraph(randomNetwork(seed), { batch: 3 })).toEqual(plan);
      for (const { address } of [...plan.inputs, ...plan.results, ...plan.constants]) {
        expect(address).toBeGreaterThanOrEqual(FIRST_ADDRESS);
        expect(address).toBeLessThan(plan.bytes);
      }
    }
  });

  test("a training step takes less than three quarters of all of its tensors together", () => {
    const training = buildTraining(tinyResidual(1), 4, { loss: {} });
    const { bytes } = planGraph(training.graph, {
      batch: 256,
      mutable: training.parameters,
      collect: training.gradients,
      states: 1,
    });
    const all = [...training.graph.tensors.values()].reduce(
      (n, t) => n + 4 * t.type.shape.reduce((p, d) => p * d, t.type.batchAxis === null ? 1 : 256),
      0,
    );
    expect(bytes).toBeLessThan(0.75 * all);
  });
});

describe("fusion", () => {
  const net = (): Net => new Net(new Random(1), "fuse");

  test("a residual block is one step for each convolution", () => {
    const n = net();
    const x = n.input([4, 4, 3]);
    const y = n.relu(n.add(n.conv(n.relu(n.conv(x, 3)), 3), x));
    const steps = fuseGraph(n.build(y), new Set([y]));
    expect(steps.map((s) => [s.op, s.addend, s.act])).toEqual([
      ["conv2d", undefined, 1],
      ["conv2d", x, 1],
    ]);
  });

  test("what is observed, or read twice, is kept", () => {
    const n = net();
    const x = n.input([4, 4, 3]);
    const inner = n.conv(x, 3);
    const y = n.relu(inner);
    const graph = n.build(y);
    expect(fuseGraph(graph, new Set([y])).map((s) => s.op)).toEqual(["conv2d"]);
    expect(fuseGraph(graph, new Set([y, inner])).map((s) => s.op)).toEqual(["conv2d", "relu"]);
    const m = net();
    const twice = m.conv(m.input([4, 4, 3]), 3);
    const out = m.add(m.relu(twice), twice);
    expect(fuseGraph(m.build(out), new Set([out])).map((s) => s.op)).toEqual(["conv2d", "relu", "add"]);
  });

  test("in training, masking, norm and sums of branches cost no passes of their own", () => {
    const { graph, gradients } = buildTraining(tinyResidual(1), 4, { loss: {} });
    const ops = fuseGraph(graph, new Set(gradients)).map((s) => s.op);
    for (const op of ["relu", "relu_grad", "add"]) expect(ops).not.toContain(op);
  });
});

describe("windows", () => {
  const small = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

  test("phases of an input gradient are the pairs of the forward sum", () => {
    fc.assert(
      fc.property(
        small(1, 9),
        small(1, 4),
        small(1, 4),
        small(1, 3),
        small(0, 3),
        small(0, 3),
        (extent, taps, stride, dilation, pad, after) => {
          const count = Math.floor((extent + pad + after - dilation * (taps - 1) - 1) / stride) + 1;
          fc.pre(count >= 1);
          const forward = new Set<string>();
          for (let o = 0; o < count; o++) {
            for (let tap = 0; tap < taps; tap++) {
              const i = o * stride + tap * dilation - pad;
              if (i >= 0 && i < extent) forward.add(`${i},${tap},${o}`);
            }
          }
          const phases = gradientPhases(extent, taps, stride, dilation, pad);
          const [before, behind] = phaseReach(count, phases);
          const backward = new Set<string>();
          for (const p of phases) {
            for (let q = 0; q < p.count; q++) {
              for (let t = 0; t < p.taps; t++) {
                const o = q + p.offset + t * p.step;
                expect(o).toBeGreaterThanOrEqual(-before);
                expect(o).toBeLessThan(count + behind);
                if (o >= 0 && o < count) backward.add(`${p.first + stride * q},${p.tap + t * p.tapStep},${o}`);
              }
            }
          }
          expect([...backward].sort()).toEqual([...forward].sort());
          const [low, high] = windowReach(extent, count, taps, stride, dilation, pad);
          expect(low).toBe(pad);
          expect(high).toBe(Math.max(0, (count - 1) * stride + (taps - 1) * dilation - pad - (extent - 1)));
        },
      ),
    );
  });
});
