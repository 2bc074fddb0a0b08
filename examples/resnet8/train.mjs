/**
 * Trains ResNet-8 on a folder of CIFAR-10 binary files with idap's own host:
 *
 *   npm ci && node examples/resnet8/train.mjs <folder> <model.onnx> [epochs]
 *
 * It uses the training split that `idap build --seed 1` makes of the same folder, so that the build's validation
 * split is new to the model. About 25 seconds an epoch on two cores; the same arguments give the same file.
 */
import { evaluate, loadData, train, writeModel } from "idap";
import { resnet8 } from "./network.mjs";

const [folder, out, epochs = "30"] = process.argv.slice(2);
if (!folder || !out) {
  console.error("usage: node examples/resnet8/train.mjs <folder with CIFAR-10 .bin files> <model.onnx> [epochs]");
  process.exit(1);
}
const seed = 1;
const data = await loadData(folder, { seed });
console.log(data.description);

const { graph } = await train(resnet8(seed), data.train, {
  epochs: Number(epochs),
  batch: 128,
  threads: 2,
  seed,
  optimizer: { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 5e-4 },
  lr: 0.1,
  warmupSteps: 200,
  schedule: "cosine",
  augment: "shift-flip",
  loss: { labels: 1 },
  onStep({ step, steps, loss, imagesPerSecond }) {
    if (step % 100 === 0)
      console.log(`step ${step} of ${steps}, loss ${loss.toFixed(3)}, ${Math.round(imagesPerSecond)} images/s`);
  },
});
for (const split of [data.validation, data.test]) {
  if (split) console.log(`${split.name}: ${(100 * (await evaluate(graph, split)).accuracy).toFixed(2)} %`);
}
await writeModel(graph, out, "onnx");
