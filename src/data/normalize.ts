import { IdapError } from "../model/errors.js";
import { sizeOf } from "../model/types.js";
import type { Normalisation, RawData, Samples } from "./types.js";
import type { Affine } from "./view.js";

/**
 * Parses the value of `--normalize`: `none`, `unit`, or `mean/std` with one number or one for each channel on each
 * side, in the units of the stored values: `125.3,123,113.9/63,62.1,66.7`.
 */
export function parseNormalisation(text: string): Normalisation {
  if (text === "none" || text === "unit") return { kind: text };
  const sides = text.split("/").map((side) => side.split(",").map((s) => (s.trim() === "" ? NaN : Number(s))));
  const [mean, std] = sides;
  if (sides.length !== 2 || !mean!.every(Number.isFinite) || !std!.every((s) => Number.isFinite(s) && s > 0)) {
    throw new IdapError(
      "E_OPTION",
      `--normalize needs none, unit or mean/std, for example 125.3,123,113.9/63,62.1,66.7, got ${text}`,
      "The standard deviations must be above 0.",
    );
  }
  return { kind: "affine", mean: mean!, std: std! };
}

export function describeNormalisation(n: Normalisation): string {
  if (n.kind === "affine") return `(x - [${n.mean.join(", ")}]) / [${n.std.join(", ")}]`;
  return n.kind === "unit" ? "0..1" : "values as stored";
}

/** The per-element map of samples stored as `raw` says, normalised as the user says; null for the identity. */
export function affineOf(raw: RawData, samples: Samples, n: Normalisation): Affine | null {
  const size = sizeOf(samples.shape);
  const channels = samples.shape.at(-1) ?? 1;
  if (n.kind === "unit" && !(samples.values instanceof Uint8Array)) {
    throw new IdapError(
      "E_OPTION",
      "--normalize unit needs samples of unsigned bytes, which these are not",
      "Use mean/std.",
    );
  }
  const list = (values: readonly number[], what: string): ((j: number) => number) => {
    if (values.length !== 1 && values.length !== channels) {
      throw new IdapError(
        "E_OPTION",
        `--normalize needs 1 or ${channels} numbers for the ${what} of samples with ${channels} channels, got ${values.length}`,
      );
    }
    return (j) => values[values.length === 1 ? 0 : j % channels]!;
  };
  const mean = n.kind === "affine" ? list(n.mean, "mean") : () => 0;
  const std = n.kind === "affine" ? list(n.std, "standard deviation") : () => (n.kind === "unit" ? 255 : 1);
  if (n.kind === "none" && raw.scale === 1 && raw.zeroPoint === 0) return null;
  // ((q - zeroPoint) * rawScale - mean) / std = (q - (zeroPoint + mean / rawScale)) * (rawScale / std)
  return {
    mean: Float64Array.from({ length: size }, (_, j) => raw.zeroPoint + mean(j) / raw.scale),
    scale: Float64Array.from({ length: size }, (_, j) => raw.scale / std(j)),
  };
}
