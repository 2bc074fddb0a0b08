import { describe, expect, test } from "vitest";
import { reestimateBatchNorm } from "../../src/host/batch-norm.js";
import { createExecutor } from "../../src/host/executor.js";
import { evaluate, predict } from "../../src/host/evaluate.js";
import { TARGET } from "../../src/host/losses.js";
import { evaluateGraph } from "../../src/host/reference.js";
import { train, type Optimizer, type TrainOptions } from "../../src/host/train.js";
import { buildTraining } from "../../src/host/training-graph.js";
import type { NdArray } from "../../src/model/define-op.js";
import { parameterNames } from "../../src/model/graph.js";
import { Random } from "../../src/model/random.js";
import { sizeOf, type Graph } from "../../src/model/types.js";
import { Net } from "../support/networks.js";
import { relativeError } from "./support.js";
import { quadrants, splitOf, tinyResidual } from "./toys.js";

const SGD: Optimizer = { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 1e-4 };
const base: TrainOptions = { epochs: 4, batch: 32, seed: 7, optimizer: SGD, lr: 0.02, loss: {}, warmupSteps: 3 };

function weight(graph: Graph, name: string): Float32Array {
  return graph.tensors.get(name)!.data as Float32Array;
}

/** All constants one after another. */
function constants(graph: Graph): number[] {
  return [...graph.tensors.values()].flatMap((t) => (t.data ? [...(t.data as Float32Array)] : []));
}

/** Worker threads of this process that are alive. */
function workers(): number {
  return (process.report.getReport() as unknown as { workers: unknown[] }).workers.length;
}

describe("training", () => {
  const data = quadrants(256, 1);
  const unseen = quadrants(200, 2);

  // Four classes, four standard deviations apart over 16 pixels: anything that learns at all separates them.
  test.each([
    ["SGD", SGD, 0.02],
    ["AdamW", { kind: "adamw", weightDecay: 1e-3 } as const, 0.003],
  ])("with %s separates what is separable, on samples it has not seen", async (_name, optimizer, lr) => {
    const graph = tinyResidual(3, true);
    const before = await evaluate(graph, unseen);
    const { graph: trained, losses } = await train(graph, data, { ...base, optimizer, lr });
    const after = await evaluate(trained, unseen);
    expect(losses).toHaveLength(32);
    expect(losses[0]).toBeGreaterThan(0.5);
    expect(losses[losses.length - 1]).toBeLessThan(0.1 * losses[0]!);
    expect(before.accuracy).toBeLessThan(0.7);
    expect(after.accuracy).toBeGreaterThan(0.98);
    expect(after.loss).toBeLessThan(before.loss);
    // The given graph is a value: it did not change.
    expect(graph).toEqual(tinyResidual(3, true));
  });

  test("gives the same bits for 1, 2 and 3 threads, and others for other shards or seeds", async () => {
    const graph = tinyResidual(4);
    const options = { ...base, epochs: 1, batch: 48, shards: 3, augment: "shift-flip" } as const;
    const results = await Promise.all([1, 2, 3].map((threads) => train(graph, data, { ...options, threads })));
    for (const { graph: other, losses } of results.slice(1)) {
      expect(losses).toEqual(results[0]!.losses);
      expect(constants(other)).toEqual(constants(results[0]!.graph));
    }
    const again = await train(graph, data, { ...options, threads: 2, shards: 2 });
    const seeded = await train(graph, data, { ...options, threads: 2, seed: 8 });
    expect(constants(again.graph)).not.toEqual(constants(results[0]!.graph));
    expect(constants(seeded.graph)).not.toEqual(constants(results[0]!.graph));
  });

  test("says the step and what to do when it diverges, and leaves no worker behind", async () => {
    let during = 0;
    const onStep = (): void => void (during = workers());
    const job = train(tinyResidual(5), data, { ...base, lr: 1e30, warmupSteps: 0, onStep, threads: 2 });
    await expect(job).rejects.toMatchObject({
      code: "E_DIVERGED",
      message: expect.stringMatching(/step \d+ of 32/),
      hint: expect.stringContaining("learning rate"),
    });
    expect(during).toBe(2);
    expect(workers()).toBe(0);
  });

  test("an error of the caller's ends the run and its workers", async () => {
    const onStep = (): never => {
      throw new Error("enough");
    };
    await expect(train(tinyResidual(5), data, { ...base, onStep })).rejects.toThrow("enough");
    const broken = { ...data, read: () => expect.fail("broken file") };
    await expect(train(tinyResidual(5), broken, base)).rejects.toThrow("broken file");
    expect(workers()).toBe(0);
  });

  test("reports every step, and ends at maxSteps", async () => {
    const steps: number[] = [];
    const { losses } = await train(tinyResidual(5), data, {
      ...base,
      maxSteps: 5,
      onStep: (r) => steps.push(r.step, r.steps, r.loss),
    });
    expect(steps).toEqual([1, 2, 3, 4, 5].flatMap((n) => [n, 5, losses[n - 1]]));
  });

  test.each([
    ["labels that the data lacks", { ...data, labels: null, classes: 0 }, { loss: { labels: 1 } }, "E_LABELS"],
    ["no loss at all", { ...data, labels: null, classes: 0 }, {}, "E_OPTION"],
    ["another number of classes", { ...data, classes: 5 }, {}, "E_CLASSES"],
    [
      "samples of another shape",
      splitOf("wide", [8, 9, 1], new Float32Array(72 * 40), new Int32Array(40), 4),
      {},
      "E_DATA_SHAPE",
    ],
    ["a negative rate", data, { lr: -1 }, "E_OPTION"],
    ["half a shard", data, { shards: 1.5 }, "E_OPTION"],
    ["nothing that may change", data, { trainable: () => false }, "E_TRAINABLE"],
  ])("refuses %s", async (_name, split, change, code) => {
    await expect(train(tinyResidual(6), split, { ...base, ...change })).rejects.toMatchObject({
      name: "IdapError",
      code,
    });
  });
});

