/**
 * Stochastic gradient descent with momentum and L2 decay, one parameter tensor:
 * g += decay * w; m = momentum * m + g; w -= rate * (nesterov ? g + momentum * m : m).
 * `count` floats, rounded up to four; w, g and m are 16-byte aligned.
 */
export function sgd(w: usize, g: usize, m: usize, count: i32, rate: f32, momentum: f32, decay: f32, nesterov: i32): void {
  const lr = f32x4.splat(rate), mu = f32x4.splat(momentum), wd = f32x4.splat(decay), end = <usize>count << 2;
  for (let q: usize = 0; q < end; q += 16) {
    const value = v128.load(w + q), slope = f32x4.add(v128.load(g + q), f32x4.mul(wd, value));
    const velocity = f32x4.add(f32x4.mul(mu, v128.load(m + q)), slope);
    v128.store(m + q, velocity);
    const move = nesterov ? f32x4.add(slope, f32x4.mul(mu, velocity)) : velocity;
    v128.store(w + q, f32x4.sub(value, f32x4.mul(lr, move)));
  }
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019):
 * m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; w -= rate * (m/c1 / (sqrt(v/c2) + 1e-8) + decay * w),
 * with the bias corrections c1 = 1 - b1^t, c2 = 1 - b2^t.
 */
export function adamw(
  w: usize, g: usize, m: usize, v: usize, count: i32, rate: f32, b1: f32, b2: f32, c1: f32, c2: f32, decay: f32,
): void {
  const lr = f32x4.splat(rate), wd = f32x4.splat(decay), tiny = f32x4.splat(1e-8), end = <usize>count << 2;
  const keep1 = f32x4.splat(b1), new1 = f32x4.splat(1 - b1), keep2 = f32x4.splat(b2), new2 = f32x4.splat(1 - b2);
  const first = f32x4.splat(c1), second = f32x4.splat(c2);
  for (let q: usize = 0; q < end; q += 16) {
    const slope = v128.load(g + q), value = v128.load(w + q);
    const mean = f32x4.add(f32x4.mul(keep1, v128.load(m + q)), f32x4.mul(new1, slope));
    const square = f32x4.add(f32x4.mul(keep2, v128.load(v + q)), f32x4.mul(new2, f32x4.mul(slope, slope)));
    v128.store(m + q, mean);
    v128.store(v + q, square);
    const move = f32x4.div(f32x4.div(mean, first), f32x4.add(f32x4.sqrt(f32x4.div(square, second)), tiny));
    v128.store(w + q, f32x4.sub(value, f32x4.mul(lr, f32x4.add(move, f32x4.mul(wd, value)))));
  }
}
