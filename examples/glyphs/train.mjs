/**
 * Trains the example's model with idap's own host and writes model.onnx beside this file:
 *
 *   npm ci && node examples/glyphs/train.mjs
 *
 * The same seed gives the same file. Takes a few minutes on two cores.
 */
import { fileURLToPath } from "node:url";
import { evaluate, glyphs, train, writeModel } from "idap";
import { glyphNetwork } from "./network.mjs";

const seed = 1;
// More and other images than `idap demo` prunes with: the model has seen none of those.
const data = glyphs(1000 + seed, { train: 20000, validation: 2000, calibration: 0, test: 0 });
console.log(data.description);

const { graph } = await train(glyphNetwork(seed), data.train, {
  epochs: 12,
  batch: 128,
  threads: 2,
  seed,
  optimizer: { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 5e-4 },
  lr: 0.1,
  warmupSteps: 100,
  schedule: "cosine",
  loss: { labels: 1, labelSmoothing: 0.05 },
  onStep({ step, steps, loss, imagesPerSecond }) {
    if (step % 50 === 0)
      console.log(`step ${step} of ${steps}, loss ${loss.toFixed(3)}, ${imagesPerSecond | 0} images/s`);
  },
});
const { accuracy } = await evaluate(graph, data.validation);
console.log(`validation accuracy ${(100 * accuracy).toFixed(2)} %`);
await writeModel(graph, fileURLToPath(new URL("model.onnx", import.meta.url)), "onnx");
