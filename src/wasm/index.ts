/** WebAssembly modules as bytes: read, edited, and rid of their vectors. */
import { invariant } from "../model/errors.js";
import { binaryOf, dropCustom, sectionsOf } from "./binary.js";
import { optimise } from "./optimise.js";
import { hasSimd, withoutSimd } from "./scalar.js";

/**
 * The module without vector instructions, for engines that have none; it computes the same bits. What describes the module's
 * compiler (custom sections) is left out.
 * @param optimised let the optimiser make of lanes what it makes of other scalars; it takes most of the time
 */
export async function scalarModule(wasm: Uint8Array, optimised = true): Promise<Uint8Array> {
  const scalar = withoutSimd(binaryOf(dropCustom(sectionsOf(wasm))));
  const result = optimised ? await optimise(scalar) : scalar;
  invariant(!hasSimd(result), "a scalar module has no SIMD");
  return result;
}

export {
  binaryOf,
  customSection,
  dataOf,
  dropCustom,
  dropData,
  dropExports,
  factsOf,
  sectionsOf,
  withCustom,
  withData,
} from "./binary.js";
export { hasSimd } from "./scalar.js";
