/** Binaryen's optimiser on a finished module. */

/** What scalar modules use beyond WebAssembly 1.0; engines and interpreters without SIMD have these. */
const FEATURES = ["MutableGlobals", "NontrappingFPToInt", "BulkMemory", "BulkMemoryOpt", "SignExt"] as const;

/** The same module, smaller and faster; without SIMD. */
export async function optimise(wasm: Uint8Array): Promise<Uint8Array> {
  const { default: binaryen } = await import("assemblyscript/binaryen");
  const features = FEATURES.reduce((sum, name) => sum | binaryen.Features[name], 0);
  const module = binaryen.readBinaryWithFeatures(wasm, features);
  try {
    module.setFeatures(features);
    binaryen.setOptimizeLevel(2);
    binaryen.setShrinkLevel(0);
    module.optimize();
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}
