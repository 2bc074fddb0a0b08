/** What holds for transposed convolutions, products, normalisations, pools and recurrences, whatever their values. */
import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/host/autodiff.js";
import { createExecutor } from "../../src/host/executor.js";
import { GraphBuilder } from "../../src/model/builder.js";
import { Random } from "../../src/model/random.js";
import { sizeOf, type Attrs, type TensorRecord, type TensorType, type TensorValue } from "../../src/model/types.js";
import { Net, randomInputs } from "../support/networks.js";
import { floats, relativeError } from "./support.js";

const x = (...shape: number[]): TensorType => ({ dtype: "f32", shape: [1, ...shape], batchAxis: 0 });
const w = (...shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis: null });
const ROUNDING = 2 ** -24;

function draw(seed: number, ...shape: number[]): TensorValue {
  const random = new Random(seed);
  return { data: Float32Array.from({ length: sizeOf(shape) }, () => random.normal()), shape, dtype: "f32" };
}

/** One operator on the host or the reference, by position. */
async function run(
  op: string,
  attrs: Attrs,
  types: readonly TensorType[],
  values: readonly TensorValue[],
  id: "wasm" | "reference" = "wasm",
): Promise<TensorValue[]> {
  const builder = new GraphBuilder(op);
  const inputs = types.map((type, i) => builder.input(`in${i}`, type));
  const outputs = builder.node(op, inputs, attrs);
  outputs.forEach((name, i) => builder.output(name, `out${i}`));
  const executor = createExecutor(id, builder.build());
  const record: TensorRecord = Object.fromEntries(values.map((v, i) => [`in${i}`, v]));
  const result = await executor.run(record);
  await executor.close();
  return outputs.map((_, i) => result[`out${i}`]!);
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

describe("conv_transpose2d is the adjoint of conv2d: <conv x, y> = <x, transposed y>", () => {
  test.each([
    [[7, 8], [3, 3], [1, 1], [1, 1], [1, 1, 1, 1], 1],
    [[9, 7], [3, 2], [2, 3], [1, 1], [1, 0, 0, 1], 1],
    [[10, 9], [2, 3], [2, 1], [3, 2], [2, 1, 1, 3], 2],
    [[8, 8], [4, 4], [3, 3], [1, 1], [0, 2, 3, 1], 4],
    [[9, 11], [2, 2], [3, 4], [1, 1], [0, 0, 0, 0], 1],
  ] as const)(
    "image %j, kernel %j, strides %j, dilations %j, pads %j, %i groups",
    async (hw, k, strides, dilations, pads, groups) => {
      const [ci, co] = [4, 8];
      const geometry = { strides, dilations, pads, groups };
      const image = draw(1, 2, ...hw, ci);
      const weights = draw(2, ...k, ci / groups, co);
      const [y] = await run("conv2d", geometry, [x(...hw, ci), w(...weights.shape)], [image, weights], "reference");
      const [, oh, ow] = y!.shape as [number, number, number];
      const other = draw(3, ...y!.shape);
      // Rows and columns of x that no window reaches any more are the output padding of the way back.
      const full = ([oh, ow] as const).map((n, i) => (n - 1) * strides[i]! + (k[i]! - 1) * dilations[i]! + 1);
      const outputPads = hw.map((d, i) => d - (full[i]! - pads[i]! - pads[i + 2]!));
      const swapped = await run("transpose", { perm: [0, 1, 3, 2] }, [w(...weights.shape)], [weights]);
      const [back] = await run(
        "conv_transpose2d",
        { ...geometry, outputPads },
        [x(oh, ow, co), w(...swapped[0]!.shape)],
        [other, swapped[0]!],
      );
      expect(back!.shape).toEqual(image.shape);
      const [left, right] = [dot(floats(y), floats(other)), dot(floats(image), floats(back))];
      // Each side adds products of three numbers, of which none is rounded more often than the longest sum has terms.
      const terms = k[0] * k[1] * Math.max(ci, co);
      const size = Math.sqrt(dot(floats(y), floats(y)) * dot(floats(other), floats(other)));
      expect(Math.abs(left - right)).toBeLessThan(2 * terms * ROUNDING * size);
      expect(Math.abs(left)).toBeGreaterThan(1e-3 * size);
    },
  );
});

describe("matmul", () => {
  const plain = { transposeA: false, transposeB: false };

  test("a batch of matrices is a loop of matrices, to the bit, at all sizes around the tiles", async () => {
    for (let n = 1; n <= 18; n++) {
      const [m, k] = [((n * 5) % 11) + 1, ((n * 7) % 13) + 1];
      const [a, b] = [draw(n, 3, m, k), draw(n + 50, 3, k, n)];
      const [whole] = await run("matmul", plain, [x(m, k), x(k, n)], [a, b]);
      const parts: number[] = [];
      for (let s = 0; s < 3; s++) {
        const part = (v: TensorValue): TensorValue => {
          const [, p, q] = v.shape as [number, number, number];
          return { ...v, shape: [p, q], data: floats(v).slice(s * p * q, (s + 1) * p * q) };
        };
        const [y] = await run("matmul", plain, [w(m, k), w(k, n)], [part(a), part(b)]);
        parts.push(...floats(y));
      }
      expect([...floats(whole)], `${m} x ${k} x ${n}`).toEqual(parts);
    }
  });

  test("transposed operands are the transposes, to the bit", async () => {
    for (const [m, k, n] of [
      [1, 5, 9],
      [4, 8, 8],
      [9, 3, 17],
      [13, 16, 7],
    ] as const) {
      const [a, b] = [draw(m, 2, m, k), draw(n, 2, k, n)];
      const [at] = await run("transpose", { perm: [0, 2, 1] }, [x(m, k)], [a]);
      const [bt] = await run("transpose", { perm: [0, 2, 1] }, [x(k, n)], [b]);
      const [y] = await run("matmul", plain, [x(m, k), x(k, n)], [a, b]);
      for (const transposeA of [false, true])
        for (const transposeB of [false, true]) {
          const types = [transposeA ? x(k, m) : x(m, k), transposeB ? x(n, k) : x(k, n)];
          const [z] = await run("matmul", { transposeA, transposeB }, types, [
            transposeA ? at! : a,
            transposeB ? bt! : b,
          ]);
          expect(floats(z)).toEqual(floats(y));
        }
    }
  });
});

describe("normalisation", () => {
  const stats = (v: Float32Array): [number, number] => {
    const mean = v.reduce((s, e) => s + e, 0) / v.length;
    return [mean, v.reduce((s, e) => s + (e - mean) ** 2, 0) / v.length];
  };

  test("each layer has mean 0 and variance 1, wherever its values lie", async () => {
    const n = 37;
    const far = draw(5, 4, n);
    const values = { ...far, data: floats(far).map((v, i) => Math.fround(3 * v + 10 * Math.floor(i / n))) };
    const [y] = await run("layer_norm", { axis: 1, epsilon: 0 }, [x(n)], [values]);
    for (let s = 0; s < 4; s++) {
      const [mean, variance] = stats(floats(y).subarray(s * n, (s + 1) * n));
      // The mean of the largest row is 10 deviations: its rounding counts that often.
      expect(Math.abs(mean)).toBeLessThan(11 * (n + 2) * ROUNDING);
      expect(Math.abs(variance - 1)).toBeLessThan(2 * 11 * (n + 2) * ROUNDING);
    }
  });

  test("one group of all channels is a layer of the whole image; as many groups as channels see one channel each", async () => {
    const image = draw(6, 2, 5, 4, 6);
    const [one] = await run("group_norm", { groups: 1, epsilon: 1e-5 }, [x(5, 4, 6)], [image]);
    const [layer] = await run("layer_norm", { axis: 1, epsilon: 1e-5 }, [x(5, 4, 6)], [image]);
    expect(floats(one)).toEqual(floats(layer));
    const [instances] = await run("group_norm", { groups: 6, epsilon: 0 }, [x(5, 4, 6)], [image]);
    for (let s = 0; s < 2; s++)
      for (let c = 0; c < 6; c++) {
        const channel = floats(instances).filter((_, i) => i % 6 === c && Math.floor(i / 120) === s);
        const [mean, variance] = stats(channel);
        expect(Math.abs(mean)).toBeLessThan(2 * 22 * ROUNDING);
        expect(Math.abs(variance - 1)).toBeLessThan(4 * 22 * ROUNDING);
      }
  });
});

describe("pools", () => {
  test("a dilated pool is a pool of every second pixel", async () => {
    const image = draw(7, 1, 8, 8, 3);
    const attrs = { kernel: [3, 3], strides: [2, 2], pads: [0, 0, 0, 0] };
    const [dilated] = await run("max_pool2d", { ...attrs, dilations: [2, 2] }, [x(8, 8, 3)], [image]);
    const steps = { begin: [0, 0, 0, 0], size: [-1, 4, 4, 3], steps: [1, 2, 2, 1] };
    const [thin] = await run("slice", steps, [x(8, 8, 3)], [image]);
    const [plain] = await run("max_pool2d", { ...attrs, strides: [1, 1] }, [x(4, 4, 3)], [thin!]);
    expect(floats(dilated)).toEqual(floats(plain));
  });

  test("ceil mode divides by the elements of the image and its declared padding, as ONNX and PyTorch do", async () => {
    // 4 x 4 ones, window 3, stride 2, padding 1 declared and one more behind for the last window.
    const ones: TensorValue = { data: new Float32Array(16).fill(1), shape: [1, 4, 4, 1], dtype: "f32" };
    const attrs = {
      kernel: [3, 3],
      strides: [2, 2],
      pads: [1, 1, 2, 2],
      padsCounted: [1, 1, 1, 1],
      countIncludePad: true,
    };
    const [y] = await run("avg_pool2d", attrs, [x(4, 4, 1)], [ones]);
    const axis = [2 / 3, 1, 1 / 2]; // 2 of 3 taps inside, 3 of 3, 1 of the 2 that count
    expect([...floats(y)]).toEqual(axis.flatMap((a) => axis.map((b) => expect.closeTo(a * b, 6))));
  });
});

test("the host computes the gradients of networks of these operators as the reference does", async () => {
  const net = new Net(new Random(8));
  const image = net.input([4, 3, 5]);
  const wide = net.op("conv_transpose2d", [image, net.weight([3, 3, 5, 4]), net.weight([4])], {
    strides: [2, 2],
    dilations: [1, 1],
    pads: [0, 0, 1, 1],
    outputPads: [0, 0],
    groups: 1,
  });
  const normed = net.op("group_norm", [wide, net.weight([4]), net.weight([4])], { groups: 2, epsilon: 1e-3 });
  const pooled = net.op("max_pool2d", [normed], {
    kernel: [2, 2],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [2, 1],
  });
  const [, oh, ow] = net.shape(pooled) as [number, number, number];
  const tokens = net.op("reshape", [pooled], { shape: [-1, oh * ow, 4] });
  const layer = net.op("layer_norm", [tokens, net.weight([4])], { axis: 2, epsilon: 1e-3 });
  const scores = net.op("matmul", [layer, tokens], { transposeA: false, transposeB: true });
  const mixed = net.op("matmul", [net.op("softmax", [scores], { axis: 2 }), tokens], {
    transposeA: false,
    transposeB: false,
  });
  const sequence = net.op("slice", [net.op("transpose", [mixed], { perm: [1, 0, 2] })], {
    begin: [0, 0, 0],
    size: [3, -1, 4],
  });
  const attrs = { direction: "forward", clip: null, activations: ["sigmoid", "tanh"], linearBeforeReset: true };
  const y = net.op("gru", [sequence, net.weight([1, 9, 4]), net.weight([1, 9, 3]), net.weight([1, 18])], attrs);
  net.builder.output(net.op("mean_squared_error", [y, net.builder.input("target", net.builder.typeOf(y))]), "loss");
  const graph = net.builder.build();
  const parameters = [...graph.tensors.values()].filter((v) => v.data).map((v) => v.name);
  const { graph: backward, gradients } = differentiate(graph, graph.outputs[0]!.tensor, [...parameters, "x"]);
  const inputs = randomInputs(graph, 5, 3);
  const names = [...gradients.values()];
  const [got, exact] = await Promise.all(
    (["wasm", "reference"] as const).map((id) => createExecutor(id, backward).observe(inputs, names)),
  );
  expect(gradients.size).toBe(parameters.length + 1);
  for (const [name, gradient] of gradients) {
    const [a, b] = [floats(got!.get(gradient)), floats(exact!.get(gradient))];
    // A dozen layers of sums of at most 50 terms.
    expect(relativeError(a, b), name).toBeLessThan(12 * 50 * ROUNDING);
  }
});

describe("recurrences", () => {
  const seq = (...shape: number[]): TensorType => ({ dtype: "f32", shape, batchAxis: 1 });
  const base = { clip: null, direction: "forward" };
  const FUNCTIONS: Record<string, string[]> = {
    lstm: ["sigmoid", "tanh", "tanh"],
    gru: ["sigmoid", "tanh"],
    rnn: ["tanh"],
  };
  const extra: Record<string, Attrs> = { lstm: {}, gru: { linearBeforeReset: false }, rnn: {} };
  const GATES: Record<string, number> = { lstm: 4, gru: 3, rnn: 1 };
  const [t, b, i, h] = [5, 3, 4, 6];

  const operands = (op: string, d: number): TensorValue[] => {
    const g = GATES[op]!;
    return [draw(1, t, b, i), draw(2, d, g * h, i), draw(3, d, g * h, h), draw(4, d, 2 * g * h)];
  };
  const types = (op: string, d: number): TensorType[] => {
    const g = GATES[op]!;
    return [seq(t, 1, i), w(d, g * h, i), w(d, g * h, h), w(d, 2 * g * h)];
  };
  const half = (v: TensorValue, d: number): TensorValue => {
    const size = sizeOf(v.shape) / 2;
    return { ...v, shape: [1, ...v.shape.slice(1)], data: floats(v).slice(d * size, (d + 1) * size) };
  };

  test.each(["lstm", "gru", "rnn"])(
    "%s: both directions are one forward and one over the reversed sequence, to the bit",
    async (op) => {
      const activations = FUNCTIONS[op]!;
      const [sequence, ...weights] = operands(op, 2);
      const both = await run(
        op,
        { ...base, ...extra[op], direction: "bidirectional", activations: [...activations, ...activations] },
        types(op, 2),
        [sequence!, ...weights],
      );
      const one = (d: number, v: TensorValue): Promise<TensorValue[]> =>
        run(op, { ...base, ...extra[op], activations }, types(op, 1), [v, ...weights.map((u) => half(u, d))]);
      const forward = await one(0, sequence!);
      const turned = {
        ...sequence!,
        data: Float32Array.from(
          floats(sequence),
          (_, p) => floats(sequence)[(t - 1 - Math.floor(p / (b * i))) * b * i + (p % (b * i))]!,
        ),
      };
      const backward = await one(1, turned);
      const y = floats(both[0]);
      for (let n = 0; n < t; n++) {
        const at = (v: TensorValue, k: number): number[] => [...floats(v).slice(k * b * h, (k + 1) * b * h)];
        expect([...y.slice(2 * n * b * h, (2 * n + 1) * b * h)]).toEqual(at(forward[0]!, n));
        expect([...y.slice((2 * n + 1) * b * h, (2 * n + 2) * b * h)]).toEqual(at(backward[0]!, t - 1 - n));
      }
      both.slice(1).forEach((final, k) => {
        expect([...floats(final)]).toEqual([...floats(forward[k + 1]), ...floats(backward[k + 1])]);
      });
    },
  );

  test("an lstm without weights follows its biases: c' = f(bf) c + f(bi) g(bc), h = f(bo) tanh c", async () => {
    const zero = (...shape: number[]): TensorValue => ({ data: new Float32Array(sizeOf(shape)), shape, dtype: "f32" });
    const bias = zero(1, 8);
    floats(bias).set([0.5, -0.25, 1, 2, 0.25, 0.5, -0.5, 0.125]); // of w in the order i, o, f, c; then of r
    const [y, hn, cn] = await run(
      "lstm",
      { ...base, activations: FUNCTIONS["lstm"] },
      [seq(3, 1, 2), w(1, 4, 2), w(1, 4, 1), w(1, 8)],
      [draw(1, 3, 1, 2), zero(1, 4, 2), zero(1, 4, 1), bias],
    );
    const f = (v: number): number => 1 / (1 + Math.exp(-v));
    let c = 0;
    const expected = [0, 1, 2].map(() => {
      c = f(1 - 0.5) * c + f(0.5 + 0.25) * Math.tanh(2 + 0.125);
      return f(-0.25 + 0.5) * Math.tanh(c);
    });
    floats(y).forEach((v, k) => expect(v).toBeCloseTo(expected[k]!, 6));
    expect(floats(hn)[0]).toBe(floats(y)[2]);
    expect(floats(cn)[0]).toBeCloseTo(c, 6);
  });

  test("a sequence in two parts, states handed on, is the whole sequence, to the bit", async () => {
    const attrs = { ...base, activations: FUNCTIONS["lstm"] };
    const [sequence, ...weights] = operands("lstm", 1);
    const whole = await run("lstm", attrs, types("lstm", 1), [sequence!, ...weights]);
    const cut = (from: number, to: number): TensorValue => ({
      ...sequence!,
      shape: [to - from, b, i],
      data: floats(sequence).slice(from * b * i, to * b * i),
    });
    const rest = types("lstm", 1).slice(1);
    const first = await run("lstm", attrs, [seq(2, 1, i), ...rest], [cut(0, 2), ...weights]);
    const second = await run(
      "lstm",
      attrs,
      [seq(3, 1, i), ...rest, seq(1, 1, h), seq(1, 1, h)],
      [cut(2, 5), ...weights, first[1]!, first[2]!],
    );
    expect([...floats(first[0]), ...floats(second[0])]).toEqual([...floats(whole[0])]);
    expect(floats(second[2])).toEqual(floats(whole[2]));
  });

  test("a gru's reset gate before or after the product is the same where nothing is fed back but the state", async () => {
    const activations = FUNCTIONS["gru"];
    const [sequence, weights, , bias] = operands("gru", 1);
    const none: TensorValue = { data: new Float32Array(3 * h * h), shape: [1, 3 * h, h], dtype: "f32" };
    floats(bias).fill(0, 5 * h); // the recurrent bias of the hidden gate is inside the reset on one side only
    const results = await Promise.all(
      [false, true].map((linearBeforeReset) =>
        run("gru", { ...base, activations, linearBeforeReset }, types("gru", 1), [sequence!, weights!, none, bias!]),
      ),
    );
    expect(floats(results[0]![0])).toEqual(floats(results[1]![0]));
  });
});
