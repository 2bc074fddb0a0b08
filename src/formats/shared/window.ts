/**
 * Padding [before, after] of one axis that makes the output ceil(size / stride), as TensorFlow's SAME:
 * total = max((ceil(size / stride) - 1) * stride + reach - size, 0), the odd one at the end
 * (`lower`: at the start, ONNX's SAME_LOWER).
 */
export function samePadding(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  odd: "upper" | "lower" = "upper",
): [number, number] {
  const reach = dilation * (kernel - 1) + 1;
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + reach - size, 0);
  const small = Math.floor(total / 2);
  return odd === "upper" ? [small, total - small] : [total - small, small];
}
