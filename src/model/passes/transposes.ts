/**
 * Moves transposes towards the outputs and cancels them.
 *
 * One walk over the nodes. A transpose emits nothing: its output becomes a view (tensor, permutation). Operators that do
 * not mind the order of axes run on the viewed tensors with their attributes permuted, and their output is a view again;
 * the others get a real transpose in front, made once for each (tensor, permutation). A network whose every convolution
 * is wrapped as transpose, conv2d, transpose ends with transposes at its interface only.
 */
import { consumersOf, outputTensors } from "../graph.js";
import { GraphBuilder } from "../builder.js";
import { reshapeTarget } from "../ops/shared/broadcast.js";
import { inversePerm } from "../ops/transpose.js";
import {
  sizeOf,
  type Attrs,
  type Graph,
  type Node,
  type Quantisation,
  type Shape,
  type TensorData,
  type TensorType,
} from "../types.js";
import { removeDeadNodes } from "./dead-nodes.js";
import {
  composePerm,
  flatMap,
  identityPerm,
  isIdentity,
  keepsOrder,
  permuteData,
  regroup,
  relativePerm,
  type View,
} from "./layout-view.js";

/** A graph that computes the same with as few inner transposes as the operators allow. */
export function cancelTransposes(graph: Graph): Graph {
  if (!graph.nodes.some((n) => n.op === "transpose")) return graph;
  return removeDeadNodes(new Mover(graph).run());
}

/** Element by element, without a word about axes. */
const UNARY = new Set([
  ...[
    "relu",
    "relu6",
    "sigmoid",
    "tanh",
    "exp",
    "log",
    "sqrt",
    "rsqrt",
    "abs",
    "neg",
    "sign",
    "floor",
    "ceil",
    "round",
  ],
  ...["erf", "sin", "cos", "reciprocal", "softplus", "softsign", "silu", "hard_swish", "elu", "selu", "leaky_relu"],
  ...["hard_sigmoid", "gelu", "clip", "cast", "logical_not"],
]);
/** Element by element, with a scale for each index of the attribute `axis` perhaps. */
const SCALED = new Set(["dequantize", "quantize", "fake_quantize"]);
/** Element by element on operands that broadcast. */
const BROADCAST = new Set([
  ...["add", "sub", "mul", "div", "min", "max", "pow", "floor_div", "floor_mod", "mod_trunc", "prelu", "select"],
  ...["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"],
  ...["logical_and", "logical_or", "logical_xor"],
]);
const REDUCE = new Set(["reduce_mean", "reduce_max", "reduce_sum", "reduce_min", "reduce_prod", "arg_reduce"]);
/** Along the attribute `axis`, which keeps its place. */
const ALONG = new Set(["softmax", "cumsum", "top_k"]);
const FREE = new Set(["transpose", "concat", "slice", "reshape", "tile", "gather", "broadcast_to"]);

interface Constant {
  readonly type: TensorType;
  readonly data: TensorData;
  readonly quant?: Quantisation;
}

class Mover {
  private readonly builder: GraphBuilder;
  private readonly views = new Map<string, View>();
  /** Tensor of the new graph → tensors of the source that are views of it. */
  private readonly viewers = new Map<string, Set<string>>();
  /** Operands and ports that read a tensor of the source. */
  private readonly uses = new Map<string, number>();
  private readonly constants = new Map<string, Constant>();
  /** `tensor|perm` → the tensor that is its transpose. */
  private readonly transposed = new Map<string, string>();
  /** Reshapes in the new graph: output → input, so that one that this pass adds behind another replaces it. */
  private readonly reshaped = new Map<string, string>();
  private readonly constantNames = new Map<string, string>();

  constructor(private readonly graph: Graph) {
    this.builder = new GraphBuilder(graph.name);
    const read = [...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs.map((port) => port.tensor)];
    for (const name of read) this.uses.set(name, (this.uses.get(name) ?? 0) + 1);
    for (const [name, { type, data, quant }] of graph.tensors) {
      if (data) this.constants.set(name, { type, data, ...(quant && { quant }) });
    }
  }

