import type { Graph, Node } from "../types.js";
import { rewrite, type Replacement, type View } from "./rewrite.js";

/** Operators that jump: a rounding in front of them can move their result by a whole step. */
const JUMPING = new Set([
  ...["floor", "ceil", "round", "sign", "cast", "quantize", "fake_quantize", "arg_reduce", "top_k"],
  ...["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"],
  ...["floor_div", "floor_mod", "mod_trunc"],
]);

const OPS = new Set(["div", "sub", "pow", "reciprocal", "reshape"]);

/**
 * Arithmetic in the forms that the other passes and the kernels know: a division by a constant is a product, a
 * constant subtracted is one added, 0 - x is -x, powers of 2, 1/2, -1/2 and -1 are a product, roots and quotients. Of two reshapes in
 * a row the last remains.
 */
export function normaliseArithmetic(graph: Graph): Graph {
  return rewrite(graph, OPS, (node, view) => {
    switch (node.op) {
      case "div":
        return division(node, view);
      case "sub":
        return subtraction(node, view);
      case "pow":
        return power(node, view);
      case "reciprocal":
        return quotient(node.inputs[0]!, view);
      default:
        return lastReshape(node, view);
    }
  });
}

function division(node: Node, view: View): Replacement | null {
  const [a, b] = node.inputs as [string, string];
  const divisor = view.floats(b);
  if (!divisor) return view.scalar(a) === 1 ? { op: "reciprocal", inputs: [b] } : null;
  const inverse = divisor.map((v) => 1 / v);
  if (!inverse.every((v) => Number.isFinite(v) && v !== 0)) return null;
  const exact = divisor.every((v, i) => v * inverse[i]! === 1);
  if (!exact && view.readersOf(node.outputs[0]!).some((reader) => JUMPING.has(reader.op))) return null;
  return { op: "mul", inputs: [a, { name: "inverse", shape: view.type(b).shape, data: inverse }] };
}

function subtraction(node: Node, view: View): Replacement | null {
  const [a, b] = node.inputs as [string, string];
  // Integer kernels round a difference in their own way, and the constant has the scale that they need.
  if (view.graph.tensors.get(node.outputs[0]!)!.quant) return null;
  if (view.scalar(a) === 0) return { op: "neg", inputs: [b] };
  const data = view.floats(b);
  return data && { op: "add", inputs: [a, { name: "negative", shape: view.type(b).shape, data: data.map((v) => -v) }] };
}

function power(node: Node, view: View): Replacement | null {
  const [x, exponent] = node.inputs as [string, string];
  switch (view.scalar(exponent)) {
    case 2:
      return { op: "mul", inputs: [x, x] };
    case 0.5:
      return { op: "sqrt", inputs: [x] };
    case -0.5:
      return { op: "rsqrt", inputs: [x] };
    case -1:
      return { op: "reciprocal", inputs: [x] };
    default:
      return null;
  }
}

/** 1 / sqrt(x). */
function quotient(name: string, view: View): Replacement | null {
  const root = view.maker(name, "sqrt");
  return root && { op: "rsqrt", inputs: root.inputs };
}

function lastReshape(node: Node, view: View): Replacement | null {
  const before = view.maker(node.inputs[0]!, "reshape");
  return before && { op: "reshape", inputs: before.inputs, attrs: node.attrs };
}
