import type { OnnxOp } from "../op.js";
import { samePadding } from "../../shared/window.js";

/** A sliding window over the spatial axes, one entry for each. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before and after, with what only ceil mode's last window reaches into. */
  readonly begin: readonly number[];
  readonly end: readonly number[];
  /** The padding after that the file states. */
  readonly stated: readonly number[];
}

/** An attribute with one number for each spatial axis. */
export function spatialList(op: OnnxOp, name: string, least: number, rank: number, absent: number): number[] {
  const list = op.ints(name);
  if (list === null || list.length === 0) return new Array<number>(rank).fill(absent);
  if (list.length !== rank || list.some((n) => !Number.isSafeInteger(n) || n < least || n > 1 << 24)) {
    throw op.malformed(`has ${name} [${list}]; ${rank} numbers of at least ${least} are needed`);
  }
  return list;
}

/** `pads`: all begins, then all ends. */
export function statedPads(op: OnnxOp, rank: number): { begin: number[]; end: number[] } {
  const list = spatialList(op, "pads", 0, 2 * rank, 0);
  return { begin: list.slice(0, rank), end: list.slice(rank) };
}

/**
 * Strides, dilations and padding over the spatial axes (`size`), with `auto_pad` turned into numbers.
 * `ceil_mode` becomes more padding at the end, which pools do not count.
 */
export function windowOf(op: OnnxOp, size: readonly number[], kernelOfWeights?: readonly number[]): Window {
  const rank = size.length;
  const kernel = kernelOfWeights ?? spatialList(op, "kernel_shape", 1, rank, 0);
  if (kernel.length !== rank || kernel.includes(0)) throw op.malformed("states no kernel_shape");
  const strides = spatialList(op, "strides", 1, rank, 1);
  const dilations = spatialList(op, "dilations", 1, rank, 1);
  const auto = op.string("auto_pad", "NOTSET");
  let begin = new Array<number>(rank).fill(0);
  let end = new Array<number>(rank).fill(0);
  if (auto === "NOTSET" || auto === "") ({ begin, end } = statedPads(op, rank));
  else if (auto !== "VALID") {
    const odd = auto === "SAME_LOWER" ? "lower" : "upper";
    size.forEach((d, i) => ([begin[i], end[i]] = samePadding(d, kernel[i]!, strides[i]!, dilations[i]!, odd)));
  }
  const stated = [...end];
  if (op.int("ceil_mode", 0) !== 0) {
    size.forEach((d, i) => {
      const reach = dilations[i]! * (kernel[i]! - 1) + 1;
      const room = d + begin[i]! + end[i]! - reach;
      let steps = Math.ceil(room / strides[i]!);
      // A window that would start in the padding at the end is left out.
      if (steps * strides[i]! >= d + begin[i]!) steps--;
      end[i]! += Math.max(0, steps * strides[i]! - room);
    });
  }
  return { kernel, strides, dilations, begin, end, stated };
}

/** [vertical, horizontal] of the axes `axes`; a missing one is a line, which `absent` leaves alone. */
export function pairOf(list: readonly number[], axes: readonly number[], absent: number): [number, number] {
  const [a, b] = axes.map((i) => list[i]!);
  return b === undefined ? [absent, a ?? absent] : [a!, b];
}

/** top, left, bottom, right of the axes `axes`. */
export function padsOf(
  begin: readonly number[],
  end: readonly number[],
  axes: readonly number[],
): [number, number, number, number] {
  return [...pairOf(begin, axes, 0), ...pairOf(end, axes, 0)];
}

/** Refusal of what both convolutions and pools may ask for. */
export function refuseWindow(op: OnnxOp): string | null {
  const auto = op.string("auto_pad", "NOTSET");
  return ["", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"].includes(auto) ? null : `auto_pad ${auto}`;
}

/** The spatial extents of operand `i`; 1 to 3 of them. */
export function spatialOf(op: OnnxOp, i = 0): number[] {
  const { shape } = op.type(i);
  if (shape.length < 3 || shape.length > 5) throw op.unsupported(`an operand of rank ${shape.length}, [${shape}]`);
  return shape.slice(2);
}

/** Another shape for a tensor whose batch is axis 0 before and after. */
export function batchFirst(op: OnnxOp, suffix: string, x: string, shape: readonly number[]): string {
  const { batchAxis } = op.typeOf(x);
  return op.step(suffix, "reshape", [x], { shape: [batchAxis === null ? shape[0]! : -1, ...shape.slice(1)] });
}

/**
 * Runs a 2-D operator on operand 0 with channels last: images as they are, lines [n, l, c] as images of one row.
 * `run` gives operator, operands and attributes for an image.
 */
export function onImage(op: OnnxOp, run: (x: string) => [ir: string, inputs: string[], attrs: object]): void {
  const x = op.inputLast(0);
  const { shape } = op.typeOf(x);
  if (shape.length === 4) {
    const [ir, inputs, attrs] = run(x);
    return op.emitLast(ir, inputs, { ...attrs });
  }
  const [n, l, c] = shape as [number, number, number];
  const [ir, inputs, attrs] = run(batchFirst(op, "image", x, [n, 1, l, c]));
  const y = op.step("line", ir, inputs, { ...attrs });
  const [, , out, channels] = op.typeOf(y).shape as [number, number, number, number];
  const { batchAxis } = op.typeOf(y);
  op.emitLast("reshape", [y], { shape: [batchAxis === null ? n : -1, out, channels] });
}
