import { describe, expect, test } from "vitest";
import { createExecutor } from "../../src/host/executor.js";
import { createMachine } from "../../src/host/machine.mjs";
import { loadHostModule } from "../../src/host/module.js";
import { planGraph } from "../../src/host/planner.js";
import { FIRST_ADDRESS, type Plan } from "../../src/host/plan.js";
import { buildTraining } from "../../src/host/training-graph.js";
import { toWords } from "../../src/model/words.js";
import { GraphBuilder } from "../../src/model/builder.js";
import { Random } from "../../src/model/random.js";
import { sizeOf, type Graph } from "../../src/model/types.js";
import { Net, randomInputs, randomNetwork } from "../support/networks.js";
import { opCases } from "../support/op-cases.js";
import { floats, relativeError } from "./support.js";
import { tinyResidual } from "./toys.js";

describe("a batch", () => {
  test("gives the same bits whole, in chunks, one by one, and on any number of threads", async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const graph = randomNetwork(seed);
      const inputs = randomInputs(graph, seed, 11);
      const whole = floats((await createExecutor("wasm", graph).run(inputs)).y);
      for (const options of [
        { batch: 4 },
        { batch: 1 },
        { batch: 3, threads: 1 },
        { batch: 3, threads: 2 },
        { batch: 2, threads: 3 },
      ]) {
        const executor = createExecutor("wasm", graph, options);
        expect(floats((await executor.run(inputs)).y)).toEqual(whole);
        await executor.close();
      }
    }
  });

  test("may lie on another axis than the first", async () => {
    const builder = new GraphBuilder("second axis");
    const x = builder.input("x", { dtype: "f32", shape: [3, 1, 5], batchAxis: 1 });
    const w = builder.constant(
      "w",
      "f32",
      [5, 2],
      Float32Array.from({ length: 10 }, (_, i) => i - 4),
    );
    builder.output(builder.node("dense", [x, w])[0]!, "y");
    const graph = builder.build();
    const inputs = randomInputs(graph, 1, 7);
    const expected = floats((await createExecutor("reference", graph).run(inputs)).y);
    for (const batch of [1, 2, 3, 7, 64]) {
      const got = await createExecutor("wasm", graph, { batch }).run(inputs);
      expect(got.y!.shape).toEqual([3, 7, 2]);
      expect(relativeError(floats(got.y), expected)).toBeLessThan(1e-6);
    }
  });

  test("is not cut where samples see one another", async () => {
    const builder = new GraphBuilder("mean over the batch");
    const x = builder.input("x", { dtype: "f32", shape: [1, 4], batchAxis: 0 });
    builder.output(builder.node("reduce_mean", [x], { axes: [0], keepDims: false })[0]!, "y");
    const graph = builder.build();
    const inputs = randomInputs(graph, 1, 9);
    const expected = floats((await createExecutor("reference", graph).run(inputs)).y);
    expect(
      relativeError(floats((await createExecutor("wasm", graph, { batch: 2 }).run(inputs)).y), expected),
    ).toBeLessThan(1e-6);
  });
});

describe("memory that is used again", () => {
  /** A pass over inputs drawn from a seed, in an arena full of NaN where `poisoned`. */
  async function pass(graph: Graph, poisoned: boolean): Promise<Float32Array[]> {
    const plan = planGraph(graph, { batch: 2 });
    const machine = createMachine(await loadHostModule(), plan);
    const { address, length } = plan.arena;
    if (poisoned) machine.floats.fill(NaN, address / 4, address / 4 + length);
    const inputs = randomInputs(graph, 7, 2);
    graph.inputs.forEach(({ name }, i) => {
      const place = plan.inputs[i]!;
      machine.write(place, toWords(inputs[name]!.data, name), 0, sizeOf(place.shape.slice(0, -1)));
    });
    machine.run();
    return plan.results.map((place) => {
      const out = new Float32Array(sizeOf(place.shape));
      machine.read(place, out, 0, sizeOf(place.shape.slice(0, -1)));
      return out;
    });
  }

  // A dense layer behind the operator reads the padding of its output, and multiplies it by zero.
  test.each(opCases)("$op, $title writes all that its consumers read", async (c) => {
    const builder = new GraphBuilder(c.op);
    const [out] = builder.node(
      c.op,
      c.inputs.map((type, i) => builder.input(`in${i}`, type)),
      c.attrs,
    );
    const { shape, dtype, batchAxis } = builder.typeOf(out!);
    if (shape.length < 2 || batchAxis === shape.length - 1) {
      builder.output(out!, "y");
    } else {
      const n = shape[shape.length - 1]!;
      const w = builder.constant("w", "f32", [n, 3], new Float32Array(3 * n).fill(1));
      const real = dtype === "f32" ? out! : builder.node("cast", [out!], { to: "f32" })[0]!;
      builder.output(builder.node("dense", [real, w])[0]!, "y");
    }
    const graph = builder.build();
    expect(await pass(graph, true)).toEqual(await pass(graph, false));
  });

  test("networks and training steps find nothing of what was there before", async () => {
    const training = buildTraining(tinyResidual(1), 4, { loss: {} });
    const outputs = [...training.gradients, training.loss].map((tensor) => ({ name: tensor, tensor }));
    const graphs = [...[1, 2, 3, 4, 5, 6, 7, 8].map(randomNetwork), { ...training.graph, outputs }];
    for (const graph of graphs) expect(await pass(graph, true)).toEqual(await pass(graph, false));
  });

  test("what a run leaves behind, NaN included, does not reach the next", async () => {
    // Odd channel counts and borders: padding and halos are where old values could survive. No activation, which would
    // turn NaN into 0.
    const net = new Net(new Random(3), "odd");
    const x = net.input([5, 7, 3]);
    const a = net.conv(net.conv(net.conv(x, 5), 7, 3, 2), 3);
    const graph = net.build(
      net.op("softmax", [net.dense(net.flatten(net.concat(a, net.conv(a, 2, 1))), 6)], { axis: 1 }),
    );
    const executor = createExecutor("wasm", graph);
    const inputs = randomInputs(graph, 1, 4);
    const first = floats((await executor.run(inputs)).y);
    const bad = floats(inputs.x).map(() => NaN);
    await executor.run({ x: { ...inputs.x!, data: bad } });
    expect(floats((await executor.run(inputs)).y)).toEqual(first);
  });
});

