/**
 * ResNet-8 as in MLPerf Tiny's image classification: 3x3 stem, three residual units of 16, 32 and 64 channels,
 * about 78,000 parameters and 12.5 M multiply-accumulates on 32x32 pixels. Takes raw pixels 0 to 255; the first
 * batch norm learns their mean and spread.
 */
import { GraphBuilder, Random } from "idap";

/** @param {number} seed decides the initial weights */
export function resnet8(seed) {
  const g = new GraphBuilder("resnet8");
  const random = new Random(seed);
  const fill = (name, n, value) => g.constant(name, "f32", [n], new Float32Array(n).fill(value));
  const weights = (name, shape, fanIn) => {
    const scale = Math.sqrt(2 / fanIn);
    const size = shape.reduce((a, b) => a * b, 1);
    return g.constant(
      name,
      "f32",
      shape,
      Float32Array.from({ length: size }, () => scale * random.normal()),
    );
  };
  const norm = (name, x, c, variance = 1) => {
    const parameters = [fill(`${name}.gamma`, c, 1), fill(`${name}.beta`, c, 0)];
    const statistics = [fill(`${name}.mean`, c, 0), fill(`${name}.variance`, c, variance)];
    return g.node("batch_norm", [x, ...parameters, ...statistics], { epsilon: 1e-3 }, { name })[0];
  };
  const convolution = (name, x, kernel, from, to, stride = 1) => {
    const w = weights(`${name}.weight`, [kernel, kernel, from, to], kernel * kernel * from);
    const pads = kernel === 1 ? [0, 0, 0, 0] : stride === 1 ? [1, 1, 1, 1] : [0, 0, 1, 1];
    const attrs = { strides: [stride, stride], dilations: [1, 1], pads, groups: 1 };
    return norm(`${name}.norm`, g.node("conv2d", [x, w], attrs, { name })[0], to);
  };
  const relu = (name, x) => g.node("relu", [x], {}, { name })[0];
  const unit = (name, x, from, to, stride) => {
    const inner = relu(`${name}.relu1`, convolution(`${name}.conv1`, x, 3, from, to, stride));
    const branch = convolution(`${name}.conv2`, inner, 3, to, to);
    const skip = from === to ? x : convolution(`${name}.skip`, x, 1, from, to, stride);
    return relu(`${name}.relu2`, g.node("add", [skip, branch], {}, { name: `${name}.add` })[0]);
  };

  const image = g.input("image", { dtype: "f32", shape: [1, 32, 32, 3], batchAxis: 0 });
  let x = norm("pixels", image, 3, 4000);
  x = relu("stem.relu", convolution("stem", x, 3, 3, 16));
  x = unit("unit1", x, 16, 16, 1);
  x = unit("unit2", x, 16, 32, 2);
  x = unit("unit3", x, 32, 64, 2);
  [x] = g.node("reduce_mean", [x], { axes: [1, 2], keepDims: false }, { name: "pool" });
  const head = [x, weights("classes.weight", [64, 10], 128), fill("classes.bias", 10, 0)];
  [x] = g.node("dense", head, {}, { name: "classes" });
  g.output(g.node("softmax", [x], { axis: 1 }, { name: "softmax" })[0], "probabilities");
  return g.build();
}
