// The networks that predictions are judged by. No calibration times them, and no constant of the predictor is chosen by
// them: real files, published architectures and small ones of every kind, whole and pruned.
import { existsSync } from "node:fs";
import path from "node:path";
import { mobilenetV2, prunedToOddWidths, resnet20 } from "../inference/networks.mjs";

const SEED = 31;

/** Layers with weights from a seed. */
class Layers {
  constructor(library, name) {
    this.builder = new library.GraphBuilder(name);
    this.random = new library.Random(SEED);
    this.count = 0;
  }

  input(...shape) {
    return this.builder.input("x", { dtype: "f32", shape: [1, ...shape], batchAxis: 0 });
  }

  shape(x) {
    return this.builder.typeOf(x).shape;
  }

  depth(x) {
    return this.shape(x).at(-1);
  }

  constant(...shape) {
    const length = shape.reduce((n, d) => n * d, 1);
    const deviation = Math.sqrt(shape.at(-1) / length);
    const data = Float32Array.from({ length }, () => deviation * this.random.normal());
    return this.builder.constant(`c${this.count++}`, "f32", shape, data);
  }

  op(name, inputs, attrs = {}) {
    return this.builder.node(name, inputs, attrs)[0];
  }

  relu(x) {
    return this.op("relu", [x]);
  }

  conv(x, n, k = 3, stride = 1) {
    const p = k >> 1;
    const window = { strides: [stride, stride], dilations: [1, 1], pads: [p, p, p, p], groups: 1 };
    return this.op("conv2d", [x, this.constant(k, k, this.depth(x), n), this.constant(n)], window);
  }

  depthwise(x, k = 3, stride = 1) {
    const p = k >> 1;
    const c = this.depth(x);
    const window = { strides: [stride, stride], dilations: [1, 1], pads: [p, p, p, p] };
    return this.op("depthwise_conv2d", [x, this.constant(k, k, c, 1), this.constant(c)], window);
  }

  dense(x, n) {
    return this.op("dense", [x, this.constant(this.depth(x), n), this.constant(n)]);
  }

  pool(x, k = 2) {
    const window = { kernel: [k, k], strides: [k, k], dilations: [1, 1], pads: [0, 0, 0, 0] };
    return this.op("max_pool2d", [x], window);
  }

  mean(x, keepDims = false) {
    return this.op("reduce_mean", [x], { axes: [1, 2], keepDims });
  }

  flat(x) {
    const size = this.shape(x).reduce((n, d) => n * d, 1);
    return this.op("reshape", [x], { shape: [-1, size] });
  }

  softmax(x) {
    return this.op("softmax", [x], { axis: this.shape(x).length - 1 });
  }

  concat(...xs) {
    return this.op("concat", xs, { axis: 3 });
  }

  build(y) {
    this.builder.output(y, "y");
    return this.builder.build();
  }
}

/** LeNet-5 with rectifiers: two windows of 5 x 5, three dense layers that hold most of the weights. */
function lenet(library) {
  const l = new Layers(library, "lenet");
  let x = l.pool(l.relu(l.conv(l.input(28, 28, 1), 6, 5)));
  x = l.pool(l.relu(l.conv(x, 16, 5)));
  x = l.flat(x);
  for (const n of [120, 84]) x = l.relu(l.dense(x, n));
  return l.build(l.softmax(l.dense(x, 10)));
}

function perceptron(name, ...widths) {
  return (library) => {
    const l = new Layers(library, name);
    let x = l.input(widths[0]);
    for (const n of widths.slice(1, -1)) x = l.relu(l.dense(x, n));
    return l.build(l.softmax(l.dense(x, widths.at(-1))));
  };
}

