/** Cutting atoms out of a graph: constants are sliced, attributes follow, shapes are inferred anew. */
import type { Group } from "./coupling.js";
import { IdapError } from "./errors.js";
import { getOp } from "./ops/index.js";
import { allocate, sizeOf, stridesOf } from "./types.js";
import type { Graph, Node, Quantisation, Tensor, TensorData, TensorType } from "./types.js";
import { verify } from "./verify.js";

/** What an operator's `cut` rule sees: operand types before the cut and the indices that stay. */
export interface CutContext {
  readonly inputTypes: readonly TensorType[];
  readonly outputTypes: readonly TensorType[];
  /** Ascending indices that stay on this axis (all of them when nothing is cut there). */
  keptInput(i: number, axis: number): readonly number[];
  keptOutput(i: number, axis: number): readonly number[];
}

/** Atoms of one group that go, by their `id`. */
export interface GroupCut {
  readonly group: Group;
  readonly atoms: readonly number[];
}

/** tensor → axis → indices that stay. */
type Kept = Map<string, Map<number, number[]>>;

/**
 * A new graph without the given atoms.
 * Throws E_CUT when an atom is frozen, or when a tensor would be left without any index on an axis.
 */
export function cutAtoms(graph: Graph, cuts: readonly GroupCut[]): Graph {
  const kept = keptIndices(graph, cuts);
  if (kept.size === 0) return graph;
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of graph.tensors) {
    const axes = kept.get(name);
    tensors.set(name, axes ? cutTensor(tensor, axes) : tensor);
  }
  const nodes = graph.nodes.map((node) => cutNode(graph, node, kept));
  const result = { ...graph, tensors, nodes };
  // Infers every shape again: a rule that forgot an axis is found here, with the node's name.
  return verify(result);
}

function keptIndices(graph: Graph, cuts: readonly GroupCut[]): Kept {
  const dead = new Map<string, Map<number, Set<number>>>();
  for (const { group, atoms } of cuts) {
    for (const id of atoms) {
      const atom = group.atoms[id];
      if (!atom) {
        throw new IdapError("E_CUT", `group ${group.id} has ${group.atoms.length} channels, there is no ${id}`);
      }
      if (atom.frozen !== null) {
        throw new IdapError("E_CUT", `channel ${id} of group ${group.id} cannot be cut because of ${atom.frozen}`);
      }
      for (const { tensor, axis, indices } of atom.members) {
        let axes = dead.get(tensor);
        if (!axes) dead.set(tensor, (axes = new Map<number, Set<number>>()));
        let set = axes.get(axis);
        if (!set) axes.set(axis, (set = new Set()));
        for (const i of indices) set.add(i);
      }
    }
  }
  const kept: Kept = new Map();
  for (const [name, axes] of dead) {
    const byAxis = new Map<number, number[]>();
    for (const [axis, set] of axes) {
      const extent = graph.tensors.get(name)!.type.shape[axis]!;
      const stay: number[] = [];
      for (let i = 0; i < extent; i++) if (!set.has(i)) stay.push(i);
      if (stay.length === 0) {
        throw new IdapError(
          "E_CUT",
          `cutting all ${extent} channels of "${name}" would leave nothing`,
          "Keep at least one.",
        );
      }
      byAxis.set(axis, stay);
    }
    kept.set(name, byAxis);
  }
  return kept;
}

function cutTensor(tensor: Tensor, axes: ReadonlyMap<number, readonly number[]>): Tensor {
  let { shape } = tensor.type;
  let { data, quant } = tensor;
  for (const [axis, stay] of axes) {
    if (data) data = sliceAxis(data, tensor.type.dtype, shape, axis, stay);
    if (quant?.axis === axis) quant = sliceQuantisation(quant, stay);
    shape = shape.map((d, i) => (i === axis ? stay.length : d));
  }
  return { ...tensor, type: { ...tensor.type, shape }, ...(data && { data }), ...(quant && { quant }) };
}

function sliceAxis(
  data: TensorData,
  dtype: TensorType["dtype"],
  shape: readonly number[],
  axis: number,
  stay: readonly number[],
): TensorData {
  const inner = stridesOf(shape)[axis]!;
  const run = shape[axis]! * inner;
  const outer = sizeOf(shape) / run;
  const out = allocate(dtype, outer * stay.length * inner);
  let to = 0;
  for (let o = 0; o < outer; o++)
    for (const i of stay) {
      const from = o * run + i * inner;
      out.set(data.subarray(from, from + inner) as never, to);
      to += inner;
    }
  return out;
}

function sliceQuantisation(quant: Quantisation, stay: readonly number[]): Quantisation {
  const pick = (values: readonly number[]): readonly number[] =>
    values.length === 1 ? values : stay.map((i) => values[i]!);
  return { ...quant, scale: pick(quant.scale), zeroPoint: pick(quant.zeroPoint) };
}

function cutNode(graph: Graph, node: Node, kept: Kept): Node {
  const op = getOp(node.op);
  if (!op.cut || ![...node.inputs, ...node.outputs].some((name) => kept.has(name))) return node;
  const typeOf = (name: string): TensorType => graph.tensors.get(name)!.type;
  const keptOf = (name: string, axis: number): readonly number[] => {
    const { shape } = typeOf(name);
    const a = axis < 0 ? axis + shape.length : axis;
    return kept.get(name)?.get(a) ?? Array.from({ length: shape[a]! }, (_, i) => i);
  };
  const context: CutContext = {
    inputTypes: node.inputs.map(typeOf),
    outputTypes: node.outputs.map(typeOf),
    keptInput: (i, axis) => keptOf(node.inputs[i]!, axis),
    keptOutput: (i, axis) => keptOf(node.outputs[i]!, axis),
  };
  return { ...node, attrs: op.cut(context, node.attrs) as Node["attrs"] };
}
