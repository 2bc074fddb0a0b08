/**
 * Winograd's method F(4x4,3x3): 4 x 4 outputs of a 3x3 convolution at stride 1 from 36 products instead of 144.
 *
 *   Y = A^T [ sum over c of (G g_c G^T) . (B^T d_c B) ] A      d: 6 x 6 inputs, g: 3 x 3 taps, Y: 4 x 4 outputs
 *
 * (A. Lavin, S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; the matrices are those of
 * Toom-Cook interpolation at the points 0, +-a, +-b and infinity.) The sums over channels are 36 matrix products.
 *
 * Error. To first order every rounding of a path of r operations moves a result by 2^-24 of the absolute values it runs
 * through, so with X_c the largest |d_c|
 *
 *   |emitted - exact| <= r 2^-24 |A^T| [ sum_c (|G| |g_c| |G^T|) . (|B^T| X_c 11^T |B|) ] |A|
 *                     <= r kappa 2^-24 sum_c X_c |g_c|_1,   kappa = max over outputs i and taps t of
 *                        (sum over points p of |A^T|_ip |G|_pt (|B^T| 1)_p), squared for two dimensions.
 *
 * r = 4 + 4 (two passes of B^T) + 1 (G g G^T is computed in f64 and rounded once) + ci + 1 (products and their sum)
 * + 4 + 4 (two passes of A^T) + 1 (bias) = ci + 19. Unlike the bound of a direct convolution this one takes the largest
 * input of a channel for all of them: transforms mix pixels, so a pixel's error does not shrink with the pixel.
 * (The analysis in norms: B. Barabasz et al., "Error analysis and improving the accuracy of Winograd convolution for deep
 * neural networks", ACM TOMS 46, 2020.)
 *
 * Points. kappa depends on nothing else. The usual 0, +-1, +-2: 860; 0, +-1, 1/2, -2: 287; 0, +-1/sqrt 2, +-sqrt 2: 157,
 * with rounded coefficients; 0, +-5/8, +-13/8: 160, and all its coefficients but those of G are exact in f32. Measured
 * (rms against f64, 32 channels, relu'd normal inputs): 1.2e-6, 7e-7, 5.3e-7, 5.1e-7; a direct sum 2.2e-7.
 */

/** The points +-a and +-b. */
export const POINT_A = 5 / 8;
export const POINT_B = 13 / 8;

/** Side of the outputs, of the inputs and number of products of one tile. */
export const TILE = 4;
export const INPUT_TILE = 6;
export const PRODUCTS = 36;

const FINITE = [0, POINT_A, -POINT_A, POINT_B, -POINT_B];

/** Coefficients of the product of (x - root), lowest power first. */
function polynomial(roots: readonly number[]): number[] {
  return roots.reduce<number[]>((c, root) => [...c, 0].map((_, k) => (c[k - 1] ?? 0) - root * (c[k] ?? 0)), [1]);
}

interface Matrices {
  /** [6][3], [6][6], [4][6]. */
  readonly g: readonly (readonly number[])[];
  readonly bt: readonly (readonly number[])[];
  readonly at: readonly (readonly number[])[];
}

export const MATRICES: Matrices = {
  g: [
    ...FINITE.map((p) => {
      const others = FINITE.filter((q) => q !== p).reduce((n, q) => n * (p - q), 1);
      return [1 / others, p / others, (p * p) / others];
    }),
    [0, 0, 1],
  ],
  bt: [...FINITE.map((p) => [...polynomial(FINITE.filter((q) => q !== p)), 0]), polynomial(FINITE)],
  at: Array.from({ length: TILE }, (_, i) => [...FINITE.map((p) => p ** i), i === TILE - 1 ? 1 : 0]),
};

/** How much larger than the plain sum of absolute products the terms of the transformed sum may be; see above. */
export const AMPLIFICATION = ((): number => {
  const { g, bt, at } = MATRICES;
  const rows = bt.map((row) => row.reduce((n, v) => n + Math.abs(v), 0));
  const sums = at.flatMap((row) =>
    [0, 1, 2].map((tap) => row.reduce((n, v, p) => n + Math.abs(v * g[p]![tap]!) * rows[p]!, 0)),
  );
  return Math.max(...sums) ** 2;
})();

/** Roundings of a layer with `ci` input channels, each counted as many times as it may be amplified. */
export function winogradRoundings(ci: number): number {
  return Math.ceil(AMPLIFICATION * (ci + 19));
}

/** Bytes of the transformed weights: [36] panels of [N/4][bias | C][4], the bias rows zero. `c` is a multiple of 4. */
export function transformedBytes(c: number, n: number): number {
  return PRODUCTS * Math.ceil(n / 4) * (c + 1) * 16;
}

/** Bytes between the transforms that keep to one core's second cache with what else is in use (512 KB and more). */
const CHUNK_BYTES = 320 * 1024;

/** Tile rows that are transformed, multiplied and transformed back at a time. */
export interface WinogradChunks {
  /** Tiles of a row, and rows of tiles of an image; the last of each may be partial. */
  readonly columns: number;
  readonly rows: number;
  /** Most tile rows of a chunk. */
  readonly chunkRows: number;
  /** Bytes from one of the 36 products to the next in the transformed inputs V and in the results M of a chunk. */
  readonly vProduct: number;
  readonly mProduct: number;
}

/**
 * An odd number of cache lines at least `bytes` long: a transform walks through 36 places this far apart, and at a power
 * of two they would share a few sets of the first cache (32 x 32 x 16: 4096 bytes; twice the time on Zen 4).
 */
const apart = (bytes: number): number => bytes + (Math.floor(bytes / 64) % 2 === 0 ? 64 : 0);

/** @param c, n channel strides of input and output, multiples of 4 */
export function chunksOf(height: number, width: number, c: number, n: number): WinogradChunks {
  const columns = Math.ceil(width / TILE);
  const rows = Math.ceil(height / TILE);
  const rowBytes = PRODUCTS * columns * (c + n) * 4;
  const most = Math.max(1, Math.min(rows, Math.floor(CHUNK_BYTES / rowBytes)));
  // Balanced: 14 rows by at most 5 are 5 + 5 + 4.
  const chunkRows = Math.ceil(rows / Math.ceil(rows / most));
  const pixelBytes = columns * chunkRows * 4;
  return { columns, rows, chunkRows, vProduct: apart(pixelBytes * c), mProduct: apart(pixelBytes * n) };
}
