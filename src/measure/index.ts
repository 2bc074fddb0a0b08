export { measurePackages, packageName } from "./measure.js";
export type { Engine, Measurement, MeasureOptions, Variant } from "./measure.js";
export { MEASUREMENTS_FILE, writeMeasurements } from "./record.js";
export { brotliBytes, brotliSizes } from "./sizes.js";
export type { FileSize } from "./sizes.js";
export type { Ratio, Steady } from "./statistics.js";
export { readWasmFacts } from "./wasm-file.js";
export { verifyPackage } from "./verify.js";
export type { VerifiedVariant, VerifyResult } from "./verify.js";
