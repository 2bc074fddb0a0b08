/**
 * The module of the host executor: the device's kernels with sizes as arguments, run over a batch, and the gradients.
 * Compiled by scripts/build-host-wasm.mjs; called with the numbers of a plan (src/host/plan.ts). Memory is imported.
 * Conventions: gradients/vector.ts.
 */
import { depthwise } from "./kernels/depthwise";
import { binary_rows, binary_scalar_rows, unary_rows } from "./kernels/elementwise";
import { avg_pool, max_pool } from "./kernels/pool";
import { reduce_image } from "./kernels/reduce";
import { clear_border } from "./kernels/copy";

/** End of the module's own data (tables of exp and log): plans keep their memory above it (machine.mjs checks). */
export function data_end(): usize {
  return __heap_base;
}

export * from "./kernels/binary";
export * from "./kernels/quantize";
export * from "./kernels/requantize";
export * from "./kernels/select";
export * from "./kernels/unary";
export { attention } from "./kernels/attention";
export { conv } from "./kernels/conv";
export { depthwise } from "./kernels/depthwise";
export { copy_strided, fill_value } from "./kernels/copy";
export { cumsum_strided, fold_words } from "./kernels/fold";
export { gather_strided } from "./kernels/gather";
export { arg_strided, top_k_strided } from "./kernels/order";
export { resize_nearest, resize_taps } from "./kernels/resize";
export { binary_strided } from "./kernels/elementwise";
export { matmul } from "./kernels/matmul";
export { normalise, normalise_channels } from "./kernels/norm";
export { gru, lstm, rnn } from "./kernels/recurrent";
export { softmax_strided } from "./kernels/softmax";
export { conv_wide } from "./gradients/conv-wide";
export { conv_grad_weight } from "./gradients/conv-grad-weight";
export { depthwise_grad_weight } from "./gradients/depthwise-grad-weight";
export { pack_depthwise, pack_panels } from "./gradients/pack";
export {
  affine_act, batch_norm_affine, batch_norm_grad_apply, batch_norm_grad_sums, batch_norm_stats,
} from "./gradients/batch-norm";
export { activation_grad, softmax_grad } from "./gradients/activation";
export { avg_pool_grad, clear_images, max_pool_grad } from "./gradients/pool";
export { channel_sums, divide, fold_strided, reduce_max_grad } from "./gradients/reduce";
export {
  mean_squared_error, mean_squared_error_grad, softmax_cross_entropy, softmax_cross_entropy_grad,
} from "./gradients/loss";
export { adamw, sgd } from "./gradients/optimizer";

export function depthwise_images(
  x: usize, xImage: usize, xRow: usize, xStep: usize, xTapRow: usize, xTapColumn: usize, w: usize,
  y: usize, yImage: usize, yRow: usize, yStep: usize, n: i32, oh: i32, ow: i32, kh: i32, kw: i32, channels: i32, act: i32,
): void {
  for (let b: usize = 0; b < <usize>n; b++) {
    depthwise(x + b * xImage, w, y + b * yImage, oh, ow, channels >> 2, xRow, xStep, yRow, yStep, kh, kw, xTapRow, xTapColumn, act);
  }
}

export function unary_images(
  kind: i32, x: usize, xImage: usize, xRow: usize, y: usize, yImage: usize, yRow: usize, n: i32, h: i32, count: i32,
): void {
  for (let b: usize = 0; b < <usize>n; b++) unary_rows(kind, x + b * xImage, y + b * yImage, h, count, xRow, yRow);
}

export function binary_images(
  kind: i32, a: usize, aImage: usize, aRow: usize, b: usize, bImage: usize, bRow: usize,
  y: usize, yImage: usize, yRow: usize, n: i32, h: i32, count: i32,
): void {
  for (let m: usize = 0; m < <usize>n; m++) {
    binary_rows(kind, a + m * aImage, b + m * bImage, y + m * yImage, h, count, aRow, bRow, yRow);
  }
}

/** One row of `channels` floats for every pixel. */
export function binary_channels(
  kind: i32, a: usize, aImage: usize, aRow: usize, b: usize, y: usize, yImage: usize, yRow: usize,
  n: i32, h: i32, width: i32, channels: i32,
): void {
  const pixel = <usize>channels << 2;
  for (let m: usize = 0; m < <usize>n; m++) {
    for (let i: usize = 0; i < <usize>h; i++) {
      binary_rows(kind, a + m * aImage + i * aRow, b, y + m * yImage + i * yRow, width, channels, pixel, 0, pixel);
    }
  }
}

export function binary_scalar_images(
  kind: i32, a: usize, aImage: usize, aRow: usize, b: usize, y: usize, yImage: usize, yRow: usize, n: i32, h: i32, count: i32,
): void {
  for (let m: usize = 0; m < <usize>n; m++) binary_scalar_rows(kind, a + m * aImage, b, y + m * yImage, h, count, aRow, yRow);
}

export function max_pool_images(
  x: usize, xImage: usize, xRow: usize, y: usize, yImage: usize, yRow: usize, n: i32, oh: i32, ow: i32, h: i32, w: i32,
  channels: i32, kh: i32, kw: i32, sh: i32, sw: i32, dh: i32, dw: i32, top: i32, left: i32,
): void {
  const pixel = <usize>channels << 2;
  for (let b: usize = 0; b < <usize>n; b++) {
    max_pool(
      x + b * xImage, y + b * yImage, oh, ow, channels >> 2, h, w, xRow, pixel, yRow, pixel, kh, kw, sh, sw, dh, dw, top, left,
    );
  }
}

export function avg_pool_images(
  x: usize, xImage: usize, xRow: usize, y: usize, yImage: usize, yRow: usize, n: i32, oh: i32, ow: i32, h: i32, w: i32,
  channels: i32, kh: i32, kw: i32, sh: i32, sw: i32, dh: i32, dw: i32, top: i32, left: i32,
  cTop: i32, cLeft: i32, cBottom: i32, cRight: i32,
): void {
  const pixel = <usize>channels << 2;
  for (let b: usize = 0; b < <usize>n; b++) {
    avg_pool(
      x + b * xImage, y + b * yImage, oh, ow, channels >> 2, h, w, xRow, pixel, yRow, pixel, kh, kw, sh, sw, dh, dw, top, left,
      cTop, cLeft, cBottom, cRight,
    );
  }
}

export function reduce_images(
  kind: i32, x: usize, xImage: usize, xRow: usize, y: usize, yImage: usize, n: i32, h: i32, width: i32, channels: i32,
): void {
  for (let b: usize = 0; b < <usize>n; b++) {
    reduce_image(kind, x + b * xImage, y + b * yImage, h, width, channels >> 2, xRow, <usize>channels << 2);
  }
}

export function clear_borders(
  y: usize, image: usize, n: i32, h: i32, width: i32, pixel: usize, top: usize, left: usize, bottom: usize, right: usize,
): void {
  for (let b: usize = 0; b < <usize>n; b++) clear_border(y + b * image, h, width, pixel, top, left, bottom, right);
}
