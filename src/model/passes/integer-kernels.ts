/**
 * The integer kernels of TFLite as nodes: what they compute on codes (integers less their zero point, held as f32, of which
 * sums below 2^24 are exact), followed by the fixed-point multiplication into the scale of the result.
 */
import { isConstant, typeOf } from "../graph.js";
import { INTEGER_RANGE } from "../ops/shared/quant.js";
import type { GraphPatch } from "../patch.js";
import type { Attrs, Graph, Node, Quantisation } from "../types.js";

/** What a kernel applies to its codes as bounds. */
const BOUNDING = new Set(["relu", "relu6", "clip"]);
/** Products with constant weights, and the axis of their output channels; of depthwise ones either of the last two. */
const WEIGHTED: Readonly<Record<string, readonly number[]>> = { conv2d: [3], dense: [1], depthwise_conv2d: [2, 3] };
/** Weights further from an integer than this are no codes any more: someone has changed them. */
const OFF_GRID = 1e-3;
/** Bits by which sums are shifted before their operands come to a common scale. */
const SUM_BITS = 20;

/** A multiplier of the attributes of `requantize`. */
interface FixedPoint {
  readonly multiplier: number;
  readonly shift: number;
}

/** real as multiplier 2^(shift - 31), the multiplier in [2^30, 2^31). */
function fixedPoint(real: number): FixedPoint {
  let shift = Math.floor(Math.log2(real)) + 1;
  let multiplier = Math.round(real * 2 ** (31 - shift));
  if (multiplier >= 2 ** 31) {
    multiplier /= 2;
    shift++;
  }
  return shift < -31 ? { multiplier: 0, shift: 0 } : { multiplier, shift };
}

function multiplying(reals: readonly number[]): { multiplier: number[]; shift: number[] } {
  const fixed = reals.map(fixedPoint);
  return { multiplier: fixed.map((f) => f.multiplier), shift: fixed.map((f) => f.shift) };
}

/** Adds to a patch the codes of tensors of its base; tensors have one scale, constants may have one for each channel. */
export class IntegerKernels {
  private readonly codes = new Map<string, string>();
  private readonly reals = new Map<string, string>();

  constructor(
    private readonly graph: Graph,
    private readonly producers: ReadonlyMap<string, Node>,
    private readonly patch: GraphPatch,
  ) {}

  /** The rounded values of a tensor of the base are this tensor of the patch. */
  rounded(name: string, real: string): void {
    this.reals.set(name, real);
  }

  /** The reals of a tensor whose kernel computes on integers; null where it has no such form here. */
  compute(name: string, quant: Quantisation): string | null {
    let node = this.producers.get(name);
    const bounds: Node[] = [];
    while (node && BOUNDING.has(node.op) && !this.quantOf(node.inputs[0]!)) {
      bounds.push(node);
      node = this.producers.get(node.inputs[0]!);
    }
    if (!node || !isByte(quant)) return null;
    const codes = this.kernel(node, name, quant, bounds);
    if (codes === null) return null;
    this.codes.set(name, codes);
    const scale = this.patch.constant(`${name}/scale`, [], Float32Array.of(quant.scale[0]!));
    const [real] = this.patch.node("mul", [codes, scale], {}, `${name}/quantised`);
    this.rounded(name, real!);
    return real!;
  }

  private kernel(node: Node, name: string, quant: Quantisation, bounds: readonly Node[]): string | null {
    const range = boundsOf(quant, bounds);
    const operands = node.inputs.map((input) => this.quantOf(input));
    if (Object.hasOwn(WEIGHTED, node.op)) return this.weighted(node, name, quant, range);
    if (!operands.every(isByte)) return null;
    const [a, b] = operands as [Quantisation, Quantisation?];
    switch (node.op) {
      case "mul":
        return this.product(node, name, [a, b!, quant], range);
      case "add":
      case "sub":
        return this.sum(node, name, [a, b!, quant], range);
      case "avg_pool2d":
      case "resize":
        return sameScale(a, quant) ? this.average(node, name, quant, range) : null;
      case "reshape":
        return this.rescaled(node, name, [a, quant], range);
      default:
        return null;
    }
  }