  run(): Graph {
    const consumers = consumersOf(this.graph);
    for (const port of this.graph.inputs) {
      const { type, quant } = this.graph.tensors.get(port.tensor)!;
      this.builder.input(port.name, type, port.tensor);
      if (quant) this.builder.annotate(port.tensor, quant);
      this.view(port.tensor, { tensor: port.tensor, perm: identityPerm(type.shape.length) });
    }
    for (const port of this.graph.inputs) {
      // Transposed at once where a transpose waits behind element-wise work: that work then runs in the inner layout.
      const perm = this.waitingPerm(port.tensor, consumers);
      if (perm) this.view(port.tensor, { tensor: this.present(port.tensor, perm), perm: inversePerm(perm) });
    }
    for (const node of this.graph.nodes) {
      if (!this.move(node))
        this.emit(
          node,
          node.inputs.map((name) => this.plain(name)),
          node.attrs,
          null,
        );
    }
    for (const port of this.graph.outputs) this.builder.output(this.plain(port.tensor), port.name);
    return this.builder.build();
  }

  /** Runs a node on viewed tensors if its operator allows; false when it needs its inputs as the source has them. */
  private move(node: Node): boolean {
    if (node.op === "transpose") return this.moveTranspose(node);
    if (UNARY.has(node.op)) return this.moveUnary(node);
    if (BROADCAST.has(node.op)) return this.moveBroadcast(node);
    if (node.op === "concat") return this.moveConcat(node);
    if (node.op === "reshape") return this.moveReshape(node);
    if (node.op === "dense" || node.op === "batch_norm") return this.moveChannels(node);
    if (node.op === "matmul") return this.moveMatmul(node);
    const view = this.views.get(node.inputs[0]!);
    if (!view || view.flat || isIdentity(view.perm)) return false;
    if (REDUCE.has(node.op)) return this.moveReduce(node, view);
    const spread = (list: readonly number[]): number[] => relativePerm(list, view.perm);
    const { axis } = node.attrs as { axis: number | null };
    if (ALONG.has(node.op) || SCALED.has(node.op)) {
      const attrs = { ...node.attrs, axis: axis === null ? null : view.perm[axis]! };
      return this.emit(node, [view.tensor], attrs, view.perm);
    }
    switch (node.op) {
      case "gather":
        return this.moveGather(node, view);
      case "layer_norm":
      case "group_norm":
        return this.moveNorm(node, view);
      case "tile":
        return this.emit(node, [view.tensor], { repeats: spread(node.attrs.repeats as number[]) }, view.perm);
      case "broadcast_to": {
        const shape = node.attrs.shape as number[];
        if (shape.length !== view.perm.length) return false;
        return this.emit(node, [view.tensor], { shape: spread(shape) }, view.perm);
      }
      case "pad": {
        const { before, after } = node.attrs as { before: number[]; after: number[] };
        const attrs = { ...node.attrs, before: spread(before), after: spread(after) };
        return this.emit(node, [view.tensor], attrs, view.perm);
      }
      case "slice": {
        const { begin, size, steps } = node.attrs as { begin: number[]; size: number[]; steps?: number[] };
        const attrs = { begin: spread(begin), size: spread(size), ...(steps && { steps: spread(steps) }) };
        return this.emit(node, [view.tensor], attrs, view.perm);
      }
      default:
        return false;
    }
  }

  private moveTranspose(node: Node): boolean {
    const [input] = node.inputs as [string];
    const [output] = node.outputs as [string];
    const perm = node.attrs.perm as number[];
    const constant = this.constants.get(input);
    if (constant) {
      const { type, data } = constant;
      const shape = perm.map((p) => type.shape[p]!);
      this.constants.set(output, { type: { ...type, shape }, data: permuteData(data, type.dtype, type.shape, perm) });
      return true;
    }
    let view = this.views.get(input)!;
    if (view.flat) view = { tensor: this.plain(input), perm: identityPerm(perm.length) };
    const moved = { tensor: view.tensor, perm: composePerm(view.perm, perm) };
    if (!this.carriesScale(output, moved)) return this.emit(node, [this.plain(input)], node.attrs, null);
    this.view(output, moved);
    return true;
  }

