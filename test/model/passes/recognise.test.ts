import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../../../src/model/builder.js";
import { producerOf } from "../../../src/model/graph.js";
import { canonicalise } from "../../../src/model/passes/index.js";
import type { Attrs, Graph, Port } from "../../../src/model/types.js";
import { difference } from "../../support/difference.js";
import { randomInputs } from "../../support/networks.js";

/** Constants are recognised within 1e-6 of what they stand for, and stay that close to the values. */
const CONSTANTS = 4e-6;

/** Writes expressions of an input x [batch, 3, 4] as files spell them out. */
class Form {
  readonly b = new GraphBuilder("form");
  readonly x = this.b.input("x", { dtype: "f32", shape: [1, 3, 4], batchAxis: 0 });

  op(op: string, inputs: readonly (string | number | readonly number[])[], attrs: Attrs = {}): string {
    const names = inputs.map((v) => (typeof v === "string" ? v : this.constant(v)));
    return this.b.node(op, names, attrs)[0]!;
  }

  constant(v: number | readonly number[]): string {
    const data = typeof v === "number" ? [v] : v;
    return this.b.constant("c", "f32", typeof v === "number" ? [] : [v.length], Float32Array.from(data));
  }

  mul = (a: string | number, b: string | number): string => this.op("mul", [a, b]);
  add = (a: string | number, b: string | number): string => this.op("add", [a, b]);
  sub = (a: string | number, b: string | number): string => this.op("sub", [a, b]);
  div = (a: string | number, b: string | number): string => this.op("div", [a, b]);
  pow = (a: string | number, b: string | number): string => this.op("pow", [a, b]);
  f = (op: string, x: string = this.x, attrs: Attrs = {}): string => this.op(op, [x], attrs);
  clip = (x: string, min: number | null, max: number | null): string => this.f("clip", x, { min, max });
  mean = (x: string, axes: readonly number[] = [2]): string => this.f("reduce_mean", x, { axes, keepDims: true });

  build(y: string, ...more: string[]): Graph {
    [y, ...more].forEach((name, i) => this.b.output(name, `y${i}`));
    return this.b.build();
  }
}

type Write = (f: Form) => string;
const ops = (graph: Graph): string[] => graph.nodes.map((n) => n.op);
const S = Math.sqrt(2 / Math.PI);

/** 0.5 * x * (1 + erf(x / sqrt 2)) and its orders. */
const erf = (f: Form, x = f.x): string => f.f("erf", f.div(x, Math.SQRT2));
const cubic = (f: Form): string => f.mul(S, f.add(f.x, f.mul(0.044715, f.pow(f.x, 3))));
const gate = (f: Form): string => f.f("relu6", f.add(f.x, 3));
const spread = (f: Form, eps = 1e-5): { d: string; v: string } => {
  const d = f.sub(f.x, f.mean(f.x));
  return { d, v: f.add(f.mean(f.pow(d, 2)), eps) };
};
/** As Keras and TensorFlow write it. */
const moments = (f: Form, gamma: readonly number[] | null, beta: readonly number[] | null): string => {
  const mean = f.mean(f.x);
  const d = f.sub(f.x, mean);
  const root = f.f("rsqrt", f.add(1e-3, f.mean(f.mul(f.sub(f.x, mean), d))));
  const inverse = gamma ? f.op("mul", [root, gamma]) : root;
  const shift = f.mul(mean, inverse);
  return beta ? f.add(f.mul(f.x, inverse), f.op("sub", [beta, shift])) : f.sub(f.mul(f.x, inverse), shift);
};
const G = [0.5, -1, 2, 1.5];
const B = [0.1, 0.2, -0.3, 0];

