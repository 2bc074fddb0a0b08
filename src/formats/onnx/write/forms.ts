import { sizeOf, type Node } from "../../../model/types.js";
import { permute } from "../../shared/permute.js";
import { channelsFirst } from "../context.js";
import { CHANNELS_LAST, partName } from "../producer.js";
import type { Attributes, OnnxWriter } from "./context.js";

/** How one operator of the IR is written. Adding an operator: one entry of `writers`. */
export type OperatorWriter = (w: OnnxWriter, node: Node, attrs: any) => void;

/** Position that axis `a` of a tensor of this rank has with channels first. */
export const inFirst = (a: number, rank: number): number => channelsFirst(rank).indexOf(a);

export const windowAttributes = (a: { strides: number[]; pads: number[]; dilations?: number[] }): Attributes => ({
  ...(a.dilations && { dilations: a.dilations }),
  pads: a.pads,
  strides: a.strides,
});

/** One operand in the order that it has; `more` are further operands that no order touches. */
export function emitAnyOrder(
  w: OnnxWriter,
  node: Node,
  opType: string,
  attributes: Attributes = {},
  more: readonly string[] = [],
): void {
  const [x] = node.inputs as [string];
  if (w.hasFirst(x)) w.emitFirst(node, opType, [w.first(x), ...more], attributes);
  else w.emit(node, opType, [w.plain(x), ...more], attributes);
}

/** One operand, in the order that it has; `attributes` gets where an axis is in it. */
export function anyOrder(
  opType: string,
  attributes: (attrs: any, at: (axis: number) => number) => Attributes = () => ({}),
): OperatorWriter {
  return (w, node, attrs) => {
    const [x] = node.inputs as [string];
    const rank = w.type(x).shape.length;
    const first = w.hasFirst(x);
    const at = (a: number): number => (first ? inFirst(a, rank) : a);
    emitAnyOrder(w, node, opType, attributes(attrs, at));
  };
}

/** Whether a constant can be given to a partner of rank `rank` with channels first so that reading gives it back. */
function alignable(w: OnnxWriter, constant: string, rank: number): boolean {
  const { shape } = w.type(constant);
  return shape.length === rank || sizeOf(shape) === 1 || shape[0] !== 1;
}

/** A constant with its axes where a partner with channels first has them; unit axes at the front are left out. */
function aligned(w: OnnxWriter, constant: string, rank: number): string {
  const { shape } = w.type(constant);
  const { data } = w.graph.tensors.get(constant)!;
  if (shape.length === rank) return w.first(constant);
  if (sizeOf(shape) === 1) return w.plain(constant);
  const padded = [...new Array<number>(rank - shape.length).fill(1), ...shape];
  const perm = channelsFirst(rank);
  const moved = perm.map((p) => padded[p]!);
  let unit = 0;
  while (moved[unit] === 1) unit++;
  return w.constant(constant, `aligned to ${rank}`, moved.slice(unit), () => permute(data!, padded, perm));
}

/** Operands that broadcast, in one common order, and whether that has the channels first. */
export function commonOrder(w: OnnxWriter, node: Node): { inputs: string[]; first: boolean } {
  const rank = Math.max(...node.inputs.map((x) => w.type(x).shape.length));
  const first =
    rank > 2 &&
    node.inputs.some((x) => !w.isConstant(x) && w.hasFirst(x)) &&
    node.inputs.every((x) => (w.isConstant(x) ? alignable(w, x, rank) : w.type(x).shape.length === rank));
  const inputs = node.inputs.map((x) => (!first ? w.plain(x) : w.isConstant(x) ? aligned(w, x, rank) : w.first(x)));
  return { inputs, first };
}

export function binary(opType: string, attributes: Attributes = {}): OperatorWriter {
  return (w, node) => {
    const { inputs, first } = commonOrder(w, node);
    if (first) w.emitFirst(node, opType, inputs, attributes);
    else w.emit(node, opType, inputs, attributes);
  };
}

/** An operator that ONNX has no single one for: `part`, whose name tells our reader so, then `whole` of its result. */
export function joined(part: string, whole: string, operands: "one" | "common", withInput = false): OperatorWriter {
  return (w, node) => {
    const one = operands === "one";
    const [x] = node.inputs as [string];
    const { inputs, first } = one
      ? { inputs: [w.hasFirst(x) ? w.first(x) : w.plain(x)], first: w.hasFirst(x) }
      : commonOrder(w, node);
    const name = partName(node.name);
    const inner = w.add(part, name, inputs, w.freshName(name), {}, first ? CHANNELS_LAST : "");
    const rest = withInput ? [inputs[0]!, inner] : [inner];
    if (first) w.emitFirst(node, whole, rest);
    else w.emit(node, whole, rest);
  };
}