  private view(source: string, view: View): void {
    this.views.set(source, view);
    const viewers = this.viewers.get(view.tensor);
    if (viewers) viewers.add(source);
    else this.viewers.set(view.tensor, new Set([source]));
  }

  /** A scale that the source states behind a transpose holds for the held tensor too, unless others read that unrounded. */
  private carriesScale(output: string, { tensor, perm }: View): boolean {
    const { quant } = this.graph.tensors.get(output)!;
    if (!quant) return true;
    const moved = quant.axis === null ? quant : { ...quant, axis: perm[quant.axis]! };
    const held = this.builder.tensor(tensor)?.quant;
    if (held) return JSON.stringify(held) === JSON.stringify(moved);
    if ([...(this.viewers.get(tensor) ?? [])].some((source) => this.uses.get(source) !== 1)) return false;
    this.builder.annotate(tensor, moved);
    return true;
  }

  private moveUnary(node: Node): boolean {
    const view = this.views.get(node.inputs[0]!);
    if (!view || (!view.flat && isIdentity(view.perm))) return false;
    this.emit(node, [view.tensor], node.attrs, view.perm);
    if (view.flat) this.view(node.outputs[0]!, { ...this.views.get(node.outputs[0]!)!, flat: view.flat });
    return true;
  }

  /** Constants are permuted; the others are brought to the permutation that costs least. */
  private moveBroadcast(node: Node): boolean {
    const rank = this.graph.tensors.get(node.outputs[0]!)!.type.shape.length;
    const variable = node.inputs.filter((name) => !this.constants.has(name));
    if (variable.some((name) => this.typeOf(name).shape.length !== rank)) return false;
    const perm = this.cheapestPerm(variable);
    if (!perm) return false;
    const inputs = node.inputs.map((name) => {
      return this.constants.has(name) ? this.permutedOperand(name, perm) : this.brought(name, perm);
    });
    return this.emit(node, inputs, node.attrs, perm);
  }

  private moveConcat(node: Node): boolean {
    const perm = this.cheapestPerm(node.inputs.filter((name) => !this.constants.has(name)));
    if (!perm) return false;
    const inverse = inversePerm(perm);
    const inputs = node.inputs.map((name) => {
      return this.constants.has(name) ? this.constant(name, inverse) : this.brought(name, perm);
    });
    return this.emit(node, inputs, { axis: perm[node.attrs.axis as number]! }, perm);
  }

  private moveReduce(node: Node, { tensor, perm }: View): boolean {
    const { axes, axis, keepDims } = node.attrs as { axes?: number[]; axis: number; keepDims: boolean };
    const moved = (axes ?? [axis]).map((a) => perm[a]!).sort((a, b) => a - b);
    const result = keepDims ? perm : withoutAxes(perm, moved);
    return this.emit(node, [tensor], { ...node.attrs, ...(axes ? { axes: moved } : { axis: moved[0]! }) }, result);
  }

  /** The axes of the indices stand where the gathered axis stood, in the held tensor as in the source. */
  private moveGather(node: Node, { tensor, perm }: View): boolean {
    const [, indices] = node.inputs as [string, string];
    const axis = node.attrs.axis as number;
    const rank = this.typeOf(indices).shape.length;
    const held = perm[axis]!;
    const after = (p: number): number => (p > held ? p + rank - 1 : p);
    const result = perm.flatMap((p, k) => (k === axis ? identityPerm(rank).map((i) => held + i) : [after(p)]));
    return this.emit(node, [tensor, this.plain(indices)], { axis: held }, result);
  }