/** One linear layer: [n, 6] -> 3. */
function linear(seed: number): Graph {
  const net = new Net(new Random(seed), "linear");
  return net.build(net.dense(net.input([6]), 3));
}

describe("the update", () => {
  const random = new Random(20);
  const labels = Int32Array.from({ length: 8 }, (_, i) => i % 3);
  const data = splitOf(
    "vectors",
    [6],
    Float32Array.from({ length: 48 }, () => random.normal()),
    labels,
    3,
  );

  /** Gradients of the whole batch in f64 at the given parameters. */
  function gradients(graph: Graph, values: ReadonlyMap<string, Float64Array>): Map<string, Float64Array> {
    const training = buildTraining(graph, 3, { loss: {} });
    const images = new Float32Array(48);
    data.read(
      labels.map((_, i) => i),
      images,
    );
    const target = new Float64Array(24);
    labels.forEach((label, i) => (target[3 * i + label] = 1));
    const inputs = new Map<string, NdArray>([
      ["x", { data: Float64Array.from(images), shape: [8, 6] }],
      [TARGET, { data: target, shape: [8, 3] }],
    ]);
    const result = evaluateGraph(training.graph, inputs, 8, values);
    return new Map(training.parameters.map((name, i) => [name, result.get(training.gradients[i]!)!.data]));
  }

  // With all samples in one batch the order of the batch does not matter but for roundings: three steps of a few
  // roundings each.
  const STEPS = 3;
  const ALLOWED = 1e-6;
  const lr = 0.1;

  test.each([
    ["SGD", { kind: "sgd", momentum: 0.8, weightDecay: 0.05 } as const],
    ["SGD, Nesterov", { kind: "sgd", momentum: 0.8, nesterov: true, weightDecay: 0.05 } as const],
    ["AdamW", { kind: "adamw", beta1: 0.8, beta2: 0.95, weightDecay: 0.05 } as const],
  ])("of %s is the formula in f64; weights decay, biases do not", async (_name, optimizer) => {
    const graph = linear(1);
    const names = parameterNames(graph);
    const values = new Map(names.map((name) => [name, Float64Array.from(weight(graph, name))]));
    const m = new Map(names.map((name) => [name, new Float64Array(values.get(name)!.length)]));
    const v = new Map(names.map((name) => [name, new Float64Array(values.get(name)!.length)]));
    for (let t = 1; t <= STEPS; t++) {
      const all = gradients(graph, values);
      for (const name of names) {
        const [w, g, first, second] = [values, all, m, v].map((map) => map.get(name)!) as [
          Float64Array,
          Float64Array,
          Float64Array,
          Float64Array,
        ];
        const decay = graph.tensors.get(name)!.type.shape.length > 1 ? optimizer.weightDecay : 0;
        for (let i = 0; i < w.length; i++) {
          if (optimizer.kind === "sgd") {
            const slope = g[i]! + decay * w[i]!;
            first[i] = optimizer.momentum * first[i]! + slope;
            w[i]! -= lr * ("nesterov" in optimizer ? slope + optimizer.momentum * first[i]! : first[i]!);
          } else {
            first[i] = optimizer.beta1 * first[i]! + (1 - optimizer.beta1) * g[i]!;
            second[i] = optimizer.beta2 * second[i]! + (1 - optimizer.beta2) * g[i]! ** 2;
            const mean = first[i]! / (1 - optimizer.beta1 ** t);
            const square = second[i]! / (1 - optimizer.beta2 ** t);
            w[i]! -= lr * (mean / (Math.sqrt(square) + 1e-8) + decay * w[i]!);
          }
        }
      }
    }
    const { graph: trained } = await train(graph, data, {
      epochs: STEPS,
      batch: 8,
      seed: 1,
      optimizer,
      lr,
      loss: {},
      schedule: "constant",
    });
    for (const name of names)
      expect(relativeError(weight(trained, name), values.get(name)!), name).toBeLessThan(ALLOWED);
  });

  test("touches only what may change", async () => {
    const graph = tinyResidual(9);
    const chosen = parameterNames(graph).slice(0, 2);
    const { graph: trained } = await train(graph, quadrants(64, 1), {
      ...base,
      epochs: 1,
      trainable: (name) => chosen.includes(name),
    });
    for (const [name, tensor] of graph.tensors) {
      if (!tensor.data) continue;
      const same = constants({ ...graph, tensors: new Map([[name, tensor]]) }).every(
        (v, i) => v === weight(trained, name)[i],
      );
      // The first norm's gamma is chosen, so its statistics move as well; every other norm keeps its own.
      const norm = graph.nodes.find((node) => node.op === "batch_norm" && node.inputs[1] === chosen[1])!;
      expect(same, name).toBe(!(chosen.includes(name) || norm.inputs.slice(3).includes(name)));
    }
  });
});

