import type { Converter } from "../op.js";
import * as attention from "./attention.js";
import * as bits from "./bits.js";
import * as convolution from "./convolution.js";
import * as elementwise from "./elementwise.js";
import * as gather from "./gather.js";
import * as layout from "./layout.js";
import { Einsum, Gemm, MatMul } from "./matrix.js";
import * as losses from "./losses.js";
import * as made from "./made.js";
import * as normalisation from "./normalisation.js";
import * as pooling from "./pooling.js";
import {
  ConvInteger,
  DequantizeLinear,
  DynamicQuantizeLinear,
  MatMulInteger,
  microsoft,
  QLinearConv,
  QLinearMatMul,
  QuantizeLinear,
} from "./quantised.js";
import * as recurrent from "./recurrent.js";
import * as reduce from "./reduce.js";
import * as resize from "./resize.js";
import * as sampling from "./sampling.js";
import * as spectrum from "./spectrum.js";

/** Names of ONNX operators begin with a capital; helpers of the same files do not. */
function operatorsOf(...modules: object[]): Record<string, Converter> {
  const all = modules.flatMap((m) => Object.entries(m) as [string, unknown][]);
  return Object.fromEntries(all.filter(([name, value]) => /^[A-Z]/.test(name) && isConverter(value))) as Record<
    string,
    Converter
  >;
}

function isConverter(value: unknown): boolean {
  return typeof value === "object" && value !== null && "convert" in value;
}

/** Every ONNX operator that is read, under its name in the default domain; `folders` evaluates constants besides. */
export const converters: Readonly<Record<string, Converter>> = {
  ...operatorsOf(
    attention,
    bits,
    convolution,
    elementwise,
    gather,
    layout,
    losses,
    made,
    normalisation,
    pooling,
    recurrent,
    reduce,
    resize,
    sampling,
    spectrum,
  ),
  ConvInteger,
  DequantizeLinear,
  DynamicQuantizeLinear,
  Einsum,
  Gemm,
  MatMul,
  MatMulInteger,
  QLinearConv,
  QLinearMatMul,
  QuantizeLinear,
  /** The name of ScatterElements up to operator set 10. */
  Scatter: gather.ScatterElements,
};

/** Operators of other domains, by domain and name. */
const foreign: Readonly<Record<string, Readonly<Record<string, Converter>>>> = { "com.microsoft": microsoft };

/** How a node is read; undefined where it cannot be. */
export function converterOf(domain: string, opType: string): Converter | undefined {
  const known = domain === "" || domain === "ai.onnx" ? converters : foreign[domain];
  return known && Object.hasOwn(known, opType) ? known[opType] : undefined;
}

/** Operators whose results have the values of operand 0, so that integers with a scale keep it. */
export const KEEPS_SCALE: ReadonlySet<string> = new Set(
  "Flatten Identity MaxPool Reshape Slice Split Squeeze Transpose Unsqueeze DepthToSpace SpaceToDepth Gather Expand".split(
    " ",
  ),
);
