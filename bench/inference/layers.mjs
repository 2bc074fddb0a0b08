// What the bench's networks are made of.

/** Seeds of weights, inputs and widths. */
export const SEED = { weights: 20, input: 21, widths: 22 };

/**
 * Layers as inference sees them, batch norm folded: weights are normal with variance 2 / fan-in in front of a rectifier
 * and 1 / fan-in elsewhere (He et al. 2015), which keeps activations near 1 through any depth.
 */
export class Layers {
  constructor(library, name) {
    this.builder = new library.GraphBuilder(name);
    this.random = new library.Random(SEED.weights);
    this.count = 0;
  }

  input(...shape) {
    return this.builder.input("x", { dtype: "f32", shape: [1, ...shape], batchAxis: 0 });
  }

  shape(x) {
    return this.builder.typeOf(x).shape;
  }

  constant(shape, deviation) {
    const length = shape.reduce((n, d) => n * d, 1);
    const data = Float32Array.from({ length }, () => deviation * this.random.normal());
    return this.builder.constant(`c${this.count++}`, "f32", shape, data);
  }

  op(name, inputs, attrs = {}) {
    return this.builder.node(name, inputs, attrs)[0];
  }

  /** Padding SAME as TensorFlow has it: what is left over goes below and to the right. */
  pads([height, width], k, stride) {
    const total = (size) => Math.max(0, (Math.ceil(size / stride) - 1) * stride + k - size);
    const [v, h] = [total(height), total(width)];
    return [v >> 1, h >> 1, v - (v >> 1), h - (h >> 1)];
  }

  window(x, k, stride) {
    const pads = this.pads(this.shape(x).slice(1, 3), k, stride);
    return { strides: [stride, stride], dilations: [1, 1], pads };
  }

  activate(x, activation) {
    return activation === null ? x : this.op(activation, [x]);
  }

  conv(x, channels, k, stride, activation = null) {
    const depth = this.shape(x)[3];
    const w = this.constant([k, k, depth, channels], Math.sqrt((activation ? 2 : 1) / (k * k * depth)));
    const inputs = [x, w, this.constant([channels], 0.1)];
    return this.activate(this.op("conv2d", inputs, { ...this.window(x, k, stride), groups: 1 }), activation);
  }

  depthwise(x, stride, activation) {
    const depth = this.shape(x)[3];
    const inputs = [x, this.constant([3, 3, depth, 1], Math.sqrt(2 / 9)), this.constant([depth], 0.1)];
    return this.activate(this.op("depthwise_conv2d", inputs, this.window(x, 3, stride)), activation);
  }

  /** Global mean and a dense layer: logits. */
  classify(x, classes) {
    const mean = this.op("reduce_mean", [x], { axes: [1, 2], keepDims: false });
    const depth = this.shape(mean)[1];
    const y = this.op("dense", [
      mean,
      this.constant([depth, classes], Math.sqrt(1 / depth)),
      this.constant([classes], 0.1),
    ]);
    this.builder.output(y, "y");
    return this.builder.build();
  }
}
