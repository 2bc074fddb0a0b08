import type { Split } from "../../src/model/dataset.js";
import { sizeOf } from "../../src/model/types.js";
import { Random } from "../../src/model/random.js";

/**
 * A linear classifier (softmax regression on centred inputs, stochastic gradient descent with momentum and a step
 * that falls to zero): the yardstick for "not linearly separable". Plain arrays, so that it leans on none of our engines.
 */
export function softmaxRegression(
  trainSplit: Split,
  testSplit: Split,
  options: { epochs: number; seed: number },
): { train: number; test: number } {
  const features = sizeOf(trainSplit.shape);
  const { classes } = trainSplit;
  const mean = new Float64Array(features);
  const load = (split: Split): Float32Array => {
    const x = new Float32Array(split.count * features);
    split.read([...Array(split.count).keys()], x);
    return x;
  };
  const x = load(trainSplit);
  const y = load(testSplit);
  for (let i = 0; i < x.length; i++) mean[i % features]! += x[i]! / trainSplit.count;
  for (let i = 0; i < x.length; i++) x[i]! -= mean[i % features]!;
  for (let i = 0; i < y.length; i++) y[i]! -= mean[i % features]!;

  const weights = new Float64Array(features * classes);
  const velocity = new Float64Array(features * classes);
  const bias = new Float64Array(classes);
  const gradient = new Float64Array(features * classes);
  const p = new Float64Array(classes);
  const forward = (inputs: Float32Array, i: number): void => {
    p.set(bias);
    for (let k = 0; k < features; k++) {
      const v = inputs[i * features + k]!;
      for (let c = 0; c < classes; c++) p[c]! += v * weights[k * classes + c]!;
    }
  };
  const accuracy = (inputs: Float32Array, labels: Int32Array): number => {
    let right = 0;
    for (let i = 0; i < labels.length; i++) {
      forward(inputs, i);
      if (p.indexOf(Math.max(...p)) === labels[i]) right++;
    }
    return right / labels.length;
  };

  const batch = 50;
  const order = new Random(options.seed).shuffle([...Array(trainSplit.count).keys()]);
  const steps = options.epochs * Math.floor(order.length / batch);
  for (let step = 0; step < steps; step++) {
    const rate = 0.05 * (1 - step / steps);
    gradient.fill(0);
    for (let j = 0; j < batch; j++) {
      const i = order[(step * batch + j) % order.length]!;
      forward(x, i);
      const top = Math.max(...p);
      let sum = 0;
      for (let c = 0; c < classes; c++) sum += p[c] = Math.exp(p[c]! - top);
      for (let c = 0; c < classes; c++) p[c] = p[c]! / sum - (trainSplit.labels![i] === c ? 1 : 0);
      for (let c = 0; c < classes; c++) bias[c]! -= (rate * p[c]!) / batch;
      for (let k = 0; k < features; k++) {
        const v = x[i * features + k]! / batch;
        for (let c = 0; c < classes; c++) gradient[k * classes + c]! += v * p[c]!;
      }
    }
    for (let j = 0; j < weights.length; j++) {
      velocity[j] = 0.9 * velocity[j]! + gradient[j]!;
      weights[j]! -= rate * velocity[j]!;
    }
  }
  return { train: accuracy(x, trainSplit.labels!), test: accuracy(y, testSplit.labels!) };
}
