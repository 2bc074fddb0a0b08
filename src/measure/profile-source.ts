import { COMMON_SOURCE } from "./runner-source.js";

/**
 * The program that times layers one by one, as text for `node --input-type=module`. Every round runs the layers in their
 * order, so that each finds its data where its predecessors left it, and times every call; then a whole `run()` and the
 * ceiling's loops, so that what disturbs the machine disturbs all of them. The time of an empty call is taken off. A layer
 * too short for the clock is called several times in a row after its predecessors.
 *
 * Before that, layers called one by one must give the bits of the package's own module.
 */
export const PROFILE_SOURCE =
  COMMON_SOURCE +
  String.raw`
const { dir, runs, warmupMs, minSampleMs, sizes } = request;
const stated = JSON.parse(readFileSync(path.join(dir, "passport.json"), "utf8")).weights;

async function instantiate(code) {
  const { instance } = await WebAssembly.instantiate(code, {});
  return instance.exports;
}

// A module compiled from source has no weights inside: it gets those of the module that has.
let weights = stated.inside ? null : readFileSync(path.join(dir, "weights.bin"));
async function ready(code) {
  const e = await instantiate(code);
  weights ??= new Uint8Array(e.memory.buffer, e.weights_ptr(), stated.bytes).slice();
  setWeights(e, weights);
  return e.selftest() ? e : null;
}

async function load() {
  for (const m of request.modules) {
    const shipped = readFileSync(path.join(dir, "model." + m.variant + ".wasm"));
    if (!WebAssembly.validate(shipped)) continue;
    const own = await ready(shipped);
    const e = await ready(Buffer.from(m.layers, "base64"));
    if (!own || !e) continue;
    return { ...m, own, e, ceiling: await instantiate(Buffer.from(m.ceiling, "base64")) };
  }
  fail(dir, "no variant is in the package, validates here and passes its self-test");
}

const outputsOf = (e) => {
  const parts = [];
  for (let i = 0; i < e.output_count(); i++) parts.push(new Uint8Array(e.memory.buffer, e.output_ptr(i), e.output_bytes(i)));
  return Buffer.concat(parts);
};
const set = (inputs) => { for (const [view, values] of inputs) view.set(values); };
const time = (f, n = 1) => {
  const t = now();
  for (let i = 0; i < n; i++) f();
  return now() - t;
};
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

try {
  const { variant, own, e, ceiling, forms } = await load();
  const layers = [];
  for (let i = 0; i < request.layers; i++) {
    const f = e["layer" + i];
    if (typeof f !== "function") fail(dir, "the source has no layer" + i + ", which the passport names");
    layers.push(f);
  }
  const ownInputs = inputsOf(own, dir), inputs = inputsOf(e, dir);
  set(ownInputs);
  own.run();
  set(inputs);
  for (const f of layers) f();
  if (!outputsOf(own).equals(outputsOf(e))) {
    fail(dir, "its layers, compiled from source/, do not give the bits of model." + variant + ".wasm");
  }

  const end = now() + warmupMs;
  do {
    set(inputs);
    for (const f of layers) f();
    e.run();
  } while (now() < end);

  const floats = new Float32Array(ceiling.memory.buffer, 0, 512);
  floats.fill(1e-6);
  const times = forms.map(({ flops }) => Math.ceil(4e6 / flops)); // about 0.1 ms
  for (let i = 0; i < 100; i++) forms.forEach(({ name }, k) => ceiling[name](times[k], 0));

  const empty = median(Array.from({ length: 1000 }, () => time(e.abi_version)));
  const pass = (into, repeats) => {
    set(inputs);
    layers.forEach((f, i) => into[i].push(Math.max(0, time(f, repeats[i]) - empty) / repeats[i]));
  };
  const rough = layers.map(() => []);
  for (let i = 0; i < 20; i++) pass(rough, layers.map(() => 1));
  const repeats = rough.map((s) => Math.max(1, Math.ceil(minSampleMs / Math.max(median(s), 1e-5))));

  const samples = layers.map(() => []);
  const whole = [];
  const peaks = forms.map(() => []);
  const bandwidth = sizes.map(() => ({ read: [], write: [] }));
  for (let round = 0; round < runs; round++) {
    pass(samples, repeats);
    set(inputs);
    whole.push(time(e.run));
    forms.forEach(({ name, flops }, k) => {
      ceiling[name](100, 0); // the first call after a run finds cold caches
      peaks[k].push((flops * times[k]) / time(() => ceiling[name](times[k], 0)) / 1e6);
    });
    // One size a round; the larger ones are slow.
    const at = round % sizes.length;
    const n = Math.max(1, 2 ** 18 / sizes[at]);
    ceiling.read(sizes[at]);
    bandwidth[at].read.push((sizes[at] * n) / time(() => ceiling.read(sizes[at]), n) / 1e6);
    bandwidth[at].write.push((sizes[at] * n) / time(() => ceiling.write(sizes[at]), n) / 1e6);
  }
  process.stdout.write(JSON.stringify({
    engine, variant, repeats, samples, whole,
    ceilingGflops: Math.max(...peaks.map(median)),
    bandwidth: sizes.map((bytes, i) => ({ bytes, readGBps: median(bandwidth[i].read), writeGBps: median(bandwidth[i].write) })),
  }));
} catch (e) {
  process.stdout.write(JSON.stringify({ error: e.message, dir: e.dir ?? dir }));
}
`;
