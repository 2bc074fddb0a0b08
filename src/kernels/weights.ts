/**
 * Weight layout of every device kernel: panels of 4 output channels, `[N/4][bias | K][4]`, padded with zeros.
 *
 * A tile of any width that is a multiple of 4 reads it through constant offsets, so one file serves all variants and
 * nothing is packed at load. Against one stream per tile this cost 0 to 3 % (16 x 16 x 32 and 14 x 14 x 192, Node 20, 24).
 */

/** Bytes of the panels for `n` outputs and sums of `k` terms. */
export function panelsBytes(n: number, k: number): number {
  return Math.ceil(n / 4) * (k + 1) * 16;
}

/**
 * Packs a [k][n] matrix. `rows` maps the k-th term of the packed sum to a row of `w`, or -1 for a zero
 * (the padding between channels that a segment runs across).
 */
export function packPanels(
  w: Float32Array,
  n: number,
  bias: Float32Array | null,
  rows: ArrayLike<number>,
): Float32Array {
  const k = rows.length;
  const out = new Float32Array(panelsBytes(n, k) / 4);
  for (let p = 0, q = 0; p < n; p += 4) {
    const width = Math.min(4, n - p);
    for (let j = 0; j < width; j++) out[q + j] = bias ? bias[p + j]! : 0;
    q += 4;
    for (let i = 0; i < k; i++, q += 4) {
      const row = rows[i]!;
      if (row < 0) continue;
      for (let j = 0; j < width; j++) out[q + j] = w[row * n + p + j]!;
    }
  }
  return out;
}

/** Rows of an HWIO weight for segments that run over `taps` pixels of `cs` floats, of which `ci` are channels. */
export function segmentRows(taps: number, ci: number, cs: number): Int32Array {
  const rows = new Int32Array(taps * cs).fill(-1);
  for (let t = 0; t < taps; t++) for (let c = 0; c < ci; c++) rows[t * cs + c] = t * ci + c;
  return rows;
}

/** Values in f32, padded with zeros to a multiple of 4: constants of element-wise layers. */
export function packVector(values: ArrayLike<number>): Float32Array {
  const out = new Float32Array(Math.ceil(values.length / 4) * 4);
  out.set(values);
  return out;
}
