// The timing of one network: engines in turn, in an order that rotates. Runs in Node and in the page.
import { ENGINES, readFloats } from "./engines.mjs";
import { median, relativeError, summarise } from "./statistics.mjs";

/** What f32 may differ from f64 by over a whole network, as a share of the largest output. */
export const ERROR_BOUND = 1e-4;
/** Shortest sample, in ms: 20 steps of a clock that goes by 0.1 ms, as pages have it. */
const SAMPLE_MS = 2;
/** Before that many rounds nothing is given up for time. */
const LEAST_ROUNDS = 15;

/** The engines of the last network, for who wants more runs of them. */
let held = [];

/** `count` more runs of an engine of the last network; the driver of a page reads the processor time that they take. */
export async function runMore(name, count) {
  await sample(
    held.find((engine) => engine.name === name),
    count,
  );
}

/** Creates the engines, and lets each show that it computes the network. */
async function openEngines(network, names, runtimes, files) {
  const exact = await readFloats(files, "exact.bin");
  const opened = [];
  const missing = {};
  for (const name of names) {
    const { runtime, create } = ENGINES[name];
    if (!runtimes[runtime]) {
      missing[name] = "does not run here";
      continue;
    }
    const engine = await create(network, await runtimes[runtime](), files);
    if (engine === null) {
      missing[name] = "the engine knows no relaxed SIMD";
      continue;
    }
    const error = relativeError(await engine.run(), exact);
    if (!(error <= ERROR_BOUND)) throw new Error(`${name} computes ${network.name} wrong: relative error ${error}`);
    opened.push({ name, error, samples: [], fastest: Infinity, ...engine });
  }
  return { opened, missing };
}

/** Milliseconds of processor time that the process has had on all its threads; null in a page, which cannot know: see processor-time.mjs. */
function processorMs() {
  if (globalThis.process?.cpuUsage === undefined) return null;
  const { user, system } = globalThis.process.cpuUsage();
  return (user + system) / 1000;
}

/** Time and processor time in ms of each of `count` runs one after another. */
async function sample(engine, count) {
  const processor = processorMs();
  const started = performance.now();
  for (let i = 0; i < count; i++) {
    if (engine.isAsync) await engine.run();
    else engine.run();
  }
  const ms = (performance.now() - started) / count;
  return { ms, processor: processor === null ? null : (processorMs() - processor) / count };
}

/** Median and spread of an engine's samples, and the median processor time where it is known. */
function figures({ samples, runs }) {
  const processor = samples[0].processor === null ? null : median(samples.map((s) => s.processor));
  return { ...summarise(samples.map((s) => s.ms)), processor, runsPerSample: runs };
}

/**
 * Warms up for a quarter of the time, since engines optimise in the background, then takes samples until there are
 * `rounds` of every engine or the time is over.
 *
 * A sample is as many runs as fill SAMPLE_MS, so that samples of all engines are about equally long: on a busy machine
 * each has the same chance to be interrupted.
 */
export async function measureNetwork(network, names, runtimes, files, { rounds, seconds }) {
  const { opened, missing } = await openEngines(network, names, runtimes, files);
  held = opened;
  const warmUntil = performance.now() + 250 * seconds;
  for (let round = 0; round < 3 || performance.now() < warmUntil; round++) {
    for (const engine of opened) engine.fastest = Math.min(engine.fastest, (await sample(engine, 3)).ms);
  }
  for (const engine of opened) engine.runs = Math.max(1, Math.ceil(SAMPLE_MS / engine.fastest));
  const until = performance.now() + 1000 * seconds;
  for (let round = 0; round < rounds; round++) {
    if (round >= LEAST_ROUNDS && performance.now() > until) break;
    for (let i = 0; i < opened.length; i++) {
      const engine = opened[(i + round) % opened.length];
      engine.samples.push(await sample(engine, engine.runs));
    }
  }
  return {
    network: network.name,
    macs: network.macs,
    rounds: opened[0].samples.length,
    engines: Object.fromEntries(opened.map((e) => [e.name, { ...figures(e), error: e.error }])),
    missing,
  };
}
