// Conventions of the host's own kernels. Pointers and strides are in bytes, counts in elements. Activations have their last
// axis padded to a multiple of four floats, so rows are walked in vectors; values in the padding are finite and never
// read as results. An image tensor is `n` images of `h` rows; `image` and `row` are the distances between them.

// @ts-ignore: decorator
@inline
export function zero(): v128 {
  return f32x4.splat(0);
}

/** at[0..3] += v, in f64. */
// @ts-ignore: decorator
@inline
export function addWide(at: usize, v: v128): void {
  v128.store(at, f64x2.add(v128.load(at), f64x2.promote_low_f32x4(v)));
  const high = i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  v128.store(at, f64x2.add(v128.load(at, 16), f64x2.promote_low_f32x4(high)), 16);
}
