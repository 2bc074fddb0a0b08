/** Everything the emitter decided about a network, as one printable value. */
import type { TileGeometry } from "../kernels/tile-source.js";
import { channelBlocks, planRows, tileNames, type TileRows, type Variant } from "../kernels/tiles.js";
import { panelsBytes } from "../kernels/weights.js";
import { convGeometry } from "./conv-geometry.js";
import { hasBorder, pixelBytes, type LaidOut } from "./layout.js";
import { movedBytes, type MovedBytes } from "./moved-bytes.js";
import { isWinograd, winogradTiles } from "./source-winograd.js";
import { ACTIVATION_CODE, stepInputs, type ConvStep, type Step } from "./steps.js";
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
  /** pixels x channels of the register tiles, where the kernel has one; F(4x4,3x3) before it: by Winograd's method, /2 at stride 2. */
  readonly tiles?: Readonly<Partial<Record<Variant, string>>>;
  /** Place in weights.bin. */
  readonly weights?: { readonly offset: number; readonly bytes: number };
  /** Place of what the module makes of them, among all that it makes. */
  readonly transformed?: { readonly offset: number; readonly bytes: number };
}

export interface KernelPlan {
  readonly layers: readonly PlannedLayer[];
  readonly macs: number;
}

export function convShape(step: ConvStep, laid: LaidOut) {
  const { layouts } = laid;
  const flat = step.residual === null || !hasBorder(layouts.get(step.residual)!);
  return convGeometry(step, layouts.get(step.x)!, layouts.get(step.y)!, flat);
}

/**
 * Passes over the pixels, each of which computes an equal share of the output channels: the groups of a convolution, or
 * blocks of channels whose weights stay in the first cache while the pixels go by.
 */
export interface ConvParts {
  readonly count: number;
  /** Bytes in each pixel of x from one part's channels to the next one's. */
  readonly inputBytes: number;
}

export function convParts(step: ConvStep, laid: LaidOut, variant: Variant): ConvParts {
  if (step.groups > 1) return { count: step.groups, inputBytes: step.ci * 4 };
  const { rows, cols, k } = convShape(step, laid);
  return { count: rows * cols > 1 ? channelBlocks(cols, step.co, k, variant) : 1, inputBytes: 0 };
}

/** What a convolution's tile functions depend on besides their size. */
export function tileGeometry(step: ConvStep, laid: LaidOut): TileGeometry {
  const { xCol, k, seg, nx, xStep, ny, yStep } = convShape(step, laid);
  const strideOf = (tensor: string): number => pixelBytes(laid.layouts.get(tensor)!);
  const rCol = step.residual === null ? null : strideOf(step.residual);
  const sums = { panel: panelsBytes(4, k), seg, nx, xStep, ny, yStep };
  return { xCol, yCol: strideOf(step.y), rCol, ...sums, act: ACTIVATION_CODE[step.act] };
}

type TilePlan = ReadonlyMap<ConvStep, readonly TileRows[]>;

/** Step by step, since a layer costs less code where it takes the functions of an earlier one. */
function planTiles(laid: LaidOut, variant: Variant): TilePlan {
  const written = new Map<string, Set<string>>();
  const plan = new Map<ConvStep, readonly TileRows[]>();
  for (const step of laid.steps) {
    if (step.kind !== "conv") continue;
    const key = JSON.stringify(tileGeometry(step, laid));
    const names = written.get(key) ?? new Set();
    const n = step.co / convParts(step, laid, variant).count;
    const rows = planRows(convShape(step, laid).cols, n, variant, names);
    plan.set(step, rows);
    if (isWinograd(step, variant)) continue;
    for (const tile of rows) for (const name of tileNames(tile, n)) names.add(name);
    written.set(key, names);
  }
  return plan;
}

/** Plans by network: every layer of one is asked for. */
const plans = new WeakMap<LaidOut, Partial<Record<Variant, TilePlan>>>();

/** The register tiles of a row of a convolution's pixels. */
export function convTiles(step: ConvStep, laid: LaidOut, variant: Variant): readonly TileRows[] {
  const planned = plans.get(laid) ?? {};
  plans.set(laid, planned);
  return (planned[variant] ??= planTiles(laid, variant)).get(step)!;
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
export function planKernels(laid: LaidOut, weights: WeightsPlan, variants: readonly Variant[]): KernelPlan {
  const layers: PlannedLayer[] = [];
  laid.steps.forEach((step, i) => {
    if (step.kind === "alias") return;
    const chunk = weights.chunks.get(i);
    const transformed = weights.transformed.get(i);
    const tiles = step.kind === "conv" ? namesOfTiles(step, laid, variants) : undefined;
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

function namesOfTiles(step: ConvStep, laid: LaidOut, variants: readonly Variant[]): Partial<Record<Variant, string>> {
  const name = (variant: Variant): string => {
    const winograd = isWinograd(step, variant);
    const tiles = winograd ? winogradTiles(step, variant) : convTiles(step, laid, variant);
    return `${winograd ? `${step.winograd.scheme.label} ` : ""}${tiles.map(({ rows, nr }) => `${rows}x${nr}`).join(" ")}`;
  };
  return Object.fromEntries(variants.map((variant) => [variant, name(variant)]));
}
