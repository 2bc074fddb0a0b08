/**
 * Elementary functions by additions, products and divisions only. `Math.log` and its kin differ between engines and
 * versions in their last bits; features computed with these are the same bits everywhere, and so is a data set's hash.
 */

const LN2 = 0.6931471805599453;
const bits = new DataView(new ArrayBuffer(8));

/** Natural logarithm of x > 0, a normal double; within 4 units of 2^-53 of the larger of 1 and the result. */
export function ln(x: number): number {
  bits.setFloat64(0, x);
  const high = bits.getUint32(0);
  let exponent = (high >>> 20) - 1023;
  bits.setUint32(0, (high & 0xfffff) | (1023 << 20));
  let m = bits.getFloat64(0); // x = m 2^exponent, 1 <= m < 2
  if (m > Math.SQRT2) {
    m /= 2;
    exponent++;
  }
  // ln m = 2 artanh((m - 1) / (m + 1)); the argument is below 0.172, so 12 terms reach 2^-53.
  const s = (m - 1) / (m + 1);
  const square = s * s;
  let sum = 0;
  for (let n = 23; n >= 1; n -= 2) sum = sum * square + 1 / n;
  return exponent * LN2 + 2 * s * sum;
}

/** e to the power of x, |x| < 700; relative error within 2^-50. */
export function exp(x: number): number {
  const k = Math.round(x / LN2);
  const r = x - k * LN2;
  let sum = 1;
  for (let n = 14; n >= 1; n--) sum = 1 + (sum * r) / n;
  bits.setUint32(0, (k + 1023) << 20);
  bits.setUint32(4, 0);
  return sum * bits.getFloat64(0);
}

/** cos(2 pi t) for a number of turns t. */
export function cosTurn(t: number): number {
  const x = Math.abs(t - Math.round(t)); // 0 to 1/2
  if (x > 0.25) return -cosTurn(0.5 - x);
  return x > 0.125 ? series(0.25 - x, 1) : series(x, 0);
}

/** sin(2 pi t) for a number of turns t. */
export const sinTurn = (t: number): number => cosTurn(t - 0.25);

/** Taylor series of the cosine (`first` 0) or sine (1) of x turns, 0 <= x <= 1/8. */
function series(x: number, first: 0 | 1): number {
  const angle = 2 * Math.PI * x;
  let term = first === 1 ? angle : 1;
  let sum = term;
  for (let n = first + 1; n < 22; n += 2) {
    term *= -(angle * angle) / (n * (n + 1));
    sum += term;
  }
  return sum;
}
