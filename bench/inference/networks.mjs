// The networks of the bench: three real files, and published architectures with weights from a seed, whole and pruned.
//
// Functions take the library (`dist/index.js` or `src/index.ts`), so that the tests build the same networks.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { Layers, SEED } from "./layers.mjs";
import { VOCABULARY, tokenNetworks } from "./token-networks.mjs";

/** Share of the MACs that the pruned networks keep. */
export const PRUNED_SHARE = 0.43;

/** [expansion, channels, repeats, first stride]: table 2 of Sandler et al., "MobileNetV2", 2018. */
const MOBILENET_V2_BLOCKS = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];

/** MobileNetV2 of width 1.0 at 224 x 224, 1000 classes: 300.8 MMACs. */
export function mobilenetV2(library) {
  const net = new Layers(library, "mobilenet-v2");
  let x = net.conv(net.input(224, 224, 3), 32, 3, 2, "relu6");
  for (const [expansion, channels, repeats, firstStride] of MOBILENET_V2_BLOCKS) {
    for (let i = 0; i < repeats; i++) {
      const from = x;
      const depth = net.shape(x)[3];
      const stride = i === 0 ? firstStride : 1;
      if (expansion > 1) x = net.conv(x, depth * expansion, 1, 1, "relu6");
      x = net.conv(net.depthwise(x, stride, "relu6"), channels, 1, 1);
      if (stride === 1 && depth === channels) x = net.op("add", [x, from]);
    }
  }
  return net.classify(net.conv(x, 1280, 1, 1, "relu6"), 1000);
}

/** ResNet-20 for CIFAR (He et al. 2016, section 4.2), shortcuts that change shape as 1 x 1 convolutions: 40.8 MMACs. */
export function resnet20(library) {
  const net = new Layers(library, "resnet20");
  let x = net.conv(net.input(32, 32, 3), 16, 3, 1, "relu");
  for (const channels of [16, 32, 64]) {
    for (let i = 0; i < 3; i++) {
      const stride = net.shape(x)[3] === channels ? 1 : 2;
      const shortcut = stride === 1 ? x : net.conv(x, channels, 1, stride);
      const inner = net.conv(x, channels, 3, stride, "relu");
      x = net.op("relu", [net.op("add", [net.conv(inner, channels, 3, 1), shortcut])]);
    }
  }
  return net.classify(x, 10);
}

/** Widths of the chain below: a hundred, so that chains of up to 300 layers repeat nothing. */
const CHAIN_WIDTHS = { least: 8, count: 100 };

/**
 * A chain of `count` layers in which no two are alike, so that no layer's code serves another: 1 x 1, depthwise and
 * 3 x 3 convolutions in turn at 16 x 16.
 */
export function layers(library, count) {
  const net = new Layers(library, `layers-${count}`);
  const all = Array.from({ length: CHAIN_WIDTHS.count }, (_, i) => CHAIN_WIDTHS.least + i);
  const widths = new library.Random(SEED.widths).shuffle(all);
  let x = net.input(16, 16, 4);
  for (let i = 0; i < count - 1; i++) {
    const width = widths[Math.floor(i / 3) % widths.length];
    if (i % 3 === 0) x = net.conv(x, width, 1, 1, "relu");
    else if (i % 3 === 1) x = net.depthwise(x, 1, "relu");
    else x = net.conv(x, width, 3, 1, "relu");
  }
  return net.classify(x, 10);
}

/** Multiply-accumulates of one inference. */
export const macsOf = (library, graph) => library.graphCost(graph).macs;

/** Half the width of the band around the common share that a set of channels keeps. */
const BAND = 0.15;

/**
 * The network with every set of channels cut to an odd width, as pruners leave them: each set keeps a share that is
 * drawn around a common one, and the common one is found by bisection so that `share` of the MACs is left.
 */
