/**
 * Winograd's method for 3x3 convolutions, 4 x 4 outputs at a time: F(4x4,3x3) at stride 1, and its like at stride 2.
 *
 *   Y = A^T [ sum over c of (G g_c G^T) . (B^T d_c B) ] A      d: inputs of a tile, g: 3 x 3 taps, Y: 4 x 4 outputs
 *
 * (A. Lavin, S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; the matrices are those of
 * Toom-Cook interpolation at finite points and infinity.) The sums over channels are matrix products, one for each pair
 * of points: 36 instead of 144 at stride 1.
 *
 * Stride 2. Along an axis the inputs of even index meet two of the taps at stride 1, those of odd index the third:
 * F(4,2) of the former, 5 products, plus the 4 products of the latter as they are. That is 81 products of 144, and both
 * kinds are one scheme: B^T and G pick the inputs and taps of a phase, A^T adds the phases.
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
 * Points. kappa depends on nothing else. Stride 1: the usual 0, +-1, +-2: 860; 0, +-1, 1/2, -2: 287; 0, +-1/sqrt 2,
 * +-sqrt 2: 157, with rounded coefficients; 0, +-5/8, +-13/8: 160, and all its coefficients but those of G are exact in
 * f32. Measured (rms against f64, 32 channels, relu'd normal inputs): 1.2e-6, 7e-7, 5.3e-7, 5.1e-7; a direct sum 2.2e-7.
 * Stride 2: 0, +-1, 2 or 1/2: 205; 0, +-3/4, 7/4: 88, exact too; no other points of eighths below 2 are under 85.
 */

/** Side of the outputs of a tile. */
export const TILE = 4;

/** Coefficients of the product of (x - root), lowest power first. */
function polynomial(roots: readonly number[]): number[] {
  return roots.reduce<number[]>((c, root) => [...c, 0].map((_, k) => (c[k - 1] ?? 0) - root * (c[k] ?? 0)), [1]);
}

interface Matrices {
  /** [points][3], [points][points], [4][points]. */
  readonly g: readonly (readonly number[])[];
  readonly bt: readonly (readonly number[])[];
  readonly at: readonly (readonly number[])[];
}

/** F(4, taps) by interpolation at `finite` points and infinity. */
function toomCook(finite: readonly number[], taps: number): Matrices {
  const powers = range(taps);
  const others = (p: number): number[] => finite.filter((q) => q !== p);
  return {
    g: [
      ...finite.map((p) => powers.map((t) => p ** t / others(p).reduce((n, q) => n * (p - q), 1))),
      powers.map((t) => (t === taps - 1 ? 1 : 0)),
    ],
    bt: [...finite.map((p) => [...polynomial(others(p)), 0]), polynomial(finite)],
    at: range(TILE).map((i) => [...finite.map((p) => p ** i), i === TILE - 1 ? 1 : 0]),
  };
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const unit = (n: number, at: number): number[] => range(n).map((i) => (i === at ? 1 : 0));

/** Inputs 0, 2, .. 8 meet taps 0 and 2 at the points of `even`, inputs 1, 3, 5, 7 meet tap 1. */
function phases(even: Matrices): Matrices {
  const inputs = 2 * TILE + 1;
  const spread = (row: readonly number[]): number[] => range(inputs).map((i) => (i % 2 === 0 ? row[i / 2]! : 0));
  return {
    g: [...even.g.map(([first, last]) => [first!, 0, last!]), ...range(TILE).map(() => unit(3, 1))],
    bt: [...even.bt.map(spread), ...range(TILE).map((i) => unit(inputs, 2 * i + 1))],
    at: even.at.map((row, i) => [...row, ...unit(TILE, i)]),
  };
}

/** How much larger than the plain sum of absolute products the terms of the transformed sum may be; see above. */
function amplificationOf({ g, bt, at }: Matrices): number {
  const rows = bt.map((row) => row.reduce((n, v) => n + Math.abs(v), 0));
  const sums = at.flatMap((row) =>
    [0, 1, 2].map((tap) => row.reduce((n, v, p) => n + Math.abs(v * g[p]![tap]!) * rows[p]!, 0)),
  );
  return Math.max(...sums) ** 2;
}

/** The method at one stride. */
export interface Scheme {
  readonly stride: 1 | 2;
  /** As it is written in plans and profiles. */
  readonly label: string;
  /** Inputs of a tile along an axis, and as many points. */
  readonly points: number;
  /** The first of them, which mix inputs; each of the others takes an input of odd index as it is. */
  readonly mixed: number;
  /** Of matrices: points squared. */
  readonly products: number;
  /** The points +-a and +-b; at stride 2 +-a and b. */
  readonly a: number;
  readonly b: number;
  readonly matrices: Matrices;
  readonly amplification: number;
}

function scheme(stride: 1 | 2, label: string, a: number, b: number, matrices: Matrices): Scheme {
  const points = matrices.bt.length;
  const mixed = stride === 1 ? points : points - TILE;
  return {
    stride,
    label,
    points,
    mixed,
    products: points * points,
    a,
    b,
    matrices,
    amplification: amplificationOf(matrices),
  };
}

const UNIT = scheme(1, "F(4x4,3x3)", 5 / 8, 13 / 8, toomCook([0, 5 / 8, -5 / 8, 13 / 8, -13 / 8], 3));
const HALVING = scheme(2, "F(4x4,3x3)/2", 3 / 4, 7 / 4, phases(toomCook([0, 3 / 4, -3 / 4, 7 / 4], 2)));

/** By stride. */
export const SCHEMES: Readonly<Record<1 | 2, Scheme>> = { 1: UNIT, 2: HALVING };

/** Roundings of a layer with `ci` input channels, each counted as many times as it may be amplified. */
export function winogradRoundings({ amplification }: Scheme, ci: number): number {
  return Math.ceil(amplification * (ci + 19));
}

/** Bytes of transformed weights: [products] panels of [N/4][bias | C][4], the bias rows zero; `c` a multiple of 4. */
export function transformedBytes({ products }: Scheme, c: number, n: number): number {
  return products * Math.ceil(n / 4) * (c + 1) * 16;
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
  /** Bytes from one of the products to the next in the transformed inputs V and in the results M of a chunk. */
  readonly vProduct: number;
  readonly mProduct: number;
}

/**
 * An odd number of cache lines at least `bytes` long: a transform walks through a place in every product, this far
 * apart, and at a power of two they would share a few sets of the first cache (32 x 32 x 16: 4096 bytes; twice the time
 * on Zen 4).
 */
const apart = (bytes: number): number => bytes + (Math.floor(bytes / 64) % 2 === 0 ? 64 : 0);

/** @param c, n channel strides of input and output, multiples of 4 */
export function chunksOf({ products }: Scheme, height: number, width: number, c: number, n: number): WinogradChunks {
  const columns = Math.ceil(width / TILE);
  const rows = Math.ceil(height / TILE);
  const rowBytes = products * columns * (c + n) * 4;
  const most = Math.max(1, Math.min(rows, Math.floor(CHUNK_BYTES / rowBytes)));
  // Balanced: 14 rows by at most 5 are 5 + 5 + 4.
  const chunkRows = Math.ceil(rows / Math.ceil(rows / most));
  const pixelBytes = columns * chunkRows * 4;
  return { columns, rows, chunkRows, vProduct: apart(pixelBytes * c), mProduct: apart(pixelBytes * n) };
}
