// @ts-check
// Worker thread: runs one plan, for inference on what it is sent, or for training on memory that all workers share.
// Every worker holds all weights and makes the same update from the same sums, in the order of the shards; so weights stay
// equal without being sent, and nothing depends on how many workers there are.
import { parentPort, workerData } from "node:worker_threads";
import { createMachine } from "./machine.mjs";

/** @type {import("./workers.js").WorkerStart} */
const { module, plan, training } = workerData;
const machine = createMachine(module, plan);

const rowsOf = (/** @type {readonly number[]} */ shape) => shape.slice(0, -1).reduce((n, d) => n * d, 1);
const sizeOf = (/** @type {readonly number[]} */ shape) => shape.reduce((n, d) => n * d, 1);

/** @param {readonly ArrayLike<number>[]} inputs */
function pass(inputs) {
  plan.inputs.forEach((place, i) =>
    machine.write(place, /** @type {ArrayLike<number>} */ (inputs[i]), 0, rowsOf(place.shape)),
  );
  machine.run();
}

/** @param {readonly import("../model/words.js").Words[]} inputs */
function infer(inputs) {
  pass(inputs);
  return plan.results.map((place) => {
    const out = new (place.integer ? Int32Array : Float32Array)(sizeOf(place.shape));
    machine.read(place, out, 0, rowsOf(place.shape));
    return out;
  });
}

/**
 * Runs this worker's shards and leaves their gradients in shared memory.
 * @param {number} slot
 */
function gradients(slot) {
  const share = /** @type {import("./workers.js").TrainingShare} */ (training);
  for (const shard of share.shards) {
    const inputs = /** @type {readonly (readonly Float32Array[])[]} */ (share.inputs[slot]);
    pass(inputs.map((shards) => /** @type {Float32Array} */ (shards[shard])));
    const from = plan.collected.address / 4;
    /** @type {Float32Array} */ (share.collected[shard]).set(
      machine.floats.subarray(from, from + plan.collected.length),
    );
  }
}

/**
 * Mean of the shards' gradients, then one step of the optimiser on all parameters.
 * @param {number} rate
 * @param {readonly [number, number]} corrections
 * @returns {boolean} whether all gradients were finite
 */
function update(rate, corrections) {
  const share = /** @type {import("./workers.js").TrainingShare} */ (training);
  const mean = machine.floats.subarray(plan.collected.address / 4, plan.collected.address / 4 + share.gradients);
  let magnitude = 0;
  for (let i = 0; i < mean.length; i++) {
    let sum = 0;
    for (const shard of share.collected) sum += /** @type {number} */ (shard[i]);
    mean[i] = sum / share.shardCount;
    magnitude += Math.abs(sum);
  }
  if (!Number.isFinite(magnitude)) return false;
  const { optimizer } = share;
  const [first, second] = plan.states.map((state) => state.address);
  for (const { offset, length, decay } of share.updates) {
    const at = 4 * offset;
    const w = plan.mutable.address + at;
    const g = plan.collected.address + at;
    const m = /** @type {number} */ (first) + at;
    const shrink = decay ? optimizer.weightDecay : 0;
    if (optimizer.kind === "sgd") {
      machine.kernels.sgd?.(w, g, m, length, rate, optimizer.momentum, shrink, Number(optimizer.nesterov));
    } else {
      const v = /** @type {number} */ (second) + at;
      machine.kernels.adamw?.(w, g, m, v, length, rate, optimizer.beta1, optimizer.beta2, ...corrections, shrink);
    }
  }
  return true;
}

function weights() {
  const share = /** @type {import("./workers.js").TrainingShare} */ (training);
  const from = plan.mutable.address / 4;
  share.weights.set(machine.floats.subarray(from, from + plan.mutable.length));
}

/** @param {import("./workers.js").Request} request */
function answer(request) {
  switch (request.kind) {
    case "infer":
      return infer(request.inputs);
    case "gradients":
      return gradients(request.slot);
    case "update":
      return update(request.rate, request.corrections);
    case "weights":
      return weights();
  }
}

parentPort?.on("message", (/** @type {import("./workers.js").Request} */ request) => {
  try {
    parentPort?.postMessage({ value: answer(request) });
  } catch (error) {
    parentPort?.postMessage({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
