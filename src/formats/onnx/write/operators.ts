import type { Graph, Node } from "../../../model/types.js";
import { elementwise } from "./elementwise.js";
import type { OperatorWriter } from "./forms.js";
import { byScales, movement } from "./movement.js";
import { networks } from "./networks.js";
import { hasOnlySteps, whyNoSteps } from "./steps.js";

/** Every operator that can be written, under its name in the IR. */
export const writers: Readonly<Record<string, OperatorWriter>> = { ...elementwise, ...movement, ...networks };

/** Why a node has no ONNX form, or null. */
export function unwritable(graph: Graph, node: Node): string | null {
  const { op, attrs, inputs } = node;
  if (!Object.hasOwn(writers, op)) return op;
  if (op === "pad" && attrs.mode === "symmetric") return "pad with mode symmetric";
  if (op === "quantize" && attrs.dtype === "i32") return "quantize to i32";
  if (hasOnlySteps(node)) return whyNoSteps(graph, node);
  if (op === "depthwise_conv2d" && !graph.tensors.get(inputs[1]!)!.data)
    return "depthwise_conv2d with computed weights";
  return null;
}

/** The operator set that came with the form in which a node is written; 13 for most. */
export function neededOpset(graph: Graph, { op, attrs, inputs }: Node): number {
  const shape = graph.tensors.get(inputs[0] ?? "")?.type.shape ?? [];
  switch (op) {
    case "hard_swish":
      return 14;
    case "layer_norm":
      return 17;
    case "gelu":
      return 20;
    case "group_norm":
      return attrs.groups === shape.at(-1) && shape.length > 2 ? 13 : 21;
    case "pad":
      return attrs.mode === "wrap" ? 19 : 13;
    case "avg_pool2d":
      return attrs.dilations || attrs.padsCounted ? 19 : 13;
    case "resize": {
      if (attrs.coordinates === "half_pixel_symmetric") return 19;
      return byScales(shape, attrs as unknown as Parameters<typeof byScales>[1]) ? 13 : 18;
    }
    default:
      return 13;
  }
}
