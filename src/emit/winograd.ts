/** Which convolutions are computed by Winograd's method (src/kernels/winograd.ts), and what that needs of the layout. */
import type { Variant } from "../kernels/tiles.js";
import { chunksOf, SCHEMES, type Scheme } from "../kernels/winograd.js";
import { winogradShare } from "../kernels/winograd-cost.js";
import type { Shape } from "../model/types.js";
import { imageOf, type TensorLayout } from "./layout.js";
import type { ConvStep, Lowered, Step } from "./steps.js";

/** `auto`: where it pays; `off`: nowhere; `always`: wherever it is possible, for tests and measurements. */
export type WinogradMode = "auto" | "off" | "always";

const VARIANTS: readonly Variant[] = ["simd", "relaxed"];

/** The scheme for dense 3x3 windows that move by one or two pixels, as many each way. */
function schemeOf({ kernel, strides, dilations, groups }: ConvStep): Scheme | undefined {
  const all = (values: readonly number[], v: number): boolean => values.every((w) => w === v);
  if (!all(kernel, 3) || !all(dilations, 1) || groups !== 1) return undefined;
  return Object.values(SCHEMES).find(({ stride }) => all(strides, stride));
}

function pays({ ci, co }: ConvStep, { stride }: Scheme, height: number, width: number, variant: Variant): boolean {
  return winogradShare({ stride, height, width, ci, co }, variant) < 1;
}

/** Input channels for which the file keeps weights: the padding is left out where no build sums over the window. */
export function storedChannels(step: ConvStep, x: TensorLayout): number {
  return step.winograd?.variants.length === VARIANTS.length ? step.ci : x.cs;
}

/** The same steps, with Winograd's method where `mode` wants it. */
export function chooseWinograd(lowered: Lowered, mode: WinogradMode): Lowered {
  if (mode === "off") return lowered;
  const shapes = new Map<string, Shape>(lowered.shapes);
  const steps = lowered.steps.map((step): Step => {
    if (step.kind !== "conv") return step;
    const scheme = schemeOf(step);
    if (!scheme) return step;
    const { h, w } = imageOf(shapes.get(step.y)!);
    const variants = VARIANTS.filter((v) => mode === "always" || pays(step, scheme, h, w, v));
    if (variants.length === 0) return step;
    const stride = (channels: number): number => Math.ceil(channels / 4) * 4;
    const chunks = chunksOf(scheme, h, w, stride(step.ci), stride(step.co));
    let scratch = `${step.y}@winograd`;
    while (shapes.has(scratch)) scratch += "'";
    shapes.set(scratch, [(scheme.products * (chunks.vProduct + chunks.mProduct)) / 4]);
    return { ...step, winograd: { scheme, variants, chunks, scratch } };
  });
  return { ...lowered, steps, shapes };
}
