// ResNet-20 for 32x32 images (He et al., 2015), with projections where a block changes its width, and images to feed it:
// for our host as a graph of its IR, for tfjs as a function on its tensors. The same layers in both.
import { GraphBuilder } from "../../dist/model/builder.js";
import { Random } from "../../dist/model/random.js";

export const CLASSES = 10;
export const SIZE = 32;

/** [output channels, stride of the first block] of the three stages, three blocks each. */
export const STAGES = [
  [16, 1],
  [32, 2],
  [64, 2],
];

/** The graph of the host's IR, with seeded weights. */
export function resnet20() {
  const random = new Random(1);
  const builder = new GraphBuilder("resnet20");
  let constants = 0;
  const constant = (shape, value) =>
    builder.constant(
      `c${constants++}`,
      "f32",
      shape,
      Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, value),
    );
  const conv = (x, co, kernel, stride) => {
    const ci = builder.typeOf(x).shape[3];
    const w = constant([kernel, kernel, ci, co], () => random.normal() * Math.sqrt(2 / (kernel * kernel * ci)));
    const all = kernel === 1 ? 0 : 2 - stride + 1;
    // SAME padding of a 3x3 kernel: one on each side, or one after when the stride is two.
    const before = all === 2 ? 1 : 0;
    const after = all - before;
    const attrs = { strides: [stride, stride], dilations: [1, 1], pads: [before, before, after, after], groups: 1 };
    const y = builder.node("conv2d", [x, w], attrs)[0];
    const vectors = [1, 0, 0, 1].map((v) => constant([co], () => v));
    return builder.node("batch_norm", [y, ...vectors], { epsilon: 1e-3 })[0];
  };
  const relu = (x) => builder.node("relu", [x])[0];
  let x = relu(conv(builder.input("image", { dtype: "f32", shape: [1, SIZE, SIZE, 3], batchAxis: 0 }), 16, 3, 1));
  for (const [channels, first] of STAGES) {
    for (let block = 0; block < 3; block++) {
      const stride = block === 0 ? first : 1;
      const inner = relu(conv(x, channels, 3, stride));
      const shortcut = builder.typeOf(x).shape[3] === channels && stride === 1 ? x : conv(x, channels, 1, stride);
      x = relu(builder.node("add", [conv(inner, channels, 3, 1), shortcut])[0]);
    }
  }
  const pooled = builder.node("reduce_mean", [x], { axes: [1, 2], keepDims: false })[0];
  const w = constant([64, CLASSES], () => random.normal() * 0.1);
  builder.output(builder.node("dense", [pooled, w, constant([CLASSES], () => 0)])[0], "logits");
  return builder.build();
}

/** Random images; a class shifts one colour, so that there is something to learn. */
export function images(count) {
  const random = new Random(2);
  const labels = Int32Array.from({ length: count }, (_, i) => i % CLASSES);
  const sample = SIZE * SIZE * 3;
  const pixels = new Float32Array(count * sample);
  for (let i = 0; i < pixels.length; i++) {
    const label = labels[Math.floor(i / sample)];
    pixels[i] = 2 * random.next() - 1 + (i % 3 === label % 3 ? label / 10 : 0);
  }
  return {
    name: "random images",
    count,
    shape: [SIZE, SIZE, 3],
    labels,
    classes: CLASSES,
    pixels,
    read(indices, out) {
      for (let i = 0; i < indices.length; i++)
        out.set(pixels.subarray(indices[i] * sample, (indices[i] + 1) * sample), i * sample);
    },
  };
}