describe("both builds of the kernels", () => {
  test("the relaxed one, where the engine has it, agrees within rounding", async () => {
    const graph = tinyResidual(1);
    const inputs = randomInputs(graph, 1, 5);
    const [strict, fast] = await Promise.all(
      [false, true].map((on) => createExecutor("wasm", graph, { fast: on }).run(inputs)),
    );
    expect(relativeError(floats(fast!.y), floats(strict!.y))).toBeLessThan(1e-5);
  });

  test("the wide convolution has the bits of the device's", async () => {
    const module = await loadHostModule();
    const plan: Plan = {
      batch: 1,
      firstAddress: FIRST_ADDRESS,
      bytes: 4 * 65536,
      constants: [],
      setup: [],
      calls: [],
      arena: { address: 0, length: 0 },
      inputs: [],
      results: [],
      mutable: { address: 0, length: 0, offsets: [] },
      collected: { address: 0, length: 0, offsets: [] },
      states: [],
    };
    const { floats: memory, kernels } = createMachine(module, plan);
    const random = new Random(5);
    // 6x7 pixels with a border of one, 5 channels in rows of 8; x, weights, packed weights, residual and both results.
    const [x, w, packed, bias, r, wide, narrow] = [20000, 60000, 90000, 130000, 131000, 160000, 190000] as const;
    const pixel = 32;
    const row = 9 * pixel;
    for (let i = FIRST_ADDRESS / 4; i < memory.length; i++) memory[i] = random.normal();
    for (let i = 0; i < 72; i++) memory.fill(0, x / 4 + 8 * i + 5, x / 4 + 8 * i + 8);
    for (const co of [1, 4, 7, 8, 12, 16, 20, 28, 29]) {
      const outputs = (co + 3) & ~3;
      for (const act of [0, 1, 2]) {
        kernels.pack_panels!(w, 4 * 15 * co, 4 * 5 * co, 4 * co, 4, bias, 3, 3, 5, 8, co, packed);
        kernels.conv_wide!(
          x,
          0,
          row,
          pixel,
          row,
          pixel,
          packed,
          r,
          0,
          7 * 4 * outputs,
          4 * outputs,
          wide,
          0,
          7 * 4 * outputs,
          4 * outputs,
          1,
          6,
          7,
          3,
          1,
          24,
          outputs,
          act,
        );
        // The device's order: panels of four channels, each bias and weights.
        const panels = new Float32Array(outputs * 73);
        for (let p = 0; p < outputs / 4; p++) {
          for (let j = 0; j < 4 && 4 * p + j < co; j++) {
            panels[p * 292 + j] = memory[bias / 4 + 4 * p + j]!;
            for (let t = 0; t < 9; t++)
              for (let c = 0; c < 5; c++)
                panels[p * 292 + 4 + (t * 8 + c) * 4 + j] = memory[w / 4 + (t * 5 + c) * co + 4 * p + j]!;
          }
        }
        memory.set(panels, packed / 4);
        kernels.conv!(
          x,
          packed,
          narrow,
          r,
          6,
          7,
          outputs / 4,
          row,
          pixel,
          7 * 4 * outputs,
          4 * outputs,
          7 * 4 * outputs,
          4 * outputs,
          96,
          1,
          0,
          3,
          row,
          act,
        );
        const size = 6 * 7 * outputs;
        expect(memory.slice(wide / 4, wide / 4 + size), `${co} channels, act ${act}`).toEqual(
          memory.slice(narrow / 4, narrow / 4 + size),
        );
      }
    }
  });
});

describe("what callers get wrong", () => {
  const graph = tinyResidual(1);
  const inputs = randomInputs(graph, 1, 2);

  test.each([
    ["a missing input", {}, "E_INPUT"],
    ["another shape", { x: { ...inputs.x!, shape: [2, 8, 4, 2] } }, "E_INPUT"],
    ["an unknown port", { ...inputs, z: inputs.x! }, "E_INPUT"],
  ])("%s", async (_name, record, code) => {
    await expect(createExecutor("wasm", graph).run(record)).rejects.toMatchObject({ code });
  });

  test("an unknown tensor to observe, bad options, a closed executor", async () => {
    await expect(createExecutor("wasm", graph).observe(inputs, ["nowhere"])).rejects.toMatchObject({
      code: "E_TENSOR",
    });
    expect(() => createExecutor("wasm", graph, { batch: 0 })).toThrowError(
      expect.objectContaining({ code: "E_OPTION" }),
    );
    const executor = createExecutor("wasm", graph);
    await executor.close();
    await expect(executor.run(inputs)).rejects.toMatchObject({ code: "E_CLOSED" });
  });
});
