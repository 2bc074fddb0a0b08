import { zero } from "./vector";

export const GRAD_RELU: i32 = 0;
export const GRAD_RELU6: i32 = 1;
export const GRAD_SIGMOID: i32 = 2;

/** dx = dy * act'(x), from the activation's output y: relu y > 0, relu6 0 < y < 6, sigmoid y * (1 - y). */
export function activation_grad(
  kind: i32, dy: usize, dyImage: usize, dyRow: usize, y: usize, yImage: usize, yRow: usize,
  dx: usize, dxImage: usize, dxRow: usize, n: i32, h: i32, count: i32,
): void {
  const end = <usize>count << 2, one = f32x4.splat(1), six = f32x4.splat(6);
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < h; i++) {
      const g = dy + <usize>b * dyImage + <usize>i * dyRow, o = y + <usize>b * yImage + <usize>i * yRow;
      const d = dx + <usize>b * dxImage + <usize>i * dxRow;
      for (let q: usize = 0; q < end; q += 16) {
        const a = v128.load(g + q), v = v128.load(o + q);
        let r: v128;
        if (kind == GRAD_SIGMOID) r = f32x4.mul(a, f32x4.mul(v, f32x4.sub(one, v)));
        else if (kind == GRAD_RELU6) r = v128.and(a, v128.and(f32x4.gt(v, zero()), f32x4.lt(v, six)));
        else r = v128.and(a, f32x4.gt(v, zero()));
        v128.store(d + q, r);
      }
    }
  }
}

/** dx = y * (dy - sum dy * y) over `n` elements that lie `step` apart, for each of `outer` x `inner` groups; sums in f64. */
export function softmax_grad(
  dy: usize, y: usize, dx: usize, outer: i32, n: i32, inner: i32,
  dyOuter: usize, dyStep: usize, dyInner: usize, yOuter: usize, yStep: usize, yInner: usize,
  dxOuter: usize, dxStep: usize, dxInner: usize,
): void {
  for (let a = 0; a < outer; a++) {
    for (let b = 0; b < inner; b++) {
      const g = dy + <usize>a * dyOuter + <usize>b * dyInner, p = y + <usize>a * yOuter + <usize>b * yInner;
      const d = dx + <usize>a * dxOuter + <usize>b * dxInner;
      let s: f64 = 0;
      for (let i = 0; i < n; i++) s += <f64>load<f32>(g + <usize>i * dyStep) * <f64>load<f32>(p + <usize>i * yStep);
      for (let i = 0; i < n; i++) {
        const v = <f64>load<f32>(p + <usize>i * yStep) * (<f64>load<f32>(g + <usize>i * dyStep) - s);
        store<f32>(d + <usize>i * dxStep, <f32>v);
      }
    }
  }
}
