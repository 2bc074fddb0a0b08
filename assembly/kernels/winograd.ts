/**
 * Weights of Winograd's method: U = G g G^T for every pair of channels, once, when a module is loaded. The file keeps
 * the 3x3 taps, a quarter of U (a ninth at stride 2).
 *
 * In f64, rounded once: a load does this a single time, and it leaves the layers a smaller error. The schemes and their
 * matrices G: src/kernels/winograd.ts.
 */

/** Two neighbouring f32 as f64. */
// @ts-ignore: decorator
@inline
function two(p: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(p));
}

/** A row of G, at g, times (x, y, z). */
// @ts-ignore: decorator
@inline
function row(g: usize, x: v128, y: v128, z: v128): v128 {
  const xy = f64x2.add(f64x2.mul(x, v128.load64_splat(g)), f64x2.mul(y, v128.load64_splat(g, 8)));
  return f64x2.add(xy, f64x2.mul(z, v128.load64_splat(g, 16)));
}

/** Rounded to f32. */
// @ts-ignore: decorator
@inline
function put(to: usize, v: v128): void {
  v128.store64_lane(to, f32x4.demote_f64x2_zero(v), 0);
}

/**
 * @param w panels of a 3x3 convolution: [panels][bias | 9 * c][4]
 * @param to [points][points][panels][bias | cs][4], cs >= c; biases and what is behind c are zeros already
 * @param g [points][3] f64
 */
export function winograd_weights(w: usize, to: usize, panels: i32, c: i32, cs: i32, g: usize, points: i32): void {
  const tap = <usize>c * 16;
  const product = <usize>panels * (<usize>cs * 16 + 16);
  const end = g + <usize>points * 24;
  for (let panel = 0; panel < panels; panel++) {
    w += 16;
    to += 16;
    // Two of the four outputs at a time.
    for (const last = w + tap; w < last; w += 8, to += 8) {
      let p = to;
      for (let down = g; down < end; down += 24) {
        const x = row(down, two(w), two(w + 3 * tap), two(w + 6 * tap));
        const y = row(down, two(w + tap), two(w + 4 * tap), two(w + 7 * tap));
        const z = row(down, two(w + 2 * tap), two(w + 5 * tap), two(w + 8 * tap));
        for (let across = g; across < end; across += 24, p += product) put(p, row(across, x, y, z));
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
  for (let i = 0, g: f64 = 0.7; i < 3; i++, g -= 0.9) store<f64>(scratch + 8 * i, g, 16);
  put(scratch + 48, row(scratch + 16, v, f64x2.add(v, v), f64x2.sub(v, f64x2.mul(v, f64x2.splat(4.0)))));
  for (let i = 0, x: f64 = 1.5; i < 2; i++, x = -3.0) {
    const y = 2.0 * x, z = -3.0 * x;
    const sum = x * load<f64>(scratch, 16) + y * load<f64>(scratch, 24) + z * load<f64>(scratch, 32);
    if (load<f32>(scratch + 4 * i, 48) != <f32>sum) return 0;
  }
  return 1;
}
