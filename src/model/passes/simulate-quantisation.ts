import { isConstant, producerOf, typeOf } from "../graph.js";
import { GraphPatch } from "../patch.js";
import type { Attrs, Graph, Node, Quantisation, Tensor } from "../types.js";

/** Operators that only choose among the values of their inputs. */
const CHOOSING = new Set([
  "reshape",
  "transpose",
  "slice",
  "concat",
  "gather",
  "tile",
  "broadcast_to",
  "max_pool2d",
  "reduce_max",
  "reduce_min",
]);

/**
 * The float graph of a quantised model with the rounding of its integer kernels: each activation that the source file
 * gives a scale is rounded to what that scale can hold, right after it is computed. What lies between two such
 * tensors (a sum and its fused activation) stays exact, as in a 32-bit accumulator, so every result is rounded once.
 * Values that are multiples of their scale already are left alone; rounding them again would give the same numbers.
 *
 * @param rounding of quotients half way between two integers: `away` from zero as TFLite, to `even` as ONNX Runtime
 */
export function simulateQuantisation(graph: Graph, rounding: "away" | "even" = "away"): Graph {
  const producers = producerOf(graph);
  const patch = new GraphPatch(graph);
  const moved = new Map<string, Quantisation>();
  const dropped = new Set<string>();
  for (const name of activations(graph)) {
    const quant = graph.tensors.get(name)!.quant;
    if (!quant || typeOf(graph, name).dtype !== "f32" || isOnGrid(graph, producers.get(name), quant)) continue;
    const { dtype, scale, zeroPoint, axis } = quant;
    const attrs: Attrs = { dtype, scale: [...scale], zeroPoint: [...zeroPoint], axis, rounding };
    const [rounded] = patch.node("fake_quantize", [name], attrs, `${name}/quantised`);
    patch.redirect(name, rounded!);
    moved.set(rounded!, quant);
    dropped.add(name);
  }
  if (moved.size === 0) return graph;
  const result = patch.apply();
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of result.tensors) {
    const { quant: own, ...plain } = tensor;
    const quant = moved.get(name) ?? (dropped.has(name) ? undefined : own);
    tensors.set(name, quant ? { ...plain, quant } : plain);
  }
  return { ...result, tensors };
}

/** Inputs and what nodes compute, in graph order. */
function activations(graph: Graph): string[] {
  return [...graph.inputs.map((port) => port.tensor), ...graph.nodes.flatMap((node) => node.outputs)];
}

/** Whether a node gives only multiples of the scale, because it rounds to them or chooses among such values. */
function isOnGrid(graph: Graph, node: Node | undefined, quant: Quantisation): boolean {
  if (!node) return false;
  if (node.op === "fake_quantize" || node.op === "dequantize") return sameScale(node.attrs, quant);
  if (!CHOOSING.has(node.op)) return false;
  return node.inputs
    .filter((name) => typeOf(graph, name).dtype === "f32")
    .every((name) => {
      const other = graph.tensors.get(name)!.quant;
      return other !== undefined && sameScale(other, quant) && !isConstant(graph, name);
    });
}

/** One scale and zero point for the whole tensor, the same for both. */
function sameScale(a: Partial<Quantisation>, b: Quantisation): boolean {
  return (
    a.axis === null &&
    b.axis === null &&
    a.scale?.[0] === b.scale[0] &&
    a.zeroPoint?.[0] === b.zeroPoint[0] &&
    (a.dtype ?? b.dtype) === b.dtype
  );
}
