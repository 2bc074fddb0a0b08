import type { Node, Shape } from "../../../model/types.js";
import { permute } from "../../shared/permute.js";
import { biasName } from "../producer.js";
import type { Attributes, OnnxWriter } from "./context.js";
import { anyOrder, windowAttributes, type OperatorWriter } from "./forms.js";

/** Weights of a convolution, [kh, kw, ci, co] in the graph, in the order `perm`; computed ones through a node. */
function weights(w: OnnxWriter, k: string, layout: string, perm: readonly number[]): string {
  const { shape } = w.type(k);
  const { data } = w.graph.tensors.get(k)!;
  if (!data) {
    return w.add("Transpose", "", [w.plain(k)], w.freshName(`${k}/${layout}`), { perm });
  }
  const moved = perm.map((p) => shape[p]!);
  return w.constant(k, layout, moved, () => permute(data, shape, perm));
}

interface PoolAttrs {
  readonly kernel: number[];
  readonly strides: number[];
  readonly pads: number[];
  readonly dilations?: number[];
  readonly countIncludePad?: boolean;
  readonly padsCounted?: number[];
}

function pool(opType: string): OperatorWriter {
  return (w, node, a: PoolAttrs) => {
    const { padsCounted } = a;
    w.emitFirst(node, opType, [w.first(node.inputs[0]!)], {
      ...(padsCounted && { ceil_mode: 1 }),
      ...(a.countIncludePad ? { count_include_pad: 1 } : {}),
      kernel_shape: a.kernel,
      ...windowAttributes({ ...a, pads: padsCounted ?? a.pads }),
    });
  };
}

/** Scale and bias of a normalisation: ONNX wants what the IR may leave out. */
function scaleAndBias(w: OnnxWriter, node: Node, shape: Shape): string[] {
  const [, gamma, beta] = node.inputs;
  const size = shape.reduce((n, d) => n * d, 1);
  const all = (value: number, name: string): string =>
    w.literal(`${node.name}/${name}`, "f32", shape, new Array<number>(size).fill(value));
  return [gamma === undefined ? all(1, "ones") : w.plain(gamma), beta === undefined ? all(0, "zeros") : w.plain(beta)];
}

interface RecurrentAttrs {
  readonly direction: string;
  readonly activations: readonly string[];
  readonly clip: number | null;
  readonly hardSigmoid?: readonly [number, number];
  readonly linearBeforeReset?: boolean;
}

const ACTIVATIONS: Readonly<Record<string, string>> = {
  sigmoid: "Sigmoid",
  tanh: "Tanh",
  relu: "Relu",
  hard_sigmoid: "HardSigmoid",
  linear: "Affine",
};

/** A state for all samples, [D, 1, H], is repeated for the batch of x; states of zeros are ONNX's default. */
function state(w: OnnxWriter, node: Node, name: string, x: string): string {
  const { data } = w.graph.tensors.get(name)!;
  if (data && (data as Float32Array).every((v) => v === 0)) return "";
  const [d, b, h] = w.type(name).shape as [number, number, number];
  const batch = w.type(x);
  if (w.type(name).batchAxis === batch.batchAxis && b === batch.shape[1]) return w.plain(name);
  const step = (op: string, inputs: string[], suffix: string, attributes: Attributes = {}): string =>
    w.add(op, "", inputs, w.freshName(`${node.name}/${suffix}`), attributes);
  const number = (v: number): string => w.literal(`${node.name}/${v}`, "i64", [1], [v], `list ${v}`);
  const samples = step("Gather", [step("Shape", [w.plain(x)], "shape"), number(1)], "samples");
  const target = step("Concat", [number(d), samples, number(h)], "target", { axis: 0 });
  return step("Expand", [w.plain(name), target], "state");
}

function recurrent(opType: string, states: number): OperatorWriter {
  return (w, node, a: RecurrentAttrs) => {
    const [x, k, r, b, ...more] = node.inputs as [string, string, string, string?, ...string[]];
    const operands = [w.plain(x), w.plain(k), w.plain(r), b === undefined ? "" : w.plain(b), ""];
    for (let i = 0; i < states; i++) operands.push(more[i] === undefined ? "" : state(w, node, more[i]!, x));
    if (more[states] !== undefined) operands.push(w.plain(more[states]));
    while (operands.at(-1) === "") operands.pop();
    const [alpha, beta] = a.hardSigmoid ?? [0.2, 0.5];
    // Only the functions that have parameters take them off these lists, in turn.
    const shaped = a.activations.filter((f) => f === "linear" || f === "hard_sigmoid");
    const ofEach = (hard: number, linear: number): { floats: number[] } => ({
      floats: shaped.map((f) => (f === "linear" ? linear : hard)),
    });
    w.emitMany(
      node,
      opType,
      operands,
      {
        activations: { strings: a.activations.map((f) => ACTIVATIONS[f]!) },
        ...(shaped.length > 0 && { activation_alpha: ofEach(alpha, 1), activation_beta: ofEach(beta, 0) }),
        ...(a.clip !== null && { clip: { float: a.clip } }),
        direction: a.direction,
        hidden_size: w.type(r).shape[2]!,
        ...(a.linearBeforeReset && { linear_before_reset: 1 }),
      },
      node.outputs.map(() => null),
    );
  };
}

