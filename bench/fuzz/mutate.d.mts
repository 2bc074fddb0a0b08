export type FuzzFormat = "onnx" | "tflite" | "tfjs-layers" | "tfjs-graph" | "h5" | "keras";

export const FORMATS: readonly FuzzFormat[];

/** A model as files by name; `main` is the one that is read. */
export interface FuzzSeed {
  readonly name: string;
  readonly main: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** The case of this number, and what was done to which seed. */
export function mutant(
  format: FuzzFormat,
  seeds: readonly FuzzSeed[],
  number: number,
): { readonly files: ReadonlyMap<string, Uint8Array>; readonly main: string; readonly description: string };
