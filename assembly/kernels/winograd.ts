/**
 * Weights of Winograd F(4x4,3x3): U = G g G^T for every pair of channels, once, when a module is loaded. The file keeps
 * the 3x3 taps, a quarter of U.
 *
 * In f64, rounded once: a load does this a single time, and it leaves the layers a smaller error. Points 0, +-a, +-b and
 * infinity with a = 5/8, b = 13/8; why these: src/kernels/winograd.ts.
 */

const A: f64 = 0.625;
const B: f64 = 1.625;
/** One divided by the products of the differences to the other points. */
const N0: f64 = 1.0 / (A * A * B * B);
const NA: f64 = 1.0 / (2.0 * A * A * (A * A - B * B));
const NB: f64 = 1.0 / (2.0 * B * B * (B * B - A * A));

/** The coefficients of the other two transforms, in the order of src/kernels/winograd-source.ts: 10 f32. */
export function winograd_constants(to: usize): void {
  store<f32>(to, <f32>A);
  store<f32>(to, <f32>B, 4);
  store<f32>(to, <f32>(A * A), 8);
  store<f32>(to, <f32>(B * B), 12);
  store<f32>(to, <f32>(A * A * A), 16);
  store<f32>(to, <f32>(B * B * B), 20);
  store<f32>(to, <f32>(-A * A), 24);
  store<f32>(to, <f32>(-B * B), 28);
  store<f32>(to, <f32>(A * A * B * B), 32);
  store<f32>(to, <f32>(-(A * A + B * B)), 36);
}

/** Two neighbouring f32 as f64. */
// @ts-ignore: decorator
@inline
function two(p: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(p));
}

/** The six rows of G times (x, y, z), at `to` and every `step` bytes after it. */
// @ts-ignore: decorator
@inline
function store6(to: usize, step: usize, x: v128, y: v128, z: v128): void {
  const a = f64x2.add(x, f64x2.mul(z, f64x2.splat(A * A))), ay = f64x2.mul(y, f64x2.splat(A));
  const b = f64x2.add(x, f64x2.mul(z, f64x2.splat(B * B))), by = f64x2.mul(y, f64x2.splat(B));
  const na = f64x2.splat(NA), nb = f64x2.splat(NB);
  put(to, f64x2.mul(x, f64x2.splat(N0)));
  put(to + step, f64x2.mul(f64x2.add(a, ay), na));
  put(to + 2 * step, f64x2.mul(f64x2.sub(a, ay), na));
  put(to + 3 * step, f64x2.mul(f64x2.add(b, by), nb));
  put(to + 4 * step, f64x2.mul(f64x2.sub(b, by), nb));
  put(to + 5 * step, z);
}

/** Rounded to f32. */
// @ts-ignore: decorator
@inline
function put(to: usize, v: v128): void {
  v128.store64_lane(to, f32x4.demote_f64x2_zero(v), 0);
}

/** G times a column of three taps of two kernels, row by row: the f64 that the second pass reads. */
// @ts-ignore: decorator
@inline
function row(k: i32, x: v128, y: v128, z: v128): v128 {
  if (k == 0) return f64x2.mul(x, f64x2.splat(N0));
  if (k == 5) return z;
  const p: f64 = k == 1 ? A : k == 2 ? -A : k == 3 ? B : -B;
  const n: f64 = k < 3 ? NA : NB;
  const sum = f64x2.add(f64x2.add(x, f64x2.mul(z, f64x2.splat(p * p))), f64x2.mul(y, f64x2.splat(p)));
  return f64x2.mul(sum, f64x2.splat(n));
}

/**
 * @param w panels of a 3x3 convolution: [panels][bias | 9 * c][4]
 * @param to [36][panels][bias | cs][4], cs >= c; biases and what is behind c are zeros already
 */
export function winograd_weights(w: usize, to: usize, panels: i32, c: i32, cs: i32): void {
  const tap = <usize>c * 16;
  const product = <usize>panels * (<usize>cs * 16 + 16);
  for (let panel = 0; panel < panels; panel++) {
    w += 16;
    to += 16;
    // Two of the four outputs at a time.
    for (const end = w + tap; w < end; w += 8, to += 8) {
      for (let k = 0; k < 6; k++) {
        const x = row(k, two(w), two(w + 3 * tap), two(w + 6 * tap));
        const y = row(k, two(w + tap), two(w + 4 * tap), two(w + 7 * tap));
        const z = row(k, two(w + 2 * tap), two(w + 5 * tap), two(w + 8 * tap));
        store6(to + <usize>(6 * k) * product, product, x, y, z);
      }
    }
    w += 8 * tap;
    to += <usize>(cs - c) * 16;
  }
}

/**
 * 1 if the engine computes the instructions above as they should be.
 * @param scratch 64 bytes, 16-byte aligned
 */
export function winograd_self_test(scratch: usize): i32 {
  store<f32>(scratch, 1.5);
  store<f32>(scratch, -3.0, 4);
  const v = two(scratch);
  store6(scratch, 8, v, f64x2.add(v, v), f64x2.sub(v, f64x2.mul(v, f64x2.splat(4.0))));
  for (let i = 0, x: f64 = 1.5; i < 2; i++, x = -3.0) {
    const p = scratch + 4 * i;
    const y = 2.0 * x, z = -3.0 * x;
    if (load<f32>(p) != <f32>(x * N0) || load<f32>(p, 40) != <f32>z) return 0;
    if (load<f32>(p, 8) != <f32>((x + z * (A * A) + y * A) * NA)) return 0;
    if (load<f32>(p, 16) != <f32>((x + z * (A * A) - y * A) * NA)) return 0;
    if (load<f32>(p, 24) != <f32>((x + z * (B * B) + y * B) * NB)) return 0;
    if (load<f32>(p, 32) != <f32>((x + z * (B * B) - y * B) * NB)) return 0;
  }
  return 1;
}
