// Losses over a batch, in f64 with the compiled exp and log of the AssemblyScript library, so that no engine's own
// transcendental functions enter: the same bits everywhere.

/** loss = T^2 * mean over rows of -sum target * log softmax(logits / T); logits and target [n, classes]. */
export function softmax_cross_entropy(
  logits: usize, logitsRow: usize, target: usize, targetRow: usize, n: i32, classes: i32, temperature: f64, loss: usize,
): void {
  let total: f64 = 0;
  for (let i = 0; i < n; i++) {
    const x = logits + <usize>i * logitsRow, t = target + <usize>i * targetRow;
    const shift = maximum(x, classes), logSum = Math.log(sumOfExponentials(x, classes, shift, temperature));
    for (let c = 0; c < classes; c++) {
      const at = <usize>c << 2;
      total += <f64>load<f32>(t + at) * (logSum - (<f64>load<f32>(x + at) - shift) / temperature);
    }
  }
  store<f32>(loss, <f32>((total * temperature * temperature) / <f64>n));
}

/** dlogits = dloss * T / n * (softmax(logits / T) * sum target - target). */
export function softmax_cross_entropy_grad(
  dloss: usize, logits: usize, logitsRow: usize, target: usize, targetRow: usize, n: i32, classes: i32, temperature: f64,
  out: usize, outRow: usize,
): void {
  const factor = (<f64>load<f32>(dloss) * temperature) / <f64>n;
  for (let i = 0; i < n; i++) {
    const x = logits + <usize>i * logitsRow, t = target + <usize>i * targetRow, d = out + <usize>i * outRow;
    const shift = maximum(x, classes), sum = sumOfExponentials(x, classes, shift, temperature);
    let mass: f64 = 0;
    for (let c = 0; c < classes; c++) mass += <f64>load<f32>(t + (<usize>c << 2));
    for (let c = 0; c < classes; c++) {
      const at = <usize>c << 2;
      const p = Math.exp((<f64>load<f32>(x + at) - shift) / temperature) / sum;
      store<f32>(d + at, <f32>(factor * (p * mass - <f64>load<f32>(t + at))));
    }
  }
}

/** The largest of `count` floats; NaN when one of them is, so that a diverged training is noticed. */
function maximum(x: usize, count: i32): f64 {
  let most = load<f32>(x);
  for (let c = 1; c < count; c++) most = max<f32>(most, load<f32>(x + (<usize>c << 2)));
  return <f64>most;
}

function sumOfExponentials(x: usize, count: i32, shift: f64, temperature: f64): f64 {
  let sum: f64 = 0;
  for (let c = 0; c < count; c++) sum += Math.exp((<f64>load<f32>(x + (<usize>c << 2)) - shift) / temperature);
  return sum;
}

/** loss += sum (a - b)^2 / count over `h` rows of `n` images with `width` pixels of `channels` (`pitch` floats apart). */
export function mean_squared_error(
  a: usize, aImage: usize, aRow: usize, b: usize, bImage: usize, bRow: usize,
  n: i32, h: i32, width: i32, channels: i32, pitch: i32, loss: usize,
): void {
  let total: f64 = 0;
  for (let m = 0; m < n; m++) {
    for (let i = 0; i < h; i++) {
      const p = a + <usize>m * aImage + <usize>i * aRow, q = b + <usize>m * bImage + <usize>i * bRow;
      for (let j = 0; j < width; j++) {
        for (let c = 0; c < channels; c++) {
          const at = <usize>(j * pitch + c) << 2, d = <f64>load<f32>(p + at) - <f64>load<f32>(q + at);
          total += d * d;
        }
      }
    }
  }
  store<f32>(loss, <f32>(total / (<f64>n * <f64>h * <f64>width * <f64>channels)));
}

/** da = dloss * 2 / count * (a - b); the padding of the channels is written too. */
export function mean_squared_error_grad(
  dloss: usize, a: usize, aImage: usize, aRow: usize, b: usize, bImage: usize, bRow: usize,
  d: usize, dImage: usize, dRow: usize, n: i32, h: i32, width: i32, channels: i32, pitch: i32,
): void {
  const factor = f32x4.splat(<f32>((2 * <f64>load<f32>(dloss)) / (<f64>n * <f64>h * <f64>width * <f64>channels)));
  const end = <usize>(width * pitch) << 2;
  for (let m = 0; m < n; m++) {
    for (let i = 0; i < h; i++) {
      const p = a + <usize>m * aImage + <usize>i * aRow, q = b + <usize>m * bImage + <usize>i * bRow;
      const o = d + <usize>m * dImage + <usize>i * dRow;
      for (let at: usize = 0; at < end; at += 16) {
        v128.store(o + at, f32x4.mul(factor, f32x4.sub(v128.load(p + at), v128.load(q + at))));
      }
    }
  }
}
