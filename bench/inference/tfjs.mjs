// The network as direct tfjs-core calls on backend-wasm (one thread), bias and activation fused as its converter would.
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(import.meta.url);
let tf = null;

async function init() {
  if (tf) return tf;
  tf = require("@tensorflow/tfjs-core");
  const wasm = require("@tensorflow/tfjs-backend-wasm");
  require("@tensorflow/tfjs-backend-cpu");
  wasm.setWasmPaths(`${path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/dist/`);
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  await tf.setBackend("wasm");
  await tf.ready();
  if (tf.getBackend() !== "wasm") throw new Error(`tfjs fell back to ${tf.getBackend()}`);
  return tf;
}

/** 'same' and 'valid' where they say the same as the numbers, since those are tfjs's common paths. */
function padding([t, l, b, r], [h, w], [kh, kw], [sh, sw]) {
  if (t + l + b + r === 0) return "valid";
  const same = (size, k, s) => Math.max(0, (Math.ceil(size / s) - 1) * s + k - size);
  const [v, u] = [same(h, kh, sh), same(w, kw, sw)];
  if (t + b === v && l + r === u && t === v >> 1 && l === u >> 1) return "same";
  return [
    [0, 0],
    [t, b],
    [l, r],
    [0, 0],
  ];
}

export async function tfjsCandidate(graph, input) {
  const t = await init();
  const weights = new Map();
  for (const [name, { data, type }] of graph.tensors)
    if (data) weights.set(name, t.tensor(data, [...type.shape], "float32"));
  const uses = new Map();
  for (const n of graph.nodes) for (const i of n.inputs) uses.set(i, (uses.get(i) ?? 0) + 1);
  const activation = new Map(); // output of a weighted node -> the relu that follows it alone
  for (const n of graph.nodes) {
    const from = graph.nodes.find((m) => m.outputs[0] === n.inputs[0]);
    if ((n.op === "relu" || n.op === "relu6") && /conv2d|dense/.test(from?.op ?? "") && uses.get(n.inputs[0]) === 1) {
      activation.set(n.inputs[0], n);
    }
  }
  const fused = new Set([...activation.values()]);
  const shape = (name) => graph.tensors.get(name).type.shape;
  const nodes = graph.nodes.filter((n) => !fused.has(n));

  const apply = (n, get) => {
    const [x, w, b] = n.inputs.map(get);
    const act = activation.get(n.outputs[0])?.op ?? "linear";
    const [, h, width] = shape(n.inputs[0]);
    switch (n.op) {
      case "conv2d":
      case "depthwise_conv2d": {
        const { strides, pads, dilations } = n.attrs;
        const pad = padding(pads, [h, width], shape(n.inputs[1]), strides);
        const f = n.op === "conv2d" ? t.fused.conv2d : t.fused.depthwiseConv2d;
        return f({ x, filter: w, bias: b, strides, pad, dilations, activation: act });
      }
      case "dense":
        return t.fused.matMul({ a: x, b: w, bias: b, activation: act });
      case "add":
        return t.add(x, w);
      case "mul":
        return t.mul(x, w);
      case "relu":
        return t.relu(x);
      case "relu6":
        return t.relu6(x);
      case "avg_pool2d":
        return t.avgPool(
          x,
          n.attrs.kernel,
          n.attrs.strides,
          padding(n.attrs.pads, [h, width], n.attrs.kernel, n.attrs.strides),
        );
      case "max_pool2d":
        return t.maxPool(
          x,
          n.attrs.kernel,
          n.attrs.strides,
          padding(n.attrs.pads, [h, width], n.attrs.kernel, n.attrs.strides),
        );
      case "reduce_mean":
        return t.mean(x, n.attrs.axes, n.attrs.keepDims);
      case "reshape":
        return t.reshape(x, [...shape(n.outputs[0])]);
      case "softmax":
        return t.softmax(x, n.attrs.axis);
      default:
        throw new Error(`the tfjs candidate has no ${n.op}`);
    }
  };
  const [port] = graph.inputs;
  const [out] = graph.outputs;
  return {
    name: "tfjs-wasm",
    run() {
      // Returning the tensor, not its values: tidy walks all elements of a typed array.
      const y = t.tidy(() => {
        const values = new Map([[port.tensor, t.tensor(input, [...shape(port.tensor)], "float32")]]);
        const get = (name) => values.get(name) ?? weights.get(name);
        for (const n of nodes) {
          const v = apply(n, get);
          values.set(n.outputs[0], v);
          const act = activation.get(n.outputs[0]);
          if (act) values.set(act.outputs[0], v);
        }
        return values.get(out.tensor);
      });
      const data = y.dataSync();
      y.dispose();
      return data;
    },
  };
}
