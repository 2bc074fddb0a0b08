// The networks of the bench: what they are, what they are trained on, and what one pruning run spends.
import { Layers } from "./layers.mjs";

/** Criteria that are compared everywhere; on the small networks all others besides. */
export const CORE = ["divergence", "random", "l1", "group-norm", "taylor"];
/** Parts and the published form of divergence: explanations, no rivals. */
const ABLATIONS = ["activation", "weight", "faithful"];

/** Criteria that divergence must hold its ground against. */
export const isClassical = (name) => name !== "divergence" && name !== "random" && !ABLATIONS.includes(name);

/** What every run shares: all numbers that are not here are the library's defaults. */
const SHARED = { recoveryEpochs: 1, finalRounds: 1, iterations: 4, rho0: 0.12 };

/** Wide enough for small steps: four of 128 units are 0.4 % of the MACs, four channels of the first layer 14 %. */
function cnn(library, seed) {
  const net = new Layers(library, "fashion-cnn", seed);
  let x = net.maxPool(net.relu(net.conv(net.input([28, 28, 1]), 24)));
  x = net.maxPool(net.relu(net.conv(x, 48)));
  return net.classify(net.dense(net.relu(net.norm(net.dense(net.flatten(x), 128))), 10));
}

function smallResnet(library, seed) {
  const net = new Layers(library, "fashion-resnet", seed);
  let x = net.relu(net.conv(net.input([28, 28, 1]), 16, [3, 3], 2));
  for (const [co, stride] of [
    [16, 1],
    [32, 2],
    [64, 2],
  ])
    x = net.residual(x, co, stride);
  return net.classify(net.dense(net.globalMean(x), 10));
}

/** As MLPerf Tiny's keyword spotter (Zhang et al. 2017, "Hello Edge"), on 49 frames of 10 features. */
function dsCnn(library, seed) {
  const net = new Layers(library, "fsdd-dscnn", seed);
  let x = net.relu(net.conv(net.input([49, 10, 1]), 64, [10, 4], 2));
  for (let i = 0; i < 4; i++) x = net.relu(net.conv(net.relu(net.depthwise(x)), 64, [1, 1]));
  return net.classify(net.dense(net.globalMean(x), 10));
}

/** He et al. 2015, three stages of three blocks; projections where a stage begins. */
function resnet20(library, seed) {
  const net = new Layers(library, "cifar-resnet20", seed);
  let x = net.relu(net.conv(net.input([32, 32, 3]), 16));
  for (const [co, first] of [
    [16, 1],
    [32, 2],
    [64, 2],
  ])
    for (let block = 0; block < 3; block++) x = net.residual(x, co, block === 0 ? first : 1);
  return net.classify(net.dense(net.globalMean(x), 10));
}

/** Sandler et al. 2018, fewer and narrower blocks for 32x32 pixels. */
function mobilenetV2(library, seed) {
  const net = new Layers(library, "cifar-mobilenetv2", seed);
  let x = net.relu(net.conv(net.input([32, 32, 3]), 16, [3, 3], 2), "relu6");
  for (const [co, stride, expansion] of [
    [16, 1, 2],
    [24, 1, 4],
    [24, 1, 4],
    [32, 2, 4],
    [32, 1, 4],
    [48, 2, 4],
    [48, 1, 4],
  ])
    x = net.inverted(x, co, stride, expansion);
  x = net.relu(net.conv(x, 128, [1, 1]), "relu6");
  return net.classify(net.dense(net.globalMean(x), 10));
}

/**
 * data: a name of data.mjs. dense: how the dense network is trained (AdamW). pruning: what one run spends. perCall:
 * runs of one comparison call, which is what a piece can end after. tuning: true where scores and defaults may be chosen.
 */
export const NETWORKS = {
  "fashion-cnn": {
    title: "2-conv CNN, Fashion-MNIST",
    tuning: true,
    build: cnn,
    data: "fashion-mnist",
    dense: { epochs: 6, batch: 128, lr: 0.004, weightDecay: 1e-3 },
    pruning: { ...SHARED, recoverySamples: 4096, finalEpochs: 0.5, matchWeight: 10 },
    targets: [0.5, 0.25],
    seeds: 5,
    criteria: "all",
    perCall: 5,
  },
  "fashion-resnet": {
    title: "small ResNet, Fashion-MNIST",
    tuning: true,
    build: smallResnet,
    data: "fashion-mnist",
    dense: { epochs: 6, batch: 128, lr: 0.004, weightDecay: 1e-3, augment: "shift-flip" },
    pruning: { ...SHARED, recoverySamples: 4096, finalEpochs: 0.5 },
    targets: [0.5, 0.25],
    seeds: 5,
    criteria: "all",
    perCall: 5,
  },
  "fsdd-dscnn": {
    title: "DS-CNN, spoken digits (FSDD)",
    tuning: false,
    build: dsCnn,
    data: "fsdd",
    dense: { epochs: 40, batch: 64, lr: 0.004, weightDecay: 1e-3 },
    pruning: { ...SHARED, finalEpochs: 6 },
    targets: [0.5, 0.25],
    seeds: 5,
    criteria: "all",
    perCall: 5,
  },
  "cifar-resnet20": {
    title: "ResNet-20, CIFAR-10",
    tuning: false,
    build: resnet20,
    data: "cifar10",
    dense: { epochs: 40, batch: 128, lr: 0.004, weightDecay: 1e-3, augment: "shift-flip" },
    pruning: { ...SHARED, recoverySamples: 4096, finalEpochs: 2 },
    targets: [0.5],
    seeds: 3,
    criteria: CORE,
    perCall: 1,
  },
  "cifar-mobilenetv2": {
    title: "small MobileNetV2, CIFAR-10",
    tuning: false,
    build: mobilenetV2,
    data: "cifar10",
    dense: { epochs: 60, batch: 128, lr: 0.004, weightDecay: 1e-3, augment: "shift-flip" },
    pruning: { ...SHARED, recoverySamples: 4096, finalEpochs: 3 },
    targets: [0.5],
    seeds: 3,
    criteria: CORE,
    perCall: 1,
  },
};

/** The subset of ten minutes: two networks, the core criteria, one budget, little training. */
export const QUICK = {
  "fashion-cnn": {
    dense: { epochs: 2 },
    pruning: { finalEpochs: 0.25, recoverySamples: 2048 },
    targets: [0.5],
    seeds: 2,
    criteria: CORE,
  },
  "fsdd-dscnn": {
    dense: { epochs: 12 },
    pruning: { finalEpochs: 2, recoverySamples: 1024 },
    targets: [0.5],
    seeds: 2,
    criteria: CORE,
  },
};

/** The networks of a mode, with their settings. */
export function networksOf(quick) {
  if (!quick) return NETWORKS;
  return Object.fromEntries(
    Object.entries(QUICK).map(([name, less]) => {
      const full = NETWORKS[name];
      const both = (key) => ({ ...full[key], ...less[key] });
      return [name, { ...full, ...less, dense: both("dense"), pruning: both("pruning") }];
    }),
  );
}