describe("a teacher", () => {
  const data = { ...quadrants(128, 1), labels: null, classes: 0 };

  test("passes its outputs on without labels", async () => {
    const { graph: teacher } = await train(tinyResidual(10, true), quadrants(256, 1), base);
    const student = tinyResidual(11);
    const { graph: taught } = await train(student, data, {
      ...base,
      epochs: 8,
      loss: { distill: { teacher, temperature: 2, weight: 1 } },
    });
    const unseen = quadrants(200, 2);
    const [wanted, got] = [await evaluate(teacher, unseen), await evaluate(taught, unseen)];
    expect((await evaluate(student, unseen)).accuracy).toBeLessThan(0.7);
    expect(got.accuracy).toBeGreaterThan(wanted.accuracy - 0.03);
  });

  test("passes inner tensors on: a layer that starts elsewhere becomes the teacher's", async () => {
    const net = (seed: number): Graph => {
      const n = new Net(new Random(seed), "one");
      return n.build(n.dense(n.flatten(n.conv(n.input([8, 8, 1]), 3)), 4));
    };
    const [teacher, student] = [net(1), net(2)];
    const pair = [student, teacher].map((g) => g.nodes.find((node) => node.op === "conv2d")!);
    const { graph: taught, losses } = await train(student, data, {
      ...base,
      epochs: 20,
      lr: 0.2,
      optimizer: { ...SGD, weightDecay: 0 },
      loss: {},
      match: { teacher, pairs: [[pair[0]!.outputs[0]!, pair[1]!.outputs[0]!]], weight: 1 },
    });
    expect(losses.at(-1)).toBeLessThan(1e-3 * losses[0]!);
    const [w] = pair[0]!.inputs.slice(1) as [string];
    expect(relativeError(weight(taught, w), weight(teacher, pair[1]!.inputs[1]!))).toBeLessThan(0.02);
  });

  test("that does not fit is refused", async () => {
    const net = new Net(new Random(1), "other");
    const teacher = net.build(net.dense(net.flatten(net.input([4, 4, 1])), 4));
    const distill = { teacher, temperature: 1, weight: 1 };
    await expect(train(tinyResidual(1), data, { ...base, loss: { distill } })).rejects.toMatchObject({
      code: "E_TEACHER",
    });
  });
});

