import { isConstant, producerOf, typeOf } from "../graph.js";
import { GraphPatch } from "../patch.js";
import type { Attrs, Graph, Node, Quantisation, Tensor } from "../types.js";
import { removeDeadNodes } from "./dead-nodes.js";
import { IntegerKernels, sameScale } from "./integer-kernels.js";
import { unrollIntegerLstms } from "./integer-lstm.js";

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
 * gives a scale is rounded to what that scale can hold. With `away`, products and sums are computed on integers and multiplied
 * in fixed point, as TFLite's reference kernels do it. Everything else is computed on reals and rounded right after; what
 * lies between two tensors with scales (a sum and its fused activation) stays exact then. Values that are multiples of their
 * scale already are left alone; rounding them again would give the same numbers.
 *
 * @param rounding of quotients half way between two integers: `away` from zero as TFLite, to `even` as ONNX Runtime
 */
export function simulateQuantisation(source: Graph, rounding: "away" | "even" = "away"): Graph {
  const graph = rounding === "away" ? unrollIntegerLstms(source) : source;
  const producers = producerOf(graph);
  const patch = new GraphPatch(graph);
  const kernels = new IntegerKernels(graph, producers, patch);
  const moved = new Map<string, Quantisation>();
  const dropped = new Set<string>();
  for (const name of activations(graph)) {
    const quant = graph.tensors.get(name)!.quant;
    if (!quant || typeOf(graph, name).dtype !== "f32" || isOnGrid(graph, producers.get(name), quant)) continue;
    let rounded = rounding === "away" ? kernels.compute(name, quant) : null;
    if (rounded === null) {
      rounded = patch.node("fake_quantize", [name], attrsOf(quant, rounding), `${name}/quantised`)[0]!;
      kernels.rounded(name, rounded);
    }
    patch.redirect(name, rounded);
    moved.set(rounded, quant);
    dropped.add(name);
  }
  if (moved.size === 0) return graph;
  const result = removeDeadNodes(patch.apply());
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of result.tensors) {
    const { quant: own, ...plain } = tensor;
    const quant = moved.get(name) ?? (dropped.has(name) ? undefined : own);
    tensors.set(name, quant ? { ...plain, quant } : plain);
  }
  return { ...result, tensors };
}

function attrsOf({ dtype, scale, zeroPoint, axis }: Quantisation, rounding: "away" | "even"): Attrs {
  return { dtype, scale: [...scale], zeroPoint: [...zeroPoint], axis, rounding };
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