  /** layer_norm needs its last axes as they are, group_norm the batch first and the channels last. */
  private moveNorm(node: Node, { tensor, perm }: View): boolean {
    const last = perm.length - 1;
    const fits =
      node.op === "layer_norm"
        ? perm.every((p, k) => k < (node.attrs.axis as number) || p === k)
        : perm[0] === 0 && perm[last] === last;
    return fits && this.emit(node, [tensor, ...node.inputs.slice(1).map((n) => this.plain(n))], node.attrs, perm);
  }

  /** A matrix that arrives transposed is read the other way round. */
  private moveMatmul(node: Node): boolean {
    const flags = ["transposeA", "transposeB"] as const;
    const attrs: Record<string, unknown> = { ...node.attrs };
    let turned = false;
    const inputs = node.inputs.map((name, i) => {
      const view = this.views.get(name);
      // Read the other way round where the held rows then stay whole: nothing to move, or rows only.
      if (!view || view.flat || view.perm.at(-2) !== view.perm.length - 1) return this.plain(name);
      attrs[flags[i]!] = !attrs[flags[i]!];
      turned = true;
      return this.present(view.tensor, composePerm(view.perm, swapLast(view.perm.length)));
    });
    return turned && this.emit(node, inputs, attrs, null);
  }

  private moveReshape(node: Node): boolean {
    const [input] = node.inputs as [string];
    const view = this.views.get(input);
    if (!view || view.flat || isIdentity(view.perm)) return false;
    const held = this.builder.typeOf(view.tensor);
    if (keepsOrder(held.shape, view.perm, held.batchAxis)) return this.emit(node, [view.tensor], node.attrs, null);
    const result = this.typeOf(node.outputs[0]!);
    const regrouped = regroup(this.typeOf(input), result, view.perm);
    if (regrouped) {
      const shape = regrouped.axes.map((axis) => reshapeTarget(result)[axis]!);
      return this.emit(node, [view.tensor], { shape }, regrouped.perm);
    }
    const flattens = result.shape.length === 2 && result.batchAxis === held.batchAxis && view.perm[0] === 0;
    if (!flattens || held.shape[0] !== result.shape[0] || (held.batchAxis ?? 0) !== 0) return false;
    this.emit(node, [view.tensor], node.attrs, null);
    const [output] = node.outputs as [string];
    const flat = {
      inner: reshapeTarget(held),
      perm: view.perm,
      target: reshapeTarget(result),
      map: flatMap(held.shape, view.perm),
    };
    this.view(output, { ...this.views.get(output)!, flat });
    return true;
  }

  /** dense and batch_norm work on the last axis: they pass a view that leaves it last, and permute their rows for a flat one. */
  private moveChannels(node: Node): boolean {
    const view = this.views.get(node.inputs[0]!);
    if (!view) return false;
    const rest = node.inputs.slice(1);
    if (view.flat) {
      const { map } = view.flat;
      const permuted = node.op === "dense" ? rest.slice(0, 1) : rest;
      if (permuted.some((name) => !this.constants.has(name))) return false;
      const rows = permuted.map((name) => this.permutedRows(name, map));
      this.emit(node, [view.tensor, ...rows, ...rest.slice(rows.length).map((n) => this.plain(n))], node.attrs, null);
      if (node.op === "batch_norm") {
        this.view(node.outputs[0]!, { ...this.views.get(node.outputs[0]!)!, flat: view.flat });
      }
      return true;
    }
    const last = view.perm.length - 1;
    if (isIdentity(view.perm) || view.perm[last] !== last) return false;
    return this.emit(node, [view.tensor, ...rest.map((name) => this.plain(name))], node.attrs, view.perm);
  }

