// Child of run.mjs: the forward pass of the same ResNet-20 in tfjs-backend-wasm, one batch for each line on stdin; answers
// with its milliseconds. tfjs-wasm cannot train a convolution, so its forward pass is the yardstick.
//   node tfjs.mjs <batch>
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";
import { CLASSES, images, SIZE, STAGES } from "./resnet20.mjs";

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs-core");
const wasm = require("@tensorflow/tfjs-backend-wasm");
require("@tensorflow/tfjs-backend-cpu");

const batch = Number(process.argv[2]);
wasm.setWasmPaths(path.join(path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm")), "/"));
// Threads do not work in Node; asked for, tfjs silently falls back to a slower backend.
tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
await tf.setBackend("wasm");
await tf.ready();
if (tf.getBackend() !== "wasm") throw new Error(`tfjs fell back to ${tf.getBackend()}`);

/** Convolution and batch norm, as layers of a network that is being trained: not folded into each other. */
function layer(ci, co, kernel, stride) {
  const w = tf.randomNormal([kernel, kernel, ci, co], 0, Math.sqrt(2 / (kernel * kernel * ci)), "float32", 1);
  const [mean, variance, beta, gamma] = [0, 1, 0, 1].map((v) => tf.fill([co], v));
  return (x) => tf.batchNorm(tf.conv2d(x, w, stride, "same"), mean, variance, beta, gamma, 1e-3);
}

const stem = layer(3, STAGES[0][0], 3, 1);
const blocks = [];
let width = STAGES[0][0];
for (const [channels, first] of STAGES) {
  for (let block = 0; block < 3; block++) {
    const stride = block === 0 ? first : 1;
    const [a, b] = [layer(width, channels, 3, stride), layer(channels, channels, 3, 1)];
    const shortcut = stride === 1 && width === channels ? (x) => x : layer(width, channels, 1, stride);
    blocks.push((x) => tf.relu(tf.add(b(tf.relu(a(x))), shortcut(x))));
    width = channels;
  }
}
const [w, bias] = [tf.randomNormal([width, CLASSES], 0, 0.1, "float32", 2), tf.zeros([CLASSES])];
const x = tf.tensor4d(images(batch).pixels, [batch, SIZE, SIZE, 3]);

function forward() {
  const y = tf.tidy(() => {
    let t = tf.relu(stem(x));
    for (const block of blocks) t = block(t);
    return tf.add(tf.matMul(tf.mean(t, [1, 2]), w), bias);
  });
  y.dataSync();
  y.dispose();
}

forward();
process.stdout.write(`${JSON.stringify({ ms: 0, threads: wasm.getThreadsCount() })}\n`);
for await (const _line of createInterface({ input: process.stdin })) {
  const started = performance.now();
  forward();
  process.stdout.write(`${JSON.stringify({ ms: performance.now() - started })}\n`);
}
