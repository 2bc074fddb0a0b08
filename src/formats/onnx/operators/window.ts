import type { OnnxOp } from "../context.js";
import { samePadding } from "../../shared/window.js";

export interface Window {
  readonly kernel: [number, number];
  readonly strides: [number, number];
  readonly dilations: [number, number];
  /** top, left, bottom, right */
  readonly pads: [number, number, number, number];
}

function pair(op: OnnxOp, name: string, least: number, absent: [number, number]): [number, number] {
  const list = op.ints(name);
  if (list === null || list.length === 0) return absent;
  if (list.length !== 2 || list.some((n) => !Number.isSafeInteger(n) || n < least || n > 1 << 24)) {
    throw op.malformed(`has ${name} [${list}]; two numbers of at least ${least} are needed`);
  }
  return list as [number, number];
}

/**
 * Strides, dilations and padding over the NCHW operand 0, with `auto_pad` turned into numbers.
 * `ceil_mode` becomes more padding at the end, which pools do not count.
 */
export function windowOf(op: OnnxOp, kernelOfWeights?: readonly [number, number]): Window {
  const kernel = kernelOfWeights ? ([...kernelOfWeights] as [number, number]) : pair(op, "kernel_shape", 1, [0, 0]);
  if (kernel[0] === 0) throw op.malformed("states no kernel_shape");
  const strides = pair(op, "strides", 1, [1, 1]);
  const dilations = pair(op, "dilations", 1, [1, 1]);
  const { shape } = op.type(0);
  if (shape.length !== 4) throw op.malformed(`needs an operand of rank 4, got [${shape}]`);
  const size = [shape[2]!, shape[3]!] as const;
  const reach = [0, 1].map((i) => dilations[i as 0] * (kernel[i as 0] - 1) + 1) as [number, number];

  const auto = op.string("auto_pad", "NOTSET");
  let begin: [number, number] = [0, 0];
  let end: [number, number] = [0, 0];
  if (auto === "NOTSET") {
    const list = op.ints("pads") ?? [];
    if (list.length > 0) {
      if (list.length !== 4 || list.some((n) => !Number.isSafeInteger(n) || n < 0 || n > 1 << 24)) {
        throw op.malformed(`has pads [${list}]; four numbers of at least 0 are needed`);
      }
      begin = [list[0]!, list[1]!];
      end = [list[2]!, list[3]!];
    }
  } else if (auto !== "VALID") {
    const odd = auto === "SAME_LOWER" ? "lower" : "upper";
    for (const i of [0, 1] as const)
      [begin[i], end[i]] = samePadding(size[i], kernel[i], strides[i], dilations[i], odd);
  }
  if (op.int("ceil_mode", 0) !== 0) {
    for (const i of [0, 1] as const) {
      const room = size[i] + begin[i] + end[i] - reach[i];
      let steps = Math.ceil(room / strides[i]);
      // A window that would start in the padding at the end is left out.
      if (steps * strides[i] >= size[i] + begin[i]) steps--;
      end[i] += Math.max(0, steps * strides[i] - room);
    }
  }
  return { kernel, strides, dilations, pads: [begin[0], begin[1], end[0], end[1]] };
}

/** Refusal of what both convolutions and pools may ask for. */
export function refuseWindow(op: OnnxOp): string | null {
  const kernel = op.ints("kernel_shape");
  if (kernel && kernel.length !== 2) return `a ${kernel.length}-D window`;
  const auto = op.string("auto_pad", "NOTSET");
  return ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"].includes(auto) ? null : `auto_pad ${auto}`;
}