describe("batch norm statistics", () => {
  const data = quadrants(96, 3);

  /** Mean and variance over all samples of what reaches each norm when all norms use those of `batch` samples. */
  test("re-estimated, are the mean and variance of what reaches the first norm", async () => {
    const graph = tinyResidual(12);
    const again = await reestimateBatchNorm(graph, data, { batches: 3, batch: 32 });
    const norm = graph.nodes.find((node) => node.op === "batch_norm")!;
    const pixels = new Float32Array(96 * 64);
    data.read(
      Int32Array.from({ length: 96 }, (_, i) => i),
      pixels,
    );
    const input = { x: { data: pixels, shape: [96, 8, 8, 1], dtype: "f32" as const } };
    const x = (await createExecutor("reference", graph).observe(input, [norm.inputs[0]!])).get(norm.inputs[0]!)!
      .data as Float32Array;
    const c = 6;
    for (let k = 0; k < c; k++) {
      const own = x.filter((_, i) => i % c === k);
      const mean = own.reduce((s, v) => s + v, 0) / own.length;
      const variance = own.reduce((s, v) => s + (v - mean) ** 2, 0) / own.length;
      expect(weight(again, norm.inputs[3]!)[k]).toBeCloseTo(mean, 5);
      expect(weight(again, norm.inputs[4]!)[k]).toBeCloseTo(variance, 5);
    }
    // Every norm was measured, none but the statistics changed.
    for (const [name, tensor] of graph.tensors) {
      if (!tensor.data) continue;
      const isStatistic = graph.nodes.some((node) => node.op === "batch_norm" && node.inputs.slice(3).includes(name));
      expect(
        Buffer.compare(Buffer.from(weight(again, name).buffer), Buffer.from((tensor.data as Float32Array).buffer)) !==
          0,
        name,
      ).toBe(isStatistic);
    }
  });

  test("while training, move towards those of the batches", async () => {
    const graph = tinyResidual(12);
    // A rate of zero leaves the weights alone, so that the statistics of all batches are those of the data.
    const { graph: trained } = await train(graph, data, { ...base, epochs: 20, lr: 0, bnMomentum: 0.8 });
    const measured = await reestimateBatchNorm(graph, data, { batches: 6, batch: 16 });
    for (const node of graph.nodes.filter((n) => n.op === "batch_norm")) {
      for (const name of node.inputs.slice(3))
        expect(relativeError(weight(trained, name), weight(measured, name)), name).toBeLessThan(0.15);
    }
    for (const name of parameterNames(graph)) expect(weight(trained, name)).toEqual(weight(graph, name));
  });

  test("a model without norms stays as it is", async () => {
    const graph = linear(2);
    expect(await reestimateBatchNorm(graph, data, { batches: 1 })).toBe(graph);
  });
});

describe("evaluation", () => {
  test("counts what is right and states the mean cross entropy", async () => {
    const graph = tinyResidual(13, true);
    const data = quadrants(150, 4);
    const { accuracy, loss, correct } = await evaluate(graph, data, { batch: 64 });
    const probabilities = await predict(graph, data, { executor: "reference" });
    expect(probabilities).toHaveLength(600);
    let right = 0;
    let sum = 0;
    for (let i = 0; i < 150; i++) {
      const row = [...probabilities.subarray(4 * i, 4 * i + 4)];
      const hit = row.indexOf(Math.max(...row)) === data.labels![i];
      expect(correct[i]).toBe(Number(hit));
      right += Number(hit);
      sum -= Math.log(row[data.labels![i]!]!);
    }
    expect(accuracy).toBe(right / 150);
    expect(loss).toBeCloseTo(sum / 150, 5);
  });

  test("does not depend on batch or threads", async () => {
    const graph = tinyResidual(14);
    const data = quadrants(150, 4);
    const [a, b, c] = await Promise.all(
      [{}, { batch: 7 }, { batch: 16, threads: 2 }].map((options) => predict(graph, data, options)),
    );
    expect(b).toEqual(a);
    expect(c).toEqual(a);
    expect(sizeOf([150, 4])).toBe(a!.length);
  });

  test("refuses data without labels", async () => {
    await expect(evaluate(tinyResidual(1), { ...quadrants(10, 1), labels: null })).rejects.toMatchObject({
      code: "E_LABELS",
    });
  });
});
