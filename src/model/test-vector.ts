import type { Dtype } from "./types.js";
import type { Words } from "./words.js";

/**
 * The input of a package's self-test. With u = i * 2654435761 mod 2^32, value i is (u / 2^31 - 1) * scale + offset, rounded
 * once to f32; of u8 and i8 the top byte of u, of other dtypes its top bit (indices must exist). Integer arithmetic and
 * one rounding: the same bits on every engine.
 */
export function testVector(dtype: Dtype, length: number, scale: number, offset: number): Words {
  const mixed = (i: number): number => Math.imul(i, 2654435761) >>> 0;
  if (dtype === "f32") return Float32Array.from({ length }, (_, i) => (mixed(i) / 2147483648 - 1) * scale + offset);
  return Int32Array.from({ length }, (_, i) => {
    if (dtype === "u8") return mixed(i) >>> 24;
    if (dtype === "i8") return (mixed(i) | 0) >> 24;
    return mixed(i) >>> 31;
  });
}
