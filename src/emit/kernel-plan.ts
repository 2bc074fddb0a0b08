/** Everything the emitter decided about a network, as one printable value. */
import { chooseTile, type Tile, type Variant } from "../kernels/tiles.js";
import { convGeometry } from "./conv-geometry.js";
import { hasBorder, type LaidOut } from "./layout.js";
import { movedBytes, type MovedBytes } from "./moved-bytes.js";
import { isWinograd, winogradTile } from "./source-winograd.js";
import { stepInputs, type Step } from "./steps.js";
import type { WeightsPlan } from "./weights-plan.js";

export interface PlannedLayer {
  /** Number of the layer function in the emitted source. */
  readonly index: number;
  readonly name: string;
  /** Kernel family: a file in `assembly/kernels`, or the operator whose calls host and device share. */
  readonly kernel: string;
  /** Source nodes computed here. */
  readonly nodes: readonly string[];
  readonly inputs: readonly string[];
  readonly output: string;
  readonly shape: readonly number[];
  readonly macs: number;
  readonly bytes: MovedBytes;
  /** pixels x channels of the register tile, where the kernel has one; F(4x4,3x3) before it: by Winograd's method. */
  readonly tiles?: Readonly<Record<Variant, string>>;
  /** Place in weights.bin. */
  readonly weights?: { readonly offset: number; readonly bytes: number };
  /** Place of what the module makes of them, among all that it makes. */
  readonly transformed?: { readonly offset: number; readonly bytes: number };
}

export interface KernelPlan {
  readonly layers: readonly PlannedLayer[];
  readonly macs: number;
}

/** The register tile of a convolution step. */
export function convTile(step: Extract<Step, { kind: "conv" }>, laid: LaidOut, variant: Variant): Tile {
  return chooseTile(convShape(step, laid).cols, step.co / step.groups, variant);
}

export function convShape(step: Extract<Step, { kind: "conv" }>, laid: LaidOut) {
  const { layouts } = laid;
  const flat = step.residual === null || !hasBorder(layouts.get(step.residual)!);
  return convGeometry(step, layouts.get(step.x)!, layouts.get(step.y)!, flat);
}

/** Pixels of the depthwise tile: neighbours share loads at stride 1; at stride 2 their windows hardly overlap. */
export function depthwisePixels(step: Extract<Step, { kind: "depthwise" }>): number {
  return step.strides[1] === 1 ? 4 : 3;
}

const FAMILY: Readonly<Record<Step["kind"], string>> = {
  conv: "conv",
  depthwise: "depthwise",
  pool: "pool",
  unary: "elementwise",
  binary: "elementwise",
  reduce: "reduce",
  softmax: "softmax",
  move: "copy",
  fill: "copy",
  kernel: "",
  alias: "",
};

/** Steps that become code get numbers; aliases do not. */
export function planKernels(laid: LaidOut, weights: WeightsPlan): KernelPlan {
  const layers: PlannedLayer[] = [];
  laid.steps.forEach((step, i) => {
    if (step.kind === "alias") return;
    const chunk = weights.chunks.get(i);
    const transformed = weights.transformed.get(i);
    const tiles = step.kind === "conv" ? tileNames(step, laid) : undefined;
    layers.push({
      index: layers.length,
      name: step.name,
      kernel: transformed ? "winograd" : step.kind === "kernel" ? step.op : FAMILY[step.kind],
      nodes: step.nodes,
      inputs: stepInputs(step),
      output: step.y,
      shape: laid.layouts.get(step.y)!.shape,
      macs: step.macs,
      bytes: movedBytes(step, laid, chunk?.bytes ?? 0),
      ...(tiles && { tiles }),
      ...(chunk && { weights: chunk }),
      ...(transformed && { transformed }),
    });
  });
  return { layers, macs: layers.reduce((n, l) => n + l.macs, 0) };
}

function tileNames(step: Extract<Step, { kind: "conv" }>, laid: LaidOut): Record<Variant, string> {
  const name = (variant: Variant): string => {
    const winograd = isWinograd(step, variant);
    const { mr, nr } = winograd ? winogradTile(step, variant) : convTile(step, laid, variant);
    return `${winograd ? "F(4x4,3x3) " : ""}${mr}x${nr}`;
  };
  return { simd: name("simd"), relaxed: name("relaxed") };
}
