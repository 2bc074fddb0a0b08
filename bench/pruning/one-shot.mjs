// Pruning without training and without labels: two networks of MLPerf Tiny, 500 images each.
//
//   node bench/pruning/one-shot.mjs [--library DIST] [--data FOLDER] [--seeds 3] [--resnet8 SHARE] [--vww SHARE]
//
// --tune looks at 2,000 training images that no score has seen instead of the test images: for whoever changes the method.
// Prints, for every seed: MACs, seconds, what was cut, and how far the pruned network is from the dense one.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cifar, crops, enlarged, splitOf } from "./pictures.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({
  options: {
    library: { type: "string", default: path.join(root, "dist") },
    data: { type: "string", default: process.env.IDAP_SHARED_DATA ?? path.resolve(root, "../shared/data") },
    seeds: { type: "string", default: "3" },
    resnet8: { type: "string", default: "0.8" },
    vww: { type: "string", default: "0.85" },
    set: { type: "string", default: "{}" },
    tune: { type: "boolean", default: false },
    ledger: { type: "boolean", default: false },
  },
});
const from = (file) => import(path.join(path.resolve(values.library), file));
const [library, { prune }, { hostEngine }, { memoryStore }, { describeEntry }] = await Promise.all(
  ["index.js", "pruner/prune.js", "pruner/engine.js", "pruner/checkpoint.js", "pruner/ledger.js"].map(from),
);
const data = (...parts) => path.join(values.data, ...parts);
const engine = hostEngine({ threads: 1 });
const IMAGES = 500;

/** 500 images without labels: four fifths for scores and repair, one fifth that decides. */
function unlabelled(images, shape) {
  const most = Math.round(0.8 * images.length);
  const train = splitOf("train", images.slice(0, most), shape);
  return { train, calibration: train, validation: splitOf("validation", images.slice(most), shape), hash: "one-shot" };
}

async function pruned(name, graph, images, shape, share, seed) {
  const target = library.loadTarget("wasm");
  const started = performance.now();
  const cpu = process.cpuUsage();
  const result = await prune(
    graph,
    unlabelled(images, shape),
    {
      seed,
      profile: library.loadDevice(target.defaultDevice),
      channelMultiple: target.kernels.channelMultiple,
      oneShot: true,
      maxDrop: 100,
      minSaving: 0,
      target: { macs: share },
      ...JSON.parse(values.set),
    },
    { engine, store: memoryStore() },
  );
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `${name}, seed ${seed}: ${(100 * (result.pruned.macs / result.dense.macs)).toFixed(1)} % of the MACs, ` +
      `${((performance.now() - started) / 1000).toFixed(1)} s (${((user + system) / 1e6).toFixed(1)} s of processor time), ` +
      `agreement on the images that decide ${(100 * result.pruned.accuracy).toFixed(1)} %`,
  );
  if (values.ledger) for (const entry of result.ledger) console.log(`  ${describeEntry(entry)}`);
  return result.graph;
}

/** ‖a - b‖ / ‖b‖ over all values. */
function relative(a, b) {
  let difference = 0;
  let size = 0;
  b.forEach((v, i) => {
    difference += (a[i] - v) ** 2;
    size += v ** 2;
  });
  return Math.sqrt(difference / size);
}

async function resnet8(seed) {
  const graph = await library.readModel(data("models/mlperf-tiny/pretrainedResnet.tflite"));
  const { images } = cifar(data("cifar10/data_batch_1.bin.gz"), 10_000);
  const drawn = new library.Random(seed).shuffle(images).slice(0, IMAGES);
  const test = values.tune
    ? cifar(data("cifar10/data_batch_2_first5000.bin.gz"), 2000)
    : cifar(data("cifar10/test_batch_first1000.bin.gz"), 1000);
  const split = splitOf("test", test.images, [32, 32, 3], test.labels, 10);
  const result = await pruned("ResNet-8", graph, drawn, [32, 32, 3], Number(values.resnet8), seed);
  const [dense, now] = [await engine.evaluate(graph, split), await engine.evaluate(result, split)];
  const lost = 100 * (dense.accuracy - now.accuracy);
  console.log(
    `  top-1 on ${test.labels.length} ${values.tune ? "training" : "test"} images ${(100 * now.accuracy).toFixed(1)} %, ${lost.toFixed(1)} points below the dense network`,
  );
  return lost;
}

async function vww(seed) {
  const graph = await library.readModel(data("models/mlperf-tiny/vww_96_float.tflite"));
  const random = new library.Random(seed);
  const mixed = () => [
    ...crops(data("images"), IMAGES / 2, 96, random),
    ...enlarged(random.shuffle(cifar(data("cifar10/data_batch_1.bin.gz"), 10_000).images).slice(0, IMAGES / 2), 96),
  ];
  const result = await pruned("VWW MobileNet", graph, random.shuffle(mixed()), [96, 96, 3], Number(values.vww), seed);
  const others = splitOf("other crops", mixed(), [96, 96, 3]);
  const [dense, now] = [await engine.predict(graph, others), await engine.predict(result, others)];
  const half = dense.length / 2;
  const all = 100 * relative(now, dense);
  const parts = [now.slice(0, half), now.slice(half)].map((part, i) =>
    (100 * relative(part, i === 0 ? dense.slice(0, half) : dense.slice(half))).toFixed(2),
  );
  console.log(
    `  outputs on ${others.count} other images ${all.toFixed(2)} % from the dense ones (crops ${parts[0]} %, CIFAR ${parts[1]} %)`,
  );
  return all;
}

const mean = (list) => (list.reduce((s, v) => s + v, 0) / list.length).toFixed(2);
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
for (const [name, unit, one, share] of [
  ["ResNet-8", "points of top-1", resnet8, values.resnet8],
  ["VWW MobileNet", "% relative L2", vww, values.vww],
]) {
  if (share === "0") continue;
  const lost = [];
  for (const seed of seeds) lost.push(await one(seed));
  console.log(`${name}: ${mean(lost)} ${unit} on average, at most ${Math.max(...lost).toFixed(2)}`);
}