/** VGG in small: pairs of 3 x 3 windows and pools. */
function vgg(library) {
  const l = new Layers(library, "vgg");
  let x = l.input(32, 32, 3);
  for (const n of [24, 48, 80]) x = l.pool(l.relu(l.conv(l.relu(l.conv(x, n)), n)));
  return l.build(l.softmax(l.dense(l.relu(l.dense(l.flat(x), 128)), 10)));
}

/** SqueezeNet's fire modules: 1 x 1 down, 1 x 1 and 3 x 3 up, concatenated. */
function fire(library) {
  const l = new Layers(library, "fire");
  const module = (x, squeeze, expand) => {
    const s = l.relu(l.conv(x, squeeze, 1));
    return l.concat(l.relu(l.conv(s, expand, 1)), l.relu(l.conv(s, expand)));
  };
  let x = l.pool(l.relu(l.conv(l.input(64, 64, 3), 32, 3, 2)));
  x = l.pool(module(module(x, 8, 32), 8, 32));
  x = module(module(x, 16, 64), 16, 64);
  return l.build(l.softmax(l.mean(l.conv(x, 10, 1))));
}

/** Bottleneck blocks: 1 x 1, 3 x 3, 1 x 1 around an addition. */
function bottleneck(library) {
  const l = new Layers(library, "bottleneck");
  let x = l.relu(l.conv(l.input(32, 32, 3), 32, 3, 1));
  const block = (from, inner, stride) => {
    const n = 4 * inner;
    const y = l.conv(l.relu(l.conv(l.relu(l.conv(from, inner, 1)), inner, 3, stride)), n, 1);
    return l.relu(l.op("add", [y, stride === 1 && l.depth(from) === n ? from : l.conv(from, n, 1, stride)]));
  };
  for (const [inner, stride] of [
    [12, 1],
    [12, 1],
    [20, 2],
    [20, 1],
    [36, 2],
    [36, 1],
  ])
    x = block(x, inner, stride);
  return l.build(l.softmax(l.dense(l.mean(x), 100)));
}

/** MobileNetV1 of width 1/4 at 96 x 96. */
function mobilenetV1(library) {
  const l = new Layers(library, "mobilenet-v1");
  let x = l.relu(l.conv(l.input(96, 96, 3), 8, 3, 2));
  for (const [n, s] of [
    [16, 1],
    [32, 2],
    [32, 1],
    [64, 2],
    [64, 1],
    [128, 2],
    [128, 1],
    [128, 1],
    [256, 2],
    [256, 1],
  ])
    x = l.relu(l.conv(l.relu(l.depthwise(x, 3, s)), n, 1));
  return l.build(l.softmax(l.dense(l.mean(x), 50)));
}

/** Inverted residuals with squeeze and excite, windows of 3 x 3 and 5 x 5. */
function excited(library) {
  const l = new Layers(library, "excited");
  let x = l.relu(l.conv(l.input(56, 56, 3), 16, 3, 2));
  const block = (from, n, k, s) => {
    const inner = l.relu(l.conv(from, 3 * l.depth(from), 1));
    const d = l.relu(l.depthwise(inner, k, s));
    const gate = l.op("sigmoid", [l.conv(l.relu(l.conv(l.mean(d, true), l.depth(d) >> 2, 1)), l.depth(d), 1)]);
    const y = l.conv(l.op("mul", [d, gate]), n, 1);
    return s === 1 && n === l.depth(from) ? l.op("add", [y, from]) : y;
  };
  for (const [n, k, s] of [
    [16, 3, 1],
    [24, 3, 2],
    [24, 3, 1],
    [40, 5, 2],
    [40, 5, 1],
  ])
    x = block(x, n, k, s);
  return l.build(l.softmax(l.dense(l.mean(x), 20)));
}

/** Keyword spotting by a convolution over time and frequency and wide dense layers. */
function keywords(library) {
  const l = new Layers(library, "keywords");
  const x = l.pool(l.relu(l.conv(l.input(48, 12, 1), 28, 5)));
  return l.build(l.softmax(l.dense(l.relu(l.dense(l.flat(x), 96)), 12)));
}

