/** Rewrites an NHWC graph as tools export it from NCHW: transposes around every operator that works in NHWC here. */
import { GraphBuilder } from "../../src/model/builder.js";
import { sizeOf, type Graph, type TensorType } from "../../src/model/types.js";

const TO_NHWC = [0, 2, 3, 1];
const TO_NCHW = [0, 3, 1, 2];
const WRAPPED = new Set(["conv2d", "depthwise_conv2d", "max_pool2d", "avg_pool2d", "batch_norm"]);

const isImage = (t: TensorType): boolean => t.shape.length === 4 && t.batchAxis === 0;
const toNchw = <T>(list: readonly T[]): T[] => TO_NCHW.map((k) => list[k]!);
const axisNchw = (axis: number): number => TO_NCHW.indexOf(axis);

/** Same network, same ports, but images are NCHW at the interface and everywhere between wrapped operators. */
export function exportNchw(graph: Graph): Graph {
  const b = new GraphBuilder(graph.name);
  const type = (name: string): TensorType => graph.tensors.get(name)!.type;
  const names = new Map<string, string>();
  /** Flattened images: their rows are in NCHW order, so the weights of the dense behind them must be too. */
  const flat = new Map<string, readonly number[]>();
  for (const p of graph.inputs) {
    const t = type(p.tensor);
    names.set(p.tensor, b.input(p.name, isImage(t) ? { ...t, shape: toNchw(t.shape) } : t));
  }
  for (const t of graph.tensors.values()) {
    if (t.data) names.set(t.name, b.constant(t.name, t.type.dtype, t.type.shape, t.data));
  }
  const name = (tensor: string): string => names.get(tensor)!;

  for (const node of graph.nodes) {
    const [first] = node.inputs as [string];
    const image = isImage(type(first));
    let attrs: Record<string, unknown> = { ...node.attrs };
    let inputs = node.inputs.map(name);
    if (WRAPPED.has(node.op) && image) {
      const x = b.node("transpose", [inputs[0]!], { perm: TO_NHWC })[0]!;
      const y = b.node(node.op, [x, ...inputs.slice(1)], attrs, { name: node.name })[0]!;
      names.set(node.outputs[0]!, b.node("transpose", [y], { perm: TO_NCHW })[0]!);
      continue;
    }
    if (node.op === "add" || node.op === "mul") {
      inputs = node.inputs.map((n) => {
        const { shape } = type(n);
        const perChannel = graph.tensors.get(n)!.data && shape.length === 1 && isImage(type(node.outputs[0]!));
        return perChannel ? b.node("reshape", [name(n)], { shape: [shape[0]!, 1, 1] })[0]! : name(n);
      });
    }
    if (image && node.op === "concat") attrs = { axis: axisNchw(node.attrs.axis as number) };
    if (image && node.op === "softmax") attrs = { axis: axisNchw(node.attrs.axis as number) };
    if (image && (node.op === "pad" || node.op === "slice")) {
      attrs = Object.fromEntries(
        Object.entries(attrs).map(([k, v]) => [k, Array.isArray(v) ? toNchw(v as number[]) : v]),
      );
    }
    if (image && node.op.startsWith("reduce_")) {
      attrs = { ...attrs, axes: (node.attrs.axes as number[]).map(axisNchw).sort((p, q) => p - q) };
    }
    if (image && node.op === "reshape") flat.set(node.outputs[0]!, type(first).shape);
    if (node.op === "relu" && flat.has(first)) flat.set(node.outputs[0]!, flat.get(first)!);
    if (node.op === "dense" && flat.has(first)) {
      const [, h, w, c] = flat.get(first) as [number, number, number, number];
      const weights = graph.tensors.get(node.inputs[1]!)!;
      const n = weights.type.shape[1]!;
      const data = new Float32Array(sizeOf(weights.type.shape));
      for (let k = 0; k < c; k++)
        for (let p = 0; p < h * w; p++)
          for (let j = 0; j < n; j++)
            data[(k * h * w + p) * n + j] = (weights.data as Float32Array)[(p * c + k) * n + j]!;
      inputs[1] = b.constant(`${weights.name}/nchw`, "f32", weights.type.shape, data);
    }
    names.set(node.outputs[0]!, b.node(node.op, inputs, attrs, { name: node.name })[0]!);
  }
  for (const p of graph.outputs) b.output(name(p.tensor), p.name);
  return b.build();
}