  /** Convolutions and dense layers: a sum of products and a bias in the scale of the products, rounded for each channel. */
  private weighted(node: Node, name: string, quant: Quantisation, range: Range): string | null {
    const [x, w, bias] = node.inputs as [string, string, string?];
    const [from, weights] = [this.quantOf(x), this.quantOf(w)];
    if (!isByte(from) || !weights || !this.outputChannels(node.op, w, weights)) return null;
    const dense = node.op === "dense";
    // Kernels with one multiplier take the product of the scales as a 32-bit float; the others compute in 64 bits.
    const single = weights.axis === null && (dense || from.dtype === "u8");
    const scales = weights.scale.map((s) => (single ? Math.fround(from.scale[0]! * s) : from.scale[0]! * s));
    const codes = [this.constantCodes(w, weights.scale, weights.axis)];
    if (bias !== undefined) codes.push(this.constantCodes(bias, this.quantOf(bias)?.scale ?? scales, 0));
    if (codes.includes(null)) return null;
    const inputs = [this.codesOf(x, from), ...(codes as string[])];
    const [sum] = this.patch.node(node.op, inputs, node.attrs, `${name}/sums`);
    const reals = scales.map((s) => s / quant.scale[0]!);
    return this.requantize(sum!, name, reals, range, { rounding: dense ? "once" : "twice" });
  }

  /** Whether the weights have one scale, or one for each output channel. */
  private outputChannels(op: string, w: string, { axis, scale }: Quantisation): boolean {
    const { shape } = typeOf(this.graph, w);
    const channels = op === "depthwise_conv2d" ? shape[2]! * shape[3]! : shape.at(-1);
    return axis === null || (WEIGHTED[op]!.includes(axis) && scale.length === channels);
  }

  /** The multiplier is a quotient of 32-bit floats. */
  private product(node: Node, name: string, [a, b, to]: readonly Quantisation[], range: Range): string {
    const inputs = [this.codesOf(node.inputs[0]!, a!), this.codesOf(node.inputs[1]!, b!)];
    const [product] = this.patch.node("mul", inputs, {}, `${name}/products`);
    const real = Math.fround(Math.fround(a!.scale[0]! * b!.scale[0]!) / to!.scale[0]!);
    return this.requantize(product!, name, [real], range);
  }

  /** Both operands come to twice the larger scale, with 20 bits more, before they are added. */
  private sum(node: Node, name: string, [a, b, to]: readonly Quantisation[], range: Range): string {
    const common = 2 * Math.max(a!.scale[0]!, b!.scale[0]!);
    const scaled = [a!, b!].map((q, k) => {
      const codes = this.codesOf(node.inputs[k]!, q);
      const attrs = { headroom: SUM_BITS, to: "i32" };
      return this.requantize(codes, `${name}/operand`, [q.scale[0]! / common], INT32, attrs);
    });
    const [sum] = this.patch.node(node.op, scaled, {}, `${name}/sums`);
    return this.requantize(sum!, name, [common / (2 ** SUM_BITS * to!.scale[0]!)], range);
  }

  /** Averages of codes; halves are rounded away from the code 0, zero point included. */
  private average(node: Node, name: string, quant: Quantisation, { low, high }: Range): string {
    const [mean] = this.patch.node(node.op, [this.codesOf(node.inputs[0]!, quant)], node.attrs, `${name}/means`);
    const attrs = { dtype: quant.dtype, scale: [1], zeroPoint: [...quant.zeroPoint], axis: null, rounding: "code" };
    const [codes] = this.patch.node("fake_quantize", [mean!], attrs, `${name}/rounded`);
    return this.patch.node("clip", [codes!], { min: low, max: high }, `${name}/codes`)[0]!;
  }

