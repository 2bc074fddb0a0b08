// Layers with seeded weights, from which the networks of the bench are built.

/** A graph under construction; every method returns the name of its output tensor. */
export class Layers {
  /** @param library the library's index, which a bench may take from another build */
  constructor({ GraphBuilder, Random }, name, seed) {
    this.graph = new GraphBuilder(name);
    this.random = new Random(seed);
    this.count = 0;
  }

  input(shape) {
    return this.graph.input("x", { dtype: "f32", shape: [1, ...shape], batchAxis: 0 });
  }

  shape(x) {
    return this.graph.typeOf(x).shape;
  }

  channels(x) {
    return this.shape(x).at(-1);
  }

  constant(shape, value) {
    const size = shape.reduce((a, b) => a * b, 1);
    return this.graph.constant(`c${this.count++}`, "f32", shape, Float32Array.from({ length: size }, value));
  }

  /** He's initial weights: standard deviation sqrt(2 / fan-in). */
  weights(shape, fanIn) {
    return this.constant(shape, () => Math.sqrt(2 / fanIn) * this.random.normal());
  }

  op(op, inputs, attrs = {}) {
    return this.graph.node(op, inputs, attrs)[0];
  }

  relu(x, kind = "relu") {
    return this.op(kind, [x]);
  }

  norm(x) {
    const c = this.channels(x);
    const vectors = [1, 0, 0, 1].map((v) => this.constant([c], () => v));
    return this.op("batch_norm", [x, ...vectors], { epsilon: 1e-3 });
  }

  /** Convolution with SAME padding and a batch norm. */
  conv(x, co, [kh, kw] = [3, 3], stride = 1) {
    const ci = this.channels(x);
    const w = this.weights([kh, kw, ci, co], kh * kw * ci);
    return this.norm(this.op("conv2d", [x, w], { ...this.window(x, [kh, kw], stride), groups: 1 }));
  }

  depthwise(x, stride = 1) {
    const w = this.weights([3, 3, this.channels(x), 1], 9);
    return this.norm(this.op("depthwise_conv2d", [x, w], this.window(x, [3, 3], stride)));
  }

  window(x, kernel, stride) {
    const pads = kernel.map((k, axis) => {
      const extent = this.shape(x)[axis + 1];
      const all = Math.max(0, (Math.ceil(extent / stride) - 1) * stride + k - extent);
      return [all >> 1, all - (all >> 1)];
    });
    return {
      strides: [stride, stride],
      dilations: [1, 1],
      pads: [pads[0][0], pads[1][0], pads[0][1], pads[1][1]],
    };
  }

  maxPool(x) {
    return this.op("max_pool2d", [x], { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] });
  }

  globalMean(x) {
    return this.op("reduce_mean", [x], { axes: [1, 2], keepDims: false });
  }

  flatten(x) {
    const size = this.shape(x)
      .slice(1)
      .reduce((a, b) => a * b, 1);
    return this.op("reshape", [x], { shape: [-1, size] });
  }

  dense(x, n) {
    const ci = this.channels(x);
    return this.op("dense", [x, this.weights([ci, n], ci), this.constant([n], () => 0)]);
  }

  add(a, b) {
    return this.op("add", [a, b]);
  }

  /** Two 3x3 convolutions beside a shortcut, projected where the width or the stride changes. */
  residual(x, co, stride = 1) {
    const branch = this.conv(this.relu(this.conv(x, co, [3, 3], stride)), co);
    const same = this.channels(x) === co && stride === 1;
    return this.relu(this.add(same ? x : this.conv(x, co, [1, 1], stride), branch));
  }

  /** Inverted residual of MobileNetV2: 1x1 up, depthwise, 1x1 down without activation. */
  inverted(x, co, stride, expansion) {
    const up = this.relu(this.conv(x, expansion * this.channels(x), [1, 1]), "relu6");
    const down = this.conv(this.relu(this.depthwise(up, stride), "relu6"), co, [1, 1]);
    return this.channels(x) === co && stride === 1 ? this.add(x, down) : down;
  }

  /** The graph with class probabilities of these scores as its output. */
  classify(scores) {
    this.graph.output(this.op("softmax", [scores], { axis: 1 }), "probabilities");
    return this.graph.build();
  }
}
