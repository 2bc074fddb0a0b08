import { cosTurn, sinTurn } from "./exact.js";

/**
 * |X(k)|^2 for k = 0..n/2 of real frames of length n, a power of two, by the radix-2 transform of Cooley and Tukey (1965).
 * The array that is returned is used again by the next call.
 */
export function powerSpectrum(n: number): (frame: Float64Array) => Float64Array {
  const half = n / 2;
  const cos = Float64Array.from({ length: half }, (_, i) => cosTurn(i / n));
  const sin = Float64Array.from({ length: half }, (_, i) => -sinTurn(i / n));
  const reversed = new Uint32Array(n);
  for (let i = 1; i < n; i++) reversed[i] = (reversed[i >> 1]! >> 1) | (i & 1 ? half : 0);
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  const out = new Float64Array(half + 1);
  return (frame) => {
    for (let i = 0; i < n; i++) re[i] = frame[reversed[i]!]!;
    im.fill(0);
    for (let size = 2; size <= n; size *= 2) {
      const stride = n / size;
      for (let start = 0; start < n; start += size) {
        for (let j = 0; j < size / 2; j++) {
          const [a, b] = [start + j, start + j + size / 2];
          const [c, s] = [cos[j * stride]!, sin[j * stride]!];
          const x = re[b]! * c - im[b]! * s;
          const y = re[b]! * s + im[b]! * c;
          re[b] = re[a]! - x;
          im[b] = im[a]! - y;
          re[a]! += x;
          im[a]! += y;
        }
      }
    }
    for (let k = 0; k <= half; k++) out[k] = re[k]! * re[k]! + im[k]! * im[k]!;
    return out;
  };
}
