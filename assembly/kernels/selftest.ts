/**
 * One small vector for each family of instructions a package uses, with results known by heart.
 *
 * Validation alone is not enough: engines have shipped SIMD instructions that validate and compute something else.
 * Operands go through memory, so that no compiler can work out the answers beforehand.
 *
 *   self_test(scratch)   scratch: 64 bytes that nothing else uses, 16-byte aligned; 1 when all is right, else 0
 */
import { exp4, madd, relu4, relu6of4, sigmoid4 } from "./simd";

// @ts-ignore: decorator
@inline
function equals(v: v128, a: f32, b: f32, c: f32, d: f32): bool {
  return v128.all_true<i32>(f32x4.eq(v, f32x4(a, b, c, d)));
}

/** All lanes within `tolerance` of `expected`. */
function near(v: v128, expected: f32, tolerance: f32): bool {
  return v128.all_true<i32>(f32x4.le(f32x4.abs(f32x4.sub(v, f32x4.splat(expected))), f32x4.splat(tolerance)));
}

export function self_test(scratch: usize): i32 {
  for (let i = 0, p = scratch; i < 4; i++, p += 4) {
    const n = <f32>i;
    store<f32>(p, n + 1); // 1 2 3 4
    store<f32>(p, n * 4 - 6, 16); // -6 -2 2 6
    store<f32>(p, n * n * 0.5, 32); // 0 0.5 2 4.5
    store<f32>(p, 0, 48);
  }
  const a = v128.load(scratch), b = v128.load(scratch, 16), c = v128.load(scratch, 32), zero = v128.load(scratch, 48);
  // Exact whether fused or not; wrong if the operands are taken in another order.
  if (!equals(madd(a, b, c), -6, -3.5, 8, 28.5)) return 0;
  if (!equals(madd(v128.load32_splat(scratch, 8), b, c), -18, -5.5, 8, 22.5)) return 0;
  if (!equals(f32x4.add(a, b), -5, 0, 5, 10) || !equals(f32x4.sub(a, b), 7, 4, 1, -2)) return 0;
  if (!equals(f32x4.mul(a, b), -6, -4, 6, 24) || !equals(f32x4.div(b, a), -6, -1, <f32>(2.0 / 3.0), 1.5)) return 0;
  if (!equals(relu4(b), 0, 0, 2, 6) || !equals(relu6of4(f32x4.mul(b, a)), 0, 0, 6, 6)) return 0;
  if (!equals(f32x4.max(a, b), 1, 2, 3, 6) || !equals(f32x4.min(a, b), -6, -2, 2, 4)) return 0;
  if (!near(exp4(zero), 1, 0) || !near(exp4(v128.load32_splat(scratch)), 2.7182817, 1e-6)) return 0;
  if (!near(sigmoid4(zero), 0.5, 0)) return 0;
  v128.store_lane<f32>(scratch, b, 3, 48);
  if (load<f32>(scratch, 48) != 6 || f32x4.extract_lane(b, 1) != -2) return 0;
  memory.copy(scratch + 32, scratch, 16);
  memory.fill(scratch, 0, 16);
  if (!equals(v128.load(scratch, 32), 1, 2, 3, 4) || !equals(v128.load(scratch), 0, 0, 0, 0)) return 0;
  return 1;
}
