import type { Graph } from "../types.js";
import { rewrite } from "./rewrite.js";

/**
 * A product with a fixed matrix is a dense layer: its columns are channels with a bias, a norm and an activation. A matrix
 * that is transposed first stays where others read it too (the table of tokens that is the output's weights as well).
 */
export function recogniseDense(graph: Graph): Graph {
  return rewrite(graph, new Set(["matmul"]), ({ inputs, attrs }, view) => {
    const [a, b] = inputs as [string, string];
    const data = view.floats(b);
    const { shape } = view.type(b);
    if (!data || shape.length !== 2 || attrs.transposeA === true || view.constant(a)) return null;
    if (attrs.transposeB !== true) return { op: "dense", inputs: [a, b] };
    if (view.readersOf(b).length > 1) return null;
    const [n, k] = shape as [number, number];
    const turned = data.map((_, i) => data[(i % n) * k + Math.floor(i / n)]!);
    return { op: "dense", inputs: [a, { name: "weights", shape: [k, n], data: turned }] };
  });
}