  /** The same values in another scale. */
  private rescaled(node: Node, name: string, [from, to]: readonly Quantisation[], range: Range): string {
    const [codes] = this.patch.node("reshape", [this.codesOf(node.inputs[0]!, from!)], node.attrs, `${name}/codes`);
    return this.requantize(codes!, name, [from!.scale[0]! / to!.scale[0]!], range);
  }

  private requantize(x: string, name: string, reals: readonly number[], range: Range, attrs: Attrs = {}): string {
    const all = { to: "f32", ...multiplying(reals), ...range, ...attrs };
    return this.patch.node("requantize", [x], all, `${name}/codes`)[0]!;
  }

  /** Codes of a tensor, from its reals where its kernel gave none; quotients are nearly integers. */
  private codesOf(name: string, { scale, axis }: Quantisation): string {
    const known = this.codes.get(name) ?? (isConstant(this.graph, name) ? this.constantCodes(name, scale, axis) : null);
    if (known !== null) return known;
    const divisor = this.patch.constant(`${name}/scale`, [], Float32Array.of(scale[0]!));
    const [quotient] = this.patch.node("div", [this.reals.get(name) ?? name, divisor], {}, `${name}/steps`);
    const [codes] = this.patch.node("round", [quotient!], {}, `${name}/codes`);
    this.codes.set(name, codes!);
    return codes!;
  }

  /** Codes of a constant, with one scale or one for each index of `axis`; null where its values are none. */
  private constantCodes(name: string, scale: readonly number[], axis: number | null): string | null {
    const { data, type } = this.graph.tensors.get(name)!;
    if (!(data instanceof Float32Array)) return null;
    const inner = axis === null ? 1 : type.shape.slice(axis + 1).reduce((n, d) => n * d, 1);
    const steps = Float64Array.from(data, (v, i) => v / scale[Math.floor(i / inner) % scale.length]!);
    const codes = Float32Array.from(steps, Math.round);
    // Sums of 32 bits are read as f32.
    const isCode = steps.every((v, i) => Math.abs(v - codes[i]!) <= Math.max(OFF_GRID, Math.abs(v) * 2 ** -22));
    return isCode ? this.patch.constant(`${name}/codes`, type.shape, codes) : null;
  }

  private quantOf(name: string): Quantisation | undefined {
    return this.graph.tensors.get(name)!.quant;
  }
}

/** Values of 8 bits with one scale: 16-bit integers have kernels that round in other ways. */
function isByte(quant: Quantisation | undefined): quant is Quantisation {
  return quant !== undefined && quant.axis === null && quant.dtype !== "i32";
}

/** One scale and zero point for the whole tensor, the same for both. */
export function sameScale(a: Partial<Quantisation>, b: Quantisation): boolean {
  return (
    a.axis === null &&
    b.axis === null &&
    a.scale?.[0] === b.scale[0] &&
    a.zeroPoint?.[0] === b.zeroPoint[0] &&
    (a.dtype ?? b.dtype) === b.dtype
  );
}

interface Range {
  readonly low: number;
  readonly high: number;
}

const INT32: Range = { low: -(2 ** 31), high: 2 ** 31 - 1 };

/** The codes that a tensor can have after its fused activation, less its zero point. */
function boundsOf({ dtype, scale, zeroPoint }: Quantisation, activations: readonly Node[]): Range {
  const [zero, step] = [zeroPoint[0]!, scale[0]!];
  let [low, high] = INTEGER_RANGE[dtype].map((v) => v - zero) as [number, number];
  for (const { op, attrs } of activations) {
    const [min, max] = op === "clip" ? [attrs.min, attrs.max] : [0, op === "relu6" ? 6 : null];
    if (typeof min === "number") low = Math.max(low, Math.round(min / step));
    if (typeof max === "number") high = Math.min(high, Math.round(max / step));
  }
  return { low, high };
}