  /** Adds a node; its outputs are views by `perm` (null: as they are). Always true, for `return this.emit(...)`. */
  private emit(node: Node, inputs: readonly string[], attrs: Attrs, perm: readonly number[] | null): true {
    const outputs = this.builder.node(node.op, inputs, attrs, { name: node.name, outputs: node.outputs });
    outputs.forEach((tensor, i) => {
      const source = node.outputs[i]!;
      const view = { tensor, perm: perm ?? identityPerm(this.builder.typeOf(tensor).shape.length) };
      this.view(source, view);
      if (node.op === "reshape") this.reshaped.set(tensor, inputs[0]!);
      const { quant } = this.graph.tensors.get(source)!;
      if (quant)
        this.builder.annotate(tensor, quant.axis === null ? quant : { ...quant, axis: view.perm[quant.axis]! });
    });
    return true;
  }

  /** The source tensor as it is, in the new graph. */
  private plain(name: string): string {
    const view = this.views.get(name);
    if (!view) return this.constant(name, null);
    if (!view.flat) return this.present(view.tensor, view.perm);
    const { inner, perm, target } = view.flat;
    const key = `${view.tensor}|flat|${perm}`;
    const known = this.transposed.get(key);
    if (known !== undefined) return known;
    const [image] = this.builder.node("reshape", [view.tensor], { shape: inner }, { name: `${view.tensor}/unflatten` });
    const [turned] = this.builder.node("transpose", [image!], { perm }, { name: `${view.tensor}/transpose` });
    const [result] = this.builder.node("reshape", [turned!], { shape: target }, { name: `${view.tensor}/flatten` });
    this.transposed.set(key, result!);
    return result!;
  }

  /** transpose(tensor, perm), as a reshape where no element moves. */
  private present(tensor: string, perm: readonly number[]): string {
    if (isIdentity(perm)) return tensor;
    const key = `${tensor}|${perm}`;
    const known = this.transposed.get(key);
    if (known !== undefined) return known;
    const type = this.builder.typeOf(tensor);
    let result: string;
    if (keepsOrder(type.shape, perm, type.batchAxis)) {
      const shape = perm.map((p) => (p === type.batchAxis ? -1 : type.shape[p]!));
      const source = this.reshaped.get(tensor) ?? tensor;
      result = this.builder.node("reshape", [source], { shape }, { name: `${tensor}/reshape` })[0]!;
      this.reshaped.set(result, source);
    } else {
      result = this.builder.node("transpose", [tensor], { perm: [...perm] }, { name: `${tensor}/transpose` })[0]!;
    }
    this.transposed.set(key, result);
    this.transposed.set(`${result}|${inversePerm(perm)}`, tensor);
    return result;
  }

  /** A tensor whose transpose by `perm` is the source tensor. */
  private brought(name: string, perm: readonly number[]): string {
    const view = this.views.get(name)!;
    if (view.flat) return this.present(this.plain(name), inversePerm(perm));
    return this.present(view.tensor, relativePerm(view.perm, perm));
  }

  /** The permutation among the operands' that needs the fewest moved elements; null when none is permuted. */
  private cheapestPerm(names: readonly string[]): readonly number[] | null {
    const views = names.map((name) => this.views.get(name)!);
    let best: readonly number[] | null = null;
    let least = Infinity;
    for (const { perm, flat } of views) {
      if (flat || isIdentity(perm)) continue;
      const cost = this.costOf(views, perm);
      if (cost < least) [best, least] = [perm, cost];
    }
    if (!best) return null;
    // On a tie the permuted layout wins: permuted tensors come from operators that work in the inner layout.
    return this.costOf(views, identityPerm(best.length)) < least ? null : best;
  }

  private costOf(views: readonly View[], wanted: readonly number[]): number {
    let cost = 0;
    for (const { tensor, perm } of views) {
      const { shape, batchAxis } = this.builder.typeOf(tensor);
      const r = relativePerm(perm, wanted);
      if (!keepsOrder(shape, r, batchAxis) && !this.transposed.has(`${tensor}|${r}`)) cost += sizeOf(shape);
    }
    return cost;
  }

  private typeOf(name: string): TensorType {
    return this.graph.tensors.get(name)!.type;
  }