export function prunedToOddWidths(library, graph, share = PRUNED_SHARE) {
  const groups = library.analyzeCoupling(graph).groups.filter((g) => g.atoms.every((a) => a.frozen === null));
  const random = new library.Random(SEED.widths);
  const plans = groups.map((group) => ({
    group,
    offset: BAND * (2 * random.next() - 1),
    order: random.shuffle(group.atoms.map((a) => a.id)),
  }));
  const whole = macsOf(library, graph);
  const cut = (common) =>
    library.cutAtoms(
      graph,
      plans.map(({ group, offset, order }) => {
        const kept = Math.min(order.length, Math.max(1, Math.round((common + offset) * order.length)));
        const odd = kept % 2 === 1 ? kept : kept - 1;
        return { group, atoms: order.slice(odd) };
      }),
    );
  let [low, high] = [0.1, 1];
  for (let i = 0; i < 12; i++) {
    const middle = (low + high) / 2;
    if (macsOf(library, cut(middle)) > share * whole) high = middle;
    else low = middle;
  }
  return { ...cut(low), name: `${graph.name}-odd` };
}

/** Values for the only input of a network, from a seed: tokens of the vocabulary where it takes integers. */
export function drawnInput(library, graph) {
  const random = new library.Random(SEED.input);
  const { shape, dtype } = graph.tensors.get(graph.inputs[0].tensor).type;
  const length = shape.reduce((n, d) => n * d, 1);
  if (dtype === "i32") return Int32Array.from({ length }, () => Math.floor(VOCABULARY * random.next()));
  return Float32Array.from({ length }, () => random.normal());
}

/** A real file and its first recorded input. */
const real = (file) => ({
  async graph(library, data) {
    const model = path.join(data, "models/mlperf-tiny", file);
    if (!existsSync(model)) throw new Error(`${model} is missing: name the folder of real models (--data)`);
    return library.readModel(model);
  },
  input(library, graph, data) {
    const folder = path.join(data, "models/mlperf-tiny/golden", file);
    const { cases } = JSON.parse(readFileSync(path.join(folder, "golden.json"), "utf8"));
    const recorded = cases[0].inputs[0].file;
    const raw = readFileSync(path.join(folder, recorded));
    return new Float32Array(new Uint8Array(recorded.endsWith(".gz") ? gunzipSync(raw) : raw).buffer);
  },
});

const built = (build) => ({ graph: async (library) => build(library), input: drawnInput });

/** By the name that `--networks` takes, in the order of the tables. */
export const NETWORKS = {
  mobilenetv2: { title: "MobileNetV2-1.0-224", ...built(mobilenetV2) },
  resnet20: { title: "ResNet-20 (CIFAR)", ...built(resnet20) },
  dscnn: { title: "DS-CNN (MLPerf Tiny)", ...real("kws_ref_model_float32.tflite") },
  resnet8: { title: "ResNet-8 (MLPerf Tiny)", ...real("pretrainedResnet.tflite") },
  vww: { title: "MobileNet VWW (MLPerf Tiny)", ...real("vww_96_float.tflite") },
  "mobilenetv2-odd": {
    title: "MobileNetV2, odd widths",
    pruned: true,
    ...built((library) => prunedToOddWidths(library, mobilenetV2(library))),
  },
  "resnet20-odd": {
    title: "ResNet-20, odd widths",
    pruned: true,
    ...built((library) => prunedToOddWidths(library, resnet20(library))),
  },
  ...Object.fromEntries(
    Object.entries(tokenNetworks).map(([name, { build, ...facts }]) => [
      name,
      { ...facts, tokens: true, ...built(build) },
    ]),
  ),
};

/** Those that the bench measures when nothing is named, and the names that stand for several. */
export const SETS = {
  images: Object.keys(NETWORKS).filter((name) => !NETWORKS[name].tokens),
  tokens: Object.keys(NETWORKS).filter((name) => NETWORKS[name].tokens),
};
