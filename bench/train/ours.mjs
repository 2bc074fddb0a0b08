// Child of run.mjs: trains ResNet-20 in the wasm executor, one step for each line on stdin; answers with its milliseconds.
//   node ours.mjs <batch> <threads>
import { readSync } from "node:fs";
import { train } from "../../dist/host/train.js";
import { images, resnet20 } from "./resnet20.mjs";

const [batch, threads] = process.argv.slice(2).map(Number);
let started = 0;

/** Blocks this thread until the parent sends a line; the workers have nothing to do meanwhile. */
function waitForTurn() {
  const byte = Buffer.alloc(1);
  let read = 0;
  do {
    try {
      read = readSync(0, byte, 0, 1, null);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      continue;
    }
    if (read === 0) process.exit(0);
  } while (byte[0] !== 10);
  started = performance.now();
}

await train(resnet20(), images(2 * batch), {
  epochs: Number.MAX_SAFE_INTEGER,
  maxSteps: 1e9,
  batch,
  threads,
  seed: 1,
  optimizer: { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 1e-4 },
  lr: 0.05,
  schedule: "constant",
  loss: {},
  onStep: ({ step, loss }) => {
    const ms = step === 1 ? 0 : performance.now() - started;
    // maxRSS counts kilobytes.
    process.stdout.write(`${JSON.stringify({ ms, loss, rssBytes: process.resourceUsage().maxRSS * 1024 })}\n`);
    waitForTurn();
  },
});
