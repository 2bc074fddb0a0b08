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
 * With `away`, sums are rounded as TFLite's fixed-point kernels do it, in two steps.
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
    const attrs: Attrs = {
      dtype,
      scale: [...scale],
      zeroPoint: [...zeroPoint],
      axis,
      ...(rounding === "away" ? fixedPoint(graph, producers, name, quant) : { rounding }),
    };
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

/** Operators whose kernels multiply a 32-bit sum by a fixed-point number. Fully connected layers round in 64 bits, once. */
const MULTIPLYING = new Set(["conv2d", "depthwise_conv2d", "mul"]);
/** Operators whose kernels average the codes themselves, zero point included. */
const AVERAGING = new Set(["avg_pool2d", "resize"]);
/** What a kernel applies to its codes as bounds. */
const BOUNDING = new Set(["relu", "relu6", "clip"]);

/**
 * How TFLite's kernels come to the codes of a tensor, beside its scale. A sum is multiplied by m 2^-k, m in [1/2, 1): the
 * product with m is rounded, halves up, then shifted by k and rounded again, so k bits are kept in between.
 */
function fixedPoint(
  graph: Graph,
  producers: ReadonlyMap<string, Node>,
  name: string,
  { scale, axis }: Quantisation,
): Attrs {
  let node = producers.get(name);
  while (node && BOUNDING.has(node.op)) node = producers.get(node.inputs[0]!);
  if (!node || axis !== null) return {};
  if (AVERAGING.has(node.op)) return { rounding: "code" };
  const [a, b] = node.inputs.map((input) => graph.tensors.get(input)!.quant);
  if (!MULTIPLYING.has(node.op) || !a || !b || a.axis !== null) return {};
  const channels = typeOf(graph, name).shape.at(-1);
  if (b.scale.length !== 1 && b.scale.length !== channels) return {};
  return { bits: b.scale.map((s) => keptBits((a.scale[0]! * s) / scale[0]!)) };
}

/** k of a multiplier m 2^-k; more than 15 bits make no difference, below 0 the sum is shifted before. */
function keptBits(multiplier: number): number {
  return Math.min(Math.max(-Math.floor(Math.log2(multiplier)) - 1, 0), 15);
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