const FORMS: readonly [string, string, Attrs, Write][] = [
  ["hard_swish", "x * relu6(x + 3) / 6", {}, (f) => f.div(f.mul(f.x, gate(f)), 6)],
  ["hard_swish", "relu6(3 + x) * (x * 1/6)", {}, (f) => f.mul(gate(f), f.mul(f.x, 1 / 6))],
  [
    "hard_swish",
    "x * (clip(x + 3, 0, 6) * 0.16666667)",
    {},
    (f) => {
      return f.mul(f.x, f.mul(f.clip(f.add(f.x, 3), 0, 6), 0.16666667));
    },
  ],
  [
    "hard_swish",
    "x * min(max(x + 3, 0), 6) / 6",
    {},
    (f) => {
      return f.div(f.mul(f.x, f.op("min", [f.op("max", [f.add(f.x, 3), 0]), 6])), 6);
    },
  ],
  ["hard_swish", "x * hard_sigmoid(x)", {}, (f) => f.mul(f.x, f.f("hard_sigmoid", f.x, { alpha: 1 / 6, beta: 0.5 }))],
  ["hard_sigmoid", "relu6(x + 3) / 6", { alpha: 1 / 6, beta: 0.5 }, (f) => f.div(gate(f), 6)],
  [
    "hard_sigmoid",
    "clip(0.2 x + 0.5, 0, 1)",
    { alpha: 0.2, beta: 0.5 },
    (f) => {
      return f.clip(f.add(f.mul(0.2, f.x), 0.5), 0, 1);
    },
  ],
  ["sigmoid", "1 / (1 + exp(-x))", {}, (f) => f.div(1, f.add(1, f.f("exp", f.f("neg"))))],
  ["silu", "x * sigmoid(x)", {}, (f) => f.mul(f.x, f.f("sigmoid"))],
  ["silu", "sigmoid(x) * x", {}, (f) => f.mul(f.f("sigmoid"), f.x)],
  ["gelu", "x * 0.5 * (1 + erf(x / sqrt 2))", { approximate: "none" }, (f) => f.mul(f.mul(f.x, 0.5), f.add(1, erf(f)))],
  [
    "gelu",
    "0.5 * (x * (erf(x / sqrt 2) + 1))",
    { approximate: "none" },
    (f) => f.mul(0.5, f.mul(f.x, f.add(erf(f), 1))),
  ],
  [
    "gelu",
    "(0.5 * erf(0.70710678 x) + 0.5) * x",
    { approximate: "none" },
    (f) => {
      return f.mul(f.add(f.mul(f.f("erf", f.mul(0.70710678, f.x)), 0.5), 0.5), f.x);
    },
  ],
  [
    "gelu",
    "0.5 * x * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))",
    { approximate: "tanh" },
    (f) => {
      return f.mul(f.mul(0.5, f.x), f.add(1, f.f("tanh", cubic(f))));
    },
  ],
  [
    "gelu",
    "x * (0.5 * (1 + tanh(x * 0.7978845608 * (1 + 0.044715 x * x))))",
    { approximate: "tanh" },
    (f) => {
      const inner = f.mul(f.mul(f.x, 0.7978845608), f.add(1, f.mul(f.mul(0.044715, f.x), f.x)));
      return f.mul(f.x, f.mul(0.5, f.add(1, f.f("tanh", inner))));
    },
  ],
  [
    "gelu",
    "x * sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3))",
    { approximate: "tanh" },
    (f) => {
      return f.mul(f.x, f.f("sigmoid", f.mul(2, cubic(f))));
    },
  ],
  ["relu6", "clip(x, 0, 6)", {}, (f) => f.clip(f.x, 0, 6)],
  ["relu6", "max(min(x, 6), 0)", {}, (f) => f.op("max", [0, f.op("min", [f.x, 6])])],
  ["relu6", "min(relu(x), 6)", {}, (f) => f.op("min", [f.f("relu"), 6])],
  ["relu", "max(x, 0)", {}, (f) => f.op("max", [f.x, 0])],
  ["clip", "min(max(x, -1), 2)", { min: -1, max: 2 }, (f) => f.op("min", [f.op("max", [f.x, -1]), 2])],
  ["leaky_relu", "max(x, 0.25 x)", { alpha: 0.25 }, (f) => f.op("max", [f.x, f.mul(0.25, f.x)])],
  [
    "leaky_relu",
    "relu(x) - 0.25 relu(-x)",
    { alpha: 0.25 },
    (f) => f.sub(f.f("relu"), f.mul(0.25, f.f("relu", f.f("neg")))),
  ],
  [
    "leaky_relu",
    "select(x > 0, x, 0.25 x)",
    { alpha: 0.25 },
    (f) => {
      return f.op("select", [f.op("greater", [f.x, 0]), f.x, f.mul(f.x, 0.25)]);
    },
  ],
  ["prelu", "max(x, a x)", {}, (f) => f.op("max", [f.op("mul", [f.x, [0.1, 0.5, 0, 1]]), f.x])],
  [
    "prelu",
    "-a relu(-x) + relu(x)",
    {},
    (f) => f.add(f.op("mul", [[-0.5, 1, -2, -0.1], f.f("relu", f.mul(-1, f.x))]), f.f("relu")),
  ],
  [
    "prelu",
    "relu(x) + a (x - |x|) / 2",
    {},
    (f) => {
      const below = f.op("mul", [f.sub(f.x, f.f("abs")), [0.5, -1, 2, 0.1]]);
      return f.add(f.f("relu"), f.mul(below, 0.5));
    },
  ],
  [
    "softmax",
    "exp(x - max) / sum",
    { axis: 2 },
    (f) => {
      const e = f.f("exp", f.sub(f.x, f.f("reduce_max", f.x, { axes: [2], keepDims: true })));
      return f.div(e, f.f("reduce_sum", e, { axes: [2], keepDims: true }));
    },
  ],
  [
    "softmax",
    "exp(x) * (1 / sum), axis 1",
    { axis: 1 },
    (f) => {
      const e = f.f("exp");
      return f.mul(f.f("reciprocal", f.f("reduce_sum", e, { axes: [1], keepDims: true })), e);
    },
  ],
  [
    "layer_norm",
    "(x - mean) / sqrt(var + eps)",
    { axis: 2, epsilon: Math.fround(1e-5) },
    (f) => {
      const { d, v } = spread(f);
      return f.div(d, f.f("sqrt", v));
    },
  ],
  [
    "layer_norm",
    "gamma * ((x - mean) * rsqrt(var + eps)) + beta",
    { axis: 2, epsilon: Math.fround(1e-5) },
    (f) => {
      const { d, v } = spread(f);
      return f.op("add", [B, f.op("mul", [G, f.mul(f.pow(v, -0.5), d)])]);
    },
  ],
  [
    "layer_norm",
    "(x - mean) * (1 / sqrt(var + eps)) + beta",
    { axis: 2, epsilon: Math.fround(1e-5) },
    (f) => {
      const { d, v } = spread(f);
      return f.op("add", [f.mul(d, f.div(1, f.f("sqrt", v))), B]);
    },
  ],
  ["layer_norm", "x * inv + (beta - mean * inv)", { axis: 2, epsilon: Math.fround(1e-3) }, (f) => moments(f, G, B)],
  ["layer_norm", "x * inv - mean * inv", { axis: 2, epsilon: Math.fround(1e-3) }, (f) => moments(f, null, null)],
  [
    "layer_norm",
    "rows reshaped in between",
    { axis: 2, epsilon: Math.fround(1e-5) },
    (f) => {
      const rows = (x: string): string => f.f("reduce_mean", x, { axes: [2], keepDims: false });
      const kept = (x: string): string => f.f("reshape", x, { shape: [-1, 3, 1] });
      const mean = rows(f.x);
      const d = f.sub(f.x, kept(mean));
      const root = f.f("rsqrt", f.add(rows(f.mul(d, d)), 1e-5));
      return f.add(f.mul(f.x, kept(root)), kept(f.sub(0, f.mul(root, mean))));
    },
  ],
  [
    "group_norm",
    "instance normalisation",
    { groups: 4, epsilon: Math.fround(1e-5) },
    (f) => {
      const d = f.sub(f.x, f.mean(f.x, [1]));
      const root = f.f("sqrt", f.add(f.mean(f.mul(d, d), [1]), 1e-5));
      return f.op("add", [f.op("mul", [f.div(d, root), G]), B]);
    },
  ],
];

