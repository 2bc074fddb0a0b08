import { prune, type PruneHooks, type PruneResult } from "../../src/pruner/prune.js";
import type { RunStore } from "../../src/pruner/checkpoint.js";
import { memoryStore } from "../../src/pruner/checkpoint.js";
import { hostEngine, type Engine } from "../../src/pruner/engine.js";
import type { PruneOptions } from "../../src/pruner/options.js";
import type { Split } from "../../src/model/dataset.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { splitOf } from "../analyzer/support.js";
import { Net } from "../support/networks.js";
import { profile } from "./support.js";

const SIDE = 8;

/** Bars of four orientations at random places, in noise: learnt in seconds, but not by a linear classifier. */
function bars(count: number, seed: number): Split {
  const random = new Random(seed);
  const samples: number[][] = [];
  const labels: number[] = [];
  for (let s = 0; s < count; s++) {
    const label = s % 4;
    const [dy, dx] = [
      [0, 1],
      [1, 0],
      [1, 1],
      [1, -1],
    ][label]!;
    const image = Array.from({ length: SIDE * SIDE }, () => 0.4 * random.normal());
    const y = 1 + random.int(SIDE - 4);
    const x = label === 3 ? 4 + random.int(SIDE - 5) : 1 + random.int(SIDE - 4);
    for (let i = 0; i < 4; i++) image[(y + i * dy!) * SIDE + x + i * dx!]! += 1.5;
    samples.push(image);
    labels.push(label);
  }
  return splitOf(samples, [SIDE, SIDE, 1], labels);
}

export const data = {
  train: bars(768, 11),
  validation: bars(256, 12),
  calibration: bars(128, 13),
  hash: "bars",
};

/** conv → residual block → conv with stride → mean → dense, with batch norm; not trained. */
function network(seed: number): Graph {
  const net = new Net(new Random(seed));
  const x = net.relu(net.norm(net.conv(net.input([SIDE, SIDE, 1]), 12, 3, 1, { bias: false })));
  const inner = net.relu(net.norm(net.conv(x, 12, 3, 1, { bias: false })));
  const sum = net.relu(net.add(x, net.norm(net.conv(inner, 12, 3, 1, { bias: false }))));
  const y = net.relu(net.norm(net.conv(sum, 24, 3, 2, { bias: false })));
  return net.build(net.dense(net.globalMean(y), 4));
}

export const engine: Engine = hostEngine({ threads: 1 });

let trained: Promise<Graph> | undefined;

/** The network, trained once for all tests of a file. */
export function denseNetwork(): Promise<Graph> {
  trained ??= engine
    .train(network(3), data.train, {
      epochs: 8,
      batch: 64,
      shards: 1,
      seed: 5,
      optimizer: { kind: "sgd", momentum: 0.9, weightDecay: 1e-4 },
      lr: 0.1,
      schedule: "cosine",
      loss: { labels: 1 },
    })
    .then((r) => engine.reestimate(r.graph, data.train, 4));
  return trained;
}

/** Options that make a whole run a matter of seconds. */
export const quick: PruneOptions = {
  seed: 1,
  profile,
  channelMultiple: 4,
  maxDrop: 5,
  rho0: 0.1,
  iterations: 3,
  recoveryEpochs: 1,
  finalEpochs: 2,
  layerSteps: 8,
  batch: 64,
  shards: 1,
  calibrationSamples: 128,
  maxRemovals: 1,
  patience: 1,
};

export async function run(
  options: Partial<PruneOptions> = {},
  store: RunStore = memoryStore(),
  hooks: PruneHooks = {},
): Promise<PruneResult> {
  return prune(await denseNetwork(), data, { ...quick, ...options }, { engine, store, hooks });
}
