/**
 * The example's network: a small residual CNN with batch norm, about 65,000 parameters.
 * Stem 5x5/2, then units of two 3x3 convolutions: 16 channels at 12x12, 32 at 6x6 (two units), 40 at 3x3.
 */
import { GraphBuilder, Random } from "idap";

/** @param {number} seed decides the initial weights */
export function glyphNetwork(seed) {
  const g = new GraphBuilder("glyphs");
  const random = new Random(seed);
  const image = g.input("image", { dtype: "f32", shape: [1, 24, 24, 1], batchAxis: 0 });

  /** Normal weights whose variance keeps that of a relu's output (He et al. 2015). */
  const weights = (name, shape, fanIn) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const scale = Math.sqrt(2 / fanIn);
    return g.constant(
      name,
      "f32",
      shape,
      Float32Array.from({ length: size }, () => scale * random.normal()),
    );
  };
  const fill = (name, n, value) => g.constant(name, "f32", [n], new Float32Array(n).fill(value));

  const convolution = (name, x, kernel, from, to, stride, size, gamma = 1) => {
    const w = weights(`${name}.weight`, [kernel, kernel, from, to], kernel * kernel * from);
    // SAME padding as TensorFlow counts it: with stride 2 on an even size the extra row is below and right.
    const total = Math.max(0, kernel - (size % stride === 0 ? stride : size % stride));
    const before = total >> 1;
    const pads = [before, before, total - before, total - before];
    const attrs = { strides: [stride, stride], dilations: [1, 1], pads, groups: 1 };
    const [y] = g.node("conv2d", [x, w], attrs, { name });
    const statistics = [
      fill(`${name}.gamma`, to, gamma),
      fill(`${name}.beta`, to, 0),
      fill(`${name}.mean`, to, 0),
      fill(`${name}.variance`, to, 1),
    ];
    return g.node("batch_norm", [y, ...statistics], { epsilon: 1e-3 }, { name: `${name}.norm` })[0];
  };
  const relu = (name, x) => g.node("relu", [x], {}, { name })[0];

  const unit = (name, x, from, to, stride, size) => {
    let y = relu(`${name}.relu1`, convolution(`${name}.conv1`, x, 3, from, to, stride, size));
    // The branch starts small, so that the unit starts near the identity.
    y = convolution(`${name}.conv2`, y, 3, to, to, 1, size / stride, 0.2);
    const skip = from === to && stride === 1 ? x : convolution(`${name}.skip`, x, 1, from, to, stride, size);
    return relu(`${name}.relu2`, g.node("add", [y, skip], {}, { name: `${name}.add` })[0]);
  };

  let x = relu("stem.relu", convolution("stem", image, 5, 1, 16, 2, 24));
  x = unit("unit1", x, 16, 16, 1, 12);
  x = unit("unit2", x, 16, 32, 2, 12);
  x = unit("unit3", x, 32, 32, 1, 6);
  x = unit("unit4", x, 32, 40, 2, 6);
  [x] = g.node("reduce_mean", [x], { axes: [1, 2], keepDims: false }, { name: "pool" });
  const w = weights("classes.weight", [40, 10], 80);
  [x] = g.node("dense", [x, w, fill("classes.bias", 10, 0)], {}, { name: "classes" });
  g.output(x, "scores");
  return g.build();
}
