/**
 * Peephole fusion: a step of a plan is one node, or a chain of nodes that one kernel computes in one pass over memory.
 *
 *   conv2d | dense | depthwise_conv2d [+ add] [+ relu | relu6]      (depthwise without add)
 *   batch_norm | batch_norm_train [+ add] [+ relu | relu6]
 *   conv2d_grad_input [+ add]                                       (gradients of two branches meet)
 *   relu_grad | relu6_grad + batch_norm_grad
 *
 * An intermediate tensor that anyone else reads, or that was asked for, keeps its chain apart.
 */
import { consumersOf, producerOf } from "../model/graph.js";
import { sameShape, type Graph, type Node, type Shape } from "../model/types.js";

export const ACTIVATIONS: Readonly<Record<string, number>> = { relu: 1, relu6: 2 };
const ACTIVATION_GRADS: Readonly<Record<string, number>> = { relu_grad: 1, relu6_grad: 2 };

export interface Step {
  readonly op: string;
  readonly name: string;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly inputs: readonly string[];
  /** The first is the end of the chain. */
  readonly outputs: readonly string[];
  /** Tensor of the output's shape that is added before the activation. */
  readonly addend?: string;
  /** 0 none, 1 relu, 2 relu6. */
  readonly act: number;
  /** batch_norm_grad of an activation's gradient: inputs[0] is masked by `output` first. */
  readonly mask?: { readonly output: string; readonly act: number; readonly masked: string; readonly keep: boolean };
}

const CAN_ADD = new Set(["conv2d", "dense", "batch_norm", "batch_norm_train", "conv2d_grad_input"]);
const CAN_ACTIVATE = new Set(["conv2d", "dense", "batch_norm", "batch_norm_train", "depthwise_conv2d"]);

/** As on the device: a depthwise convolution takes no addend, however it is written; grouped gradients are copied anyway. */
function takesAddend(node: Node, shape: (tensor: string) => Shape): boolean {
  if (!CAN_ADD.has(node.op)) return false;
  const groups = (node.attrs.groups as number | undefined) ?? 1;
  return groups === 1 || (node.op === "conv2d" && groups !== shape(node.inputs[0]!)[3]);
}

/** Steps of the graph in an order in which every step finds its inputs; `kept` are tensors that must exist. */
export function fuseGraph(graph: Graph, kept: ReadonlySet<string>): Step[] {
  const consumers = consumersOf(graph);
  const producers = producerOf(graph);
  const position = new Map(graph.nodes.map((node, i) => [node, i]));
  const only = (tensor: string): Node | null => {
    const readers = consumers.get(tensor);
    return !kept.has(tensor) && readers?.length === 1 ? readers[0]! : null;
  };
  const shape = (tensor: string): Shape => graph.tensors.get(tensor)!.type.shape;

  // Which node each add is joined to. Of convolutions the earlier, as on the device, so that sums have the same bits;
  // else the later, since the other operand is there by then and nothing has to wait for it.
  const addOf = new Map<Node, Node>();
  for (const node of graph.nodes) {
    if (node.op !== "add" || node.inputs[0] === node.inputs[1]) continue;
    if (!sameShape(shape(node.inputs[0]!), shape(node.inputs[1]!))) continue;
    const candidates = node.inputs
      .filter((tensor) => only(tensor) === node)
      .map((tensor) => producers.get(tensor))
      .filter((producer) => producer !== undefined)
      .filter((producer) => takesAddend(producer, shape))
      .sort((a, b) => position.get(a)! - position.get(b)!);
    const chosen = candidates.find(({ op }) => op === "conv2d" || op === "dense") ?? candidates[candidates.length - 1];
    if (chosen) addOf.set(chosen, node);
  }

  const swallowed = new Set<Node>();
  const placed: { at: number; step: Step }[] = [];
  for (const node of graph.nodes) {
    if (swallowed.has(node)) continue;
    const fused = fuseMaskedNorm(graph, node, consumers, kept);
    if (fused) {
      swallowed.add(fused.norm);
      placed.push({ at: position.get(node)!, step: fused.step });
      continue;
    }
    let at = position.get(node)!;
    let output = node.outputs[0]!;
    let addend: string | undefined;
    let act = 0;
    const add = addOf.get(node);
    if (add) {
      addend = add.inputs.find((tensor) => tensor !== output)!;
      output = add.outputs[0]!;
      at = Math.max(at, position.get(add)!);
      swallowed.add(add);
    }
    const next = CAN_ACTIVATE.has(node.op) ? only(output) : null;
    if (next && ACTIVATIONS[next.op] !== undefined) {
      act = ACTIVATIONS[next.op]!;
      output = next.outputs[0]!;
      swallowed.add(next);
    }
    const { op, name, attrs, inputs } = node;
    const step: Step = { op, name, attrs, inputs, outputs: [output, ...node.outputs.slice(1)], act };
    placed.push({ at, step: addend === undefined ? step : { ...step, addend } });
  }
  return placed.sort((a, b) => a.at - b.at).map(({ step }) => step);
}

/** relu_grad followed by batch_norm_grad of its result: one pass masks and sums. */
function fuseMaskedNorm(
  graph: Graph,
  node: Node,
  consumers: ReadonlyMap<string, readonly Node[]>,
  kept: ReadonlySet<string>,
): { norm: Node; step: Step } | null {
  const act = ACTIVATION_GRADS[node.op];
  if (act === undefined) return null;
  const masked = node.outputs[0]!;
  const readers = consumers.get(masked) ?? [];
  const norm = readers.find((reader) => reader.op === "batch_norm_grad" && reader.inputs[0] === masked);
  if (!norm) return null;
  // Its other inputs come from the forward pass; anything later would have to be waited for.
  const before = new Set(graph.nodes.slice(0, graph.nodes.indexOf(node)).flatMap((n) => n.outputs));
  const ready = (tensor: string): boolean =>
    before.has(tensor) ||
    graph.tensors.get(tensor)?.data !== undefined ||
    graph.inputs.some((p) => p.tensor === tensor);
  if (!norm.inputs.slice(1).every(ready)) return null;
  const keep = readers.length > 1 || kept.has(masked);
  return {
    norm,
    step: {
      op: norm.op,
      name: norm.name,
      attrs: norm.attrs,
      inputs: [node.inputs[0]!, ...norm.inputs.slice(1)],
      outputs: keep ? [...norm.outputs, masked] : norm.outputs,
      act: 0,
      mask: { output: node.inputs[1]!, act, masked, keep },
    },
  };
}