/** One that is smaller than most: what a call costs shows. */
function small(library) {
  const l = new Layers(library, "small");
  const x = l.pool(l.relu(l.conv(l.input(10, 10, 1), 4)));
  return l.build(l.softmax(l.dense(l.mean(l.relu(l.conv(x, 8))), 4)));
}

const built = (build, kind) => ({ kind, graph: async (library) => build(library) });
const pruned = (build, kind, share) => ({
  kind: `${kind}, pruned`,
  graph: async (library, data) => prunedToOddWidths(library, await build(library, data), share),
});
/** Widths in whole steps of four channels, as our own pruner leaves them. */
const stepped = (build, kind, share) => ({
  kind: `${kind}, pruned`,
  graph: async (library, data) => prunedInSteps(library, await build(library, data), share),
});
const file = (name) => async (library, data) => {
  const model = path.join(data, "models/mlperf-tiny", name);
  if (!existsSync(model)) throw new Error(`${model} is missing: name the folder of real models (--data)`);
  return library.readModel(model);
};

/** Every set of channels cut to the same share, to a multiple of four. */
function prunedInSteps(library, graph, share) {
  const groups = library.analyzeCoupling(graph).groups.filter((g) => g.atoms.every((a) => a.frozen === null));
  const cuts = groups.map((group) => {
    const kept = Math.max(
      1,
      Math.min(group.atoms.length, 4 * Math.max(1, Math.round((share * group.atoms.length) / 4))),
    );
    return { group, atoms: group.atoms.slice(kept).map((a) => a.id) };
  });
  return {
    ...library.cutAtoms(
      graph,
      cuts.filter((c) => c.atoms.length > 0),
    ),
    name: `${graph.name}-steps`,
  };
}

const resnet8 = file("pretrainedResnet.tflite");
const dscnn = file("kws_ref_model_float32.tflite");
const vww = file("vww_96_float.tflite");
const autoencoder = file("ad01_fp32.tflite");
const classifier = perceptron("classifier", 561, 256, 128, 6);
const wide = perceptron("wide", 1200, 600, 600, 300, 10);

/** By name; the kind says what holds most of the time. */
export const NETWORKS = {
  resnet8: { kind: "convolutional", graph: resnet8 },
  dscnn: { kind: "depthwise", graph: dscnn },
  vww: { kind: "depthwise", graph: vww },
  autoencoder: { kind: "dense", graph: autoencoder },
  resnet20: built(resnet20, "convolutional"),
  mobilenetv2: built(mobilenetV2, "depthwise"),
  mobilenetv1: built(mobilenetV1, "depthwise"),
  lenet: built(lenet, "dense"),
  vgg: built(vgg, "convolutional"),
  fire: built(fire, "convolutional"),
  bottleneck: built(bottleneck, "convolutional"),
  excited: built(excited, "depthwise"),
  keywords: built(keywords, "dense"),
  classifier: built(classifier, "dense"),
  wide: built(wide, "dense"),
  small: built(small, "convolutional"),
  "resnet8-odd": pruned(resnet8, "convolutional", 0.5),
  "resnet8-steps": stepped(resnet8, "convolutional", 0.75),
  "dscnn-odd": pruned(dscnn, "depthwise", 0.5),
  "vww-steps": stepped(vww, "depthwise", 0.6),
  "resnet20-odd": pruned(resnet20, "convolutional", 0.43),
  "mobilenetv1-odd": pruned(mobilenetV1, "depthwise", 0.43),
  "vgg-steps": stepped(vgg, "convolutional", 0.5),
  "bottleneck-steps": stepped(bottleneck, "convolutional", 0.7),
  "lenet-odd": pruned(lenet, "dense", 0.5),
  "classifier-odd": pruned(classifier, "dense", 0.5),
  "wide-steps": stepped(wide, "dense", 0.6),
};