  /** A constant in the new graph, permuted unless `perm` is null; equal requests share it. */
  private constant(name: string, perm: readonly number[] | null): string {
    const { type, data, quant } = this.constants.get(name)!;
    const same = !perm || isIdentity(perm);
    return this.shared(`${name}|${same ? "" : perm}`, name, () => {
      if (same) return { type, data, ...(quant && { quant }) };
      const shape = perm.map((p) => type.shape[p]!);
      return { type: { ...type, shape }, data: permuteData(data, type.dtype, type.shape, perm) };
    });
  }

  /** An operand of a broadcast under `perm`: leading axes are added, permuted, and dropped again where they are 1. */
  private permutedOperand(name: string, perm: readonly number[]): string {
    const { type, data } = this.constants.get(name)!;
    if (sizeOf(type.shape) === 1) return this.constant(name, null);
    return this.shared(`${name}|broadcast|${perm}`, name, () => {
      const full = [...new Array<number>(perm.length - type.shape.length).fill(1), ...type.shape];
      const inverse = inversePerm(perm);
      let shape: Shape = inverse.map((p) => full[p]!);
      const values = permuteData(data, type.dtype, full, inverse);
      while (shape[0] === 1) shape = shape.slice(1);
      return { type: { ...type, shape }, data: values };
    });
  }

  /** A constant whose row (or element) map[j] is row j of the source. */
  private permutedRows(name: string, map: Int32Array): string {
    const { type, data } = this.constants.get(name)!;
    return this.shared(`${name}|rows|${map.join()}`, name, () => {
      const run = data.length / map.length;
      const out = data.slice();
      map.forEach((to, j) => out.set(data.subarray(j * run, (j + 1) * run) as never, to * run));
      return { type, data: out };
    });
  }

  private shared(key: string, name: string, make: () => Constant): string {
    const known = this.constantNames.get(key);
    if (known !== undefined) return known;
    const { type, data, quant } = make();
    const result = this.builder.constant(name, type.dtype, type.shape, data, quant);
    this.constantNames.set(key, result);
    return result;
  }

  /**
   * The permutation in which an input is wanted behind element-wise work and transposes, if all who mind agree.
   * Operators that run in any layout have no say.
   */
  private waitingPerm(tensor: string, consumers: ReadonlyMap<string, Node[]>): readonly number[] | null {
    const outputs = outputTensors(this.graph);
    let found: readonly number[] | null = null;
    const queue = [{ name: tensor, perm: identityPerm(this.typeOf(tensor).shape.length) }];
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      const { name, perm } = at;
      const users = consumers.get(name) ?? [];
      if (outputs.has(name) || users.some((n) => !this.followsAnyLayout(n))) {
        if (found && `${found}` !== `${perm}`) return null;
        found = perm;
      }
      for (const node of users) {
        if (node.op === "transpose")
          queue.push({ name: node.outputs[0]!, perm: composePerm(perm, node.attrs.perm as number[]) });
        else if (this.isElementwise(node)) queue.push({ name: node.outputs[0]!, perm });
      }
    }
    return found && !isIdentity(found) ? found : null;
  }

  private followsAnyLayout(node: Node): boolean {
    const { op } = node;
    return FREE.has(op) || REDUCE.has(op) || ALONG.has(op) || BROADCAST.has(op) || this.isElementwise(node);
  }

  private isElementwise(node: Node): boolean {
    if (UNARY.has(node.op) || SCALED.has(node.op) || node.op === "pad") return true;
    return BROADCAST.has(node.op) && node.inputs.filter((name) => !this.constants.has(name)).length === 1;
  }
}

/** A permutation of what is left without some axes of the held tensor. */
function withoutAxes(perm: readonly number[], gone: readonly number[]): number[] {
  const left = identityPerm(perm.length).filter((axis) => !gone.includes(axis));
  return perm.filter((p) => !gone.includes(p)).map((p) => left.indexOf(p));
}

/** The last two axes change places. */
function swapLast(rank: number): number[] {
  return [...identityPerm(rank - 2), rank - 1, rank - 2];
}