export const networks: Readonly<Record<string, OperatorWriter>> = {
  conv2d(w, node, attrs) {
    const [x, k, ...bias] = node.inputs as [string, string, ...string[]];
    const [kh, kw] = w.type(k).shape as unknown as [number, number];
    w.emitFirst(node, "Conv", [w.first(x), weights(w, k, "oihw", [3, 2, 0, 1]), ...bias.map((b) => w.plain(b))], {
      ...(attrs.groups > 1 ? { group: attrs.groups } : {}),
      kernel_shape: [kh, kw],
      ...windowAttributes(attrs),
    });
  },
  depthwise_conv2d(w, node, attrs) {
    const [x, k, ...bias] = node.inputs as [string, string, ...string[]];
    const [kh, kw, c, m] = w.type(k).shape as unknown as [number, number, number, number];
    const data = w.graph.tensors.get(k)!.data!;
    const moved = w.constant(k, "depthwise", [c * m, 1, kh, kw], () => permute(data, [kh, kw, c * m], [2, 0, 1]));
    w.emitFirst(node, "Conv", [w.first(x), moved, ...bias.map((b) => w.plain(b))], {
      group: c,
      kernel_shape: [kh, kw],
      ...windowAttributes(attrs),
    });
  },
  conv_transpose2d(w, node, attrs) {
    const [x, k, ...bias] = node.inputs as [string, string, ...string[]];
    const [kh, kw] = w.type(k).shape as unknown as [number, number];
    const moved = weights(w, k, "iohw", [2, 3, 0, 1]);
    w.emitFirst(node, "ConvTranspose", [w.first(x), moved, ...bias.map((b) => w.plain(b))], {
      ...(attrs.groups > 1 ? { group: attrs.groups } : {}),
      kernel_shape: [kh, kw],
      ...(attrs.outputPads.some((p: number) => p > 0) && { output_padding: attrs.outputPads }),
      ...windowAttributes(attrs),
    });
  },
  dense(w, node) {
    const [x, k, b] = node.inputs as [string, string, string | undefined];
    const inputs = [w.plain(x), w.plain(k)];
    if (w.type(x).shape.length === 2) return w.emit(node, "Gemm", b === undefined ? inputs : [...inputs, w.plain(b)]);
    if (b === undefined) return w.emit(node, "MatMul", inputs);
    const product = w.add("MatMul", node.name, inputs, w.freshName(`${node.name}/product`));
    w.emit({ ...node, name: biasName(node.name) }, "Add", [product, w.plain(b)]);
  },
  matmul(w, node, { transposeA, transposeB }) {
    const inputs = node.inputs.map((x) => w.plain(x)) as [string, string];
    if (!transposeA && !transposeB) return w.emit(node, "MatMul", inputs);
    const ranks = node.inputs.map((x) => w.type(x).shape.length) as [number, number];
    if (ranks.every((rank) => rank === 2)) {
      return w.emit(node, "Gemm", inputs, { transA: Number(transposeA), transB: Number(transposeB) });
    }
    const turned = (i: 0 | 1): string => {
      const perm = Array.from({ length: ranks[i] }, (_, k) => k);
      perm.push(...perm.splice(-2).reverse());
      return w.add("Transpose", "", [inputs[i]], w.freshName(`${node.name}/${"ab"[i]}`), { perm });
    };
    w.emit(node, "MatMul", [transposeA ? turned(0) : inputs[0], transposeB ? turned(1) : inputs[1]]);
  },
  batch_norm(w, node, { epsilon }) {
    const [x, ...parameters] = node.inputs as [string, ...string[]];
    const inputs = parameters.map((p) => w.plain(p));
    const attributes = { epsilon: { float: epsilon as number } };
    if (w.type(x).shape.length > 2) w.emitFirst(node, "BatchNormalization", [w.first(x), ...inputs], attributes);
    else w.emit(node, "BatchNormalization", [w.plain(x), ...inputs], attributes);
  },
  layer_norm(w, node, { axis, epsilon }) {
    const [x, , beta] = node.inputs as [string, string?, string?];
    const scale = scaleAndBias(w, node, w.type(x).shape.slice(axis)).slice(0, beta === undefined ? 1 : 2);
    w.emit(node, "LayerNormalization", [w.plain(x), ...scale], { axis, epsilon: { float: epsilon } });
  },
  group_norm(w, node, { groups, epsilon }) {
    const [x] = node.inputs as [string];
    const { shape } = w.type(x);
    const scale = scaleAndBias(w, node, [shape.at(-1)!]);
    const single = groups === shape.at(-1) && shape.length > 2;
    const opType = single ? "InstanceNormalization" : "GroupNormalization";
    const attributes = { epsilon: { float: epsilon }, ...(!single && { num_groups: groups }) };
    if (shape.length > 2) w.emitFirst(node, opType, [w.first(x), ...scale], attributes);
    else w.emit(node, opType, [w.plain(x), ...scale], attributes);
  },
  softmax: anyOrder("Softmax", ({ axis }, at) => ({ axis: at(axis) })),
  max_pool2d: pool("MaxPool"),
  avg_pool2d: pool("AveragePool"),
  lstm: recurrent("LSTM", 2),
  gru: recurrent("GRU", 1),
  rnn: recurrent("RNN", 1),
};
