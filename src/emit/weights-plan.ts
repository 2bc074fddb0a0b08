/** The weights file: every constant of the steps in the layout of its kernel, equal chunks stored once. */
import { createHash } from "node:crypto";
import { alignUp } from "../kernels/memory.js";
import { packPanels, packVector, segmentRows } from "../kernels/weights.js";
import { SCHEMES, transformedBytes, type Scheme } from "../kernels/winograd.js";
import { schemeConstants, scratchBytes } from "../kernels/winograd-source.js";
import { packWords } from "../model/words.js";
import { convGeometry } from "./conv-geometry.js";
import { stepConstants } from "./kernel-step.js";
import type { TensorLayout } from "./layout.js";
import { binaryForm } from "./regions.js";
import type { BinaryStep, ConvStep, Step } from "./steps.js";
import { storedChannels } from "./winograd.js";

export interface WeightsChunk {
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface WeightsPlan {
  readonly file: Uint8Array;
  /** Chunk of each step that has one, by index. */
  readonly chunks: ReadonlyMap<number, WeightsChunk>;
  /**
   * Weights that the module makes of the file's when it is loaded: place in their own part of memory, by step. The first
   * bytes of that part are the scratch of the transforms.
   */
  readonly transformed: ReadonlyMap<number, WeightsChunk>;
  readonly transformedBytes: number;
  /** Constants of the schemes of Winograd's method that steps use, by stride: the end of the file. */
  readonly schemes: ReadonlyMap<Scheme["stride"], WeightsChunk>;
}

function convWeights(step: ConvStep, x: TensorLayout, y: TensorLayout): Float32Array {
  const g = convGeometry(step, x, y);
  const taps = step.kernel[0] * step.kernel[1];
  const perGroup = step.co / step.groups;
  const rows = segmentRows(taps, step.ci, step.winograd ? storedChannels(step, x) : g.segmentChannels);
  const parts: Float32Array[] = [];
  for (let group = 0; group < step.groups; group++) {
    let { weights, bias } = step;
    if (step.groups > 1) {
      weights = new Float32Array(taps * step.ci * perGroup);
      for (let r = 0; r < taps * step.ci; r++) {
        const from = r * step.co + group * perGroup;
        weights.set(step.weights.subarray(from, from + perGroup), r * perGroup);
      }
      bias = bias && bias.subarray(group * perGroup, (group + 1) * perGroup);
    }
    parts.push(packPanels(weights, perGroup, bias, rows));
  }
  const out = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

function binaryValues(
  step: BinaryStep,
  values: Float32Array,
  layouts: ReadonlyMap<string, TensorLayout>,
): Float32Array {
  const y = layouts.get(step.y)!;
  if (binaryForm(step, layouts) !== "same" || y.cs === y.c) return packVector(values);
  // Spread over pixels as y is, so that one run covers channels and padding.
  const out = new Float32Array(y.n * y.h * y.w * y.cs);
  for (let p = 0; p < y.n * y.h * y.w; p++) out.set(values.subarray(p * y.c, (p + 1) * y.c), p * y.cs);
  return packVector(out);
}

function bytesOf(step: Step, layouts: ReadonlyMap<string, TensorLayout>): Uint8Array | null {
  if (step.kind === "kernel") {
    const constants = stepConstants(step);
    return constants.length > 0 ? packWords(constants) : null;
  }
  const values = constantsOf(step, layouts);
  return values && new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function constantsOf(step: Step, layouts: ReadonlyMap<string, TensorLayout>): Float32Array | null {
  switch (step.kind) {
    case "conv":
      return convWeights(step, layouts.get(step.x)!, layouts.get(step.y)!);
    case "depthwise": {
      const taps = step.kernel[0] * step.kernel[1];
      return packPanels(step.weights, step.channels, step.bias, segmentRows(taps, 1, 1));
    }
    case "binary":
      return "values" in step.b ? binaryValues(step, step.b.values, layouts) : null;
    default:
      return null;
  }
}

export function planWeights(steps: readonly Step[], layouts: ReadonlyMap<string, TensorLayout>): WeightsPlan {
  const chunks = new Map<number, WeightsChunk>();
  const known = new Map<string, WeightsChunk>();
  const parts: Uint8Array[] = [];
  let end = 0;
  steps.forEach((step, i) => {
    const bytes = bytesOf(step, layouts);
    if (!bytes) return;
    const key = createHash("sha256").update(bytes).digest("hex");
    let chunk = known.get(key);
    if (!chunk) {
      chunk = { offset: end, bytes: bytes.length };
      known.set(key, chunk);
      parts.push(bytes);
      end += bytes.length;
    }
    chunks.set(i, chunk);
  });
  const used = Object.values(SCHEMES).filter((scheme) =>
    steps.some((step) => step.kind === "conv" && step.winograd?.scheme === scheme),
  );
  const schemes = new Map<Scheme["stride"], WeightsChunk>();
  for (const scheme of used) {
    const bytes = schemeConstants(scheme);
    schemes.set(scheme.stride, { offset: end, bytes: bytes.length });
    parts.push(bytes);
    end += bytes.length;
  }
  const file = new Uint8Array(end);
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  const scratch = Math.max(0, ...used.map(scratchBytes));
  return { file, chunks, schemes, ...planTransformed(steps, layouts, chunks, scratch) };
}

/** Equal chunks of the file are transformed once. */
function planTransformed(
  steps: readonly Step[],
  layouts: ReadonlyMap<string, TensorLayout>,
  chunks: ReadonlyMap<number, WeightsChunk>,
  scratch: number,
): Pick<WeightsPlan, "transformed" | "transformedBytes"> {
  const transformed = new Map<number, WeightsChunk>();
  const known = new Map<string, WeightsChunk>();
  let end = alignUp(scratch, 64);
  steps.forEach((step, i) => {
    if (step.kind !== "conv" || !step.winograd) return;
    const { scheme } = step.winograd;
    const bytes = transformedBytes(scheme, layouts.get(step.x)!.cs, step.co);
    const key = `${chunks.get(i)!.offset} ${scheme.stride} ${bytes}`;
    const place = known.get(key) ?? { offset: end, bytes };
    if (!known.has(key)) end = alignUp(end + bytes, 64);
    known.set(key, place);
    transformed.set(i, place);
  });
  return { transformed, transformedBytes: transformed.size > 0 ? end : 0 };
}
