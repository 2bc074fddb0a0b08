/**
 * 32-bit integers as the kernels compute them: results wrap around, a division by zero gives 0 (the instruction would
 * stop the module).
 */
export const int32 = {
  add: (a: number, b: number): number => (a + b) | 0,
  sub: (a: number, b: number): number => (a - b) | 0,
  mul: Math.imul,
  div: (a: number, b: number): number => (b === 0 ? 0 : Math.trunc(a / b) | 0),
  floorDiv: (a: number, b: number): number => (b === 0 ? 0 : Math.floor(a / b) | 0),
  /** Remainder with the sign of the dividend. */
  mod: (a: number, b: number): number => (b === 0 ? 0 : (a % b) | 0),
  /** Remainder with the sign of the divisor. */
  floorMod: (a: number, b: number): number => (b === 0 ? 0 : floorMod(a, b) | 0),
  /** a^b modulo 2^32; a negative exponent gives the fraction truncated, 0 for 1/0. */
  pow(a: number, b: number): number {
    if (b < 0) return a === 1 ? 1 : a === -1 ? (b % 2 === 0 ? 1 : -1) : 0;
    let result = 1;
    for (let base = a, e = b; e > 0; e >>>= 1, base = Math.imul(base, base)) {
      if (e & 1) result = Math.imul(result, base);
    }
    return result;
  },
};

/** a - floor(a / b) * b, without the rounding of the quotient. */
export function floorMod(a: number, b: number): number {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
}