/** Whether a tensor is computed from another. */
function dependsOn(graph: Graph, tensor: string, other: string): boolean {
  const producers = producerOf(graph);
  const queue = [tensor];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (name === other) return true;
    queue.push(...(producers.get(name)?.inputs ?? []));
  }
  return false;
}

describe("forms that files spell out", () => {
  test.each(FORMS)("%s: %s", async (op, _, attrs, write) => {
    const f = new Form();
    const graph = f.build(write(f));
    const lean = canonicalise(graph);
    expect(ops(lean)).toEqual([op]);
    expect(lean.nodes[0]!.attrs).toEqual(
      Object.fromEntries(Object.entries(attrs).map(([k, v]) => [k, typeof v === "number" ? expect.closeTo(v, 6) : v])),
    );
    expect(lean.nodes[0]!.outputs[0]).toBe(graph.outputs[0]!.tensor);
    expect(canonicalise(lean)).toBe(lean);
    for (const batch of [1, 3]) {
      expect(await difference(lean, graph, randomInputs(graph, batch, batch))).toBeLessThan(CONSTANTS);
    }
  });

  test.each(FORMS.filter(([, name]) => !/^(clip|max)\(x, /.test(name) && !name.startsWith("x * hard")))(
    "%s stays spelled out where an inner value is used elsewhere: %s",
    async (_, name, __, write) => {
      const f = new Form();
      const y = write(f);
      const written = f.build(y);
      const made = written.nodes.filter((n) => n.outputs[0] !== y).map((n) => n.outputs[0]!);
      for (const inner of made) {
        const g = new Form();
        const graph = g.build(write(g), inner);
        const lean = canonicalise(graph);
        const [whole, part] = lean.outputs as [Port, Port];
        expect(dependsOn(lean, whole.tensor, part.tensor), `${name} with ${inner}`).toBe(true);
        expect(await difference(lean, graph, randomInputs(graph, 2))).toBeLessThan(CONSTANTS);
      }
    },
  );
});

/** Other constants, operands and axes: the values must stay, and the operator must not appear. */
const OTHERS: readonly [string, string, Write][] = [
  ["hard_swish", "x * relu6(x + 2.99) / 6", (f) => f.div(f.mul(f.x, f.f("relu6", f.add(f.x, 2.99))), 6)],
  ["hard_swish", "x * relu6(x + 3) / 5.99", (f) => f.div(f.mul(f.x, gate(f)), 5.99)],
  ["hard_swish", "|x| * relu6(x + 3) / 6", (f) => f.div(f.mul(f.f("abs"), gate(f)), 6)],
  ["hard_sigmoid", "relu6(x + 3) / 5", (f) => f.div(gate(f), 5)],
  ["hard_sigmoid", "clip(0.2 x + 0.5, 0, 1.1)", (f) => f.clip(f.add(f.mul(0.2, f.x), 0.5), 0, 1.1)],
  ["sigmoid", "1 / (2 + exp(-x))", (f) => f.div(1, f.add(2, f.f("exp", f.f("neg"))))],
  ["silu", "x * sigmoid(1.702 x)", (f) => f.mul(f.x, f.f("sigmoid", f.mul(1.702, f.x)))],
  ["silu", "|x| * sigmoid(x)", (f) => f.mul(f.f("abs"), f.f("sigmoid"))],
  ["gelu", "0.5 x (1 + erf(x / 1.4))", (f) => f.mul(f.mul(f.x, 0.5), f.add(1, f.f("erf", f.div(f.x, 1.4))))],
  ["gelu", "0.5 x (0.9 + erf(x / sqrt 2))", (f) => f.mul(f.mul(f.x, 0.5), f.add(0.9, erf(f)))],
  ["gelu", "0.5 |x| (1 + erf(x / sqrt 2))", (f) => f.mul(f.mul(f.f("abs"), 0.5), f.add(1, erf(f)))],
  [
    "gelu",
    "with 0.0448 x^3",
    (f) => {
      const inner = f.mul(S, f.add(f.x, f.mul(0.0448, f.pow(f.x, 3))));
      return f.mul(f.mul(0.5, f.x), f.add(1, f.f("tanh", inner)));
    },
  ],
  ["relu6", "clip(x, 0, 5)", (f) => f.clip(f.x, 0, 5)],
  ["relu", "max(x, 0.01)", (f) => f.op("max", [f.x, 0.01])],
  ["leaky_relu", "max(x, 1.5 x)", (f) => f.op("max", [f.x, f.mul(1.5, f.x)])],
  ["leaky_relu", "max(x, -0.5 x)", (f) => f.op("max", [f.x, f.mul(-0.5, f.x)])],
  ["leaky_relu", "max(x, 0.5 |x|)", (f) => f.op("max", [f.x, f.mul(0.5, f.f("abs"))])],
  [
    "leaky_relu",
    "select(x > 0.1, x, 0.25 x)",
    (f) => {
      return f.op("select", [f.op("greater", [f.x, 0.1]), f.x, f.mul(f.x, 0.25)]);
    },
  ],
  ["prelu", "max(x, a x), one above 1", (f) => f.op("max", [f.op("mul", [f.x, [0.1, 0.5, 0, 1.5]]), f.x])],
  [
    "softmax",
    "the sum of another axis",
    (f) => {
      const e = f.f("exp");
      return f.div(e, f.f("reduce_sum", e, { axes: [1, 2], keepDims: true }));
    },
  ],
  [
    "softmax",
    "the sum of something else",
    (f) => {
      return f.div(f.f("exp"), f.f("reduce_sum", f.f("exp", f.f("abs")), { axes: [2], keepDims: true }));
    },
  ],
  [
    "layer_norm",
    "another mean",
    (f) => {
      const d = f.sub(f.x, f.mean(f.f("abs")));
      return f.div(d, f.f("sqrt", f.add(f.mean(f.mul(d, d)), 1e-5)));
    },
  ],
  [
    "layer_norm",
    "the square of another",
    (f) => {
      const d = f.sub(f.x, f.mean(f.x));
      return f.div(d, f.f("sqrt", f.add(f.mean(f.mul(f.x, f.x)), 1e-5)));
    },
  ],
  [
    "layer_norm",
    "mean and variance over different axes",
    (f) => {
      const d = f.sub(f.x, f.mean(f.x, [1, 2]));
      return f.div(d, f.f("sqrt", f.add(f.mean(f.mul(d, d)), 1e-5)));
    },
  ],
];

describe("forms that only look alike", () => {
  test.each(OTHERS)("no %s: %s", async (op, _, write) => {
    const f = new Form();
    const graph = f.build(write(f));
    const lean = canonicalise(graph);
    expect(ops(lean)).not.toContain(op);
    expect(await difference(lean, graph, randomInputs(graph, 3))).toBeLessThan(CONSTANTS);
  });

  test("a value that a quantised source rounds stays", () => {
    const f = new Form();
    const sigmoid = f.f("sigmoid");
    f.b.annotate(sigmoid, { dtype: "i8", scale: [1 / 256], zeroPoint: [-128], axis: null });
    expect(ops(canonicalise(f.build(f.mul(f.x, sigmoid))))).toEqual(["sigmoid", "mul"]);
  });
});

test("sums of one tensor upon sums in front of a softmax are walked once, and are no attention", () => {
  const form = new Form();
  let x = form.x;
  for (let i = 0; i < 60; i++) x = form.add(x, form.mul(x, 0.25));
  const values = form.f("transpose", form.x, { perm: [0, 2, 1] });
  const y = form.op("matmul", [form.f("softmax", x, { axis: 2 }), values], { transposeA: false, transposeB: false });
  const graph = canonicalise(form.build(y));
  expect(graph.nodes.map((n) => n.op)).not.toContain("attention");
  expect(graph.nodes.map((n) => n.op)).toContain("softmax");
});
