// Times packages in whatever engine this is loaded: a Node of its own, a worker of a page, a JavaScript shell. Plain
// JavaScript without imports, so that the sources, `dist` and a browser load the same file. Types are in timing.d.mts.
//
// One run is: copy the inputs in, `run()`, copy the outputs out. Packages of a group run in turns, in an order that
// rotates every round, so that what disturbs the device disturbs all of them. Memory stays flat however long it takes:
// rounds beyond the capacity replace earlier ones at random (Vitter's algorithm R), so what is kept is a fair sample.

/** Rounds that are kept of a whole measurement, and of its first and its last minute each. */
export const CAPACITY = 4096;
export const MINUTE_CAPACITY = 1024;
/** Points of the line over time, and rounds that are kept for one of them. */
export const TIMELINE_POINTS = 60;
const POINT_CAPACITY = 64;
/** Outputs longer than this many bytes are not sent back to be compared. */
const MAX_CHECKED_BYTES = 1 << 16;
/** No batch is longer, however quick a run seems: a clock that stood still must not stop the measurement. */
const MAX_BATCH = 1 << 20;

/** Milliseconds of the smallest step that the clock takes: the median of the steps that are seen within 100 ms. */
export function clockStep(now) {
  const steps = [];
  let last = now();
  const end = last + 100;
  for (let i = 0; i < 1e7 && steps.length < 51 && last < end; i++) {
    const t = now();
    if (t > last) {
      steps.push(t - last);
      last = t;
    }
  }
  return steps.length === 0 ? 100 : steps.sort((a, b) => a - b)[steps.length >> 1];
}

/** Runs in one sample, so that a sample lasts `sampleMs` and the clock's step is at most `precision` of it. */
export function batchSize(quickestMs, stepMs, { sampleMs, precision }) {
  const wanted = Math.max(sampleMs, stepMs / precision);
  return Math.min(MAX_BATCH, Math.max(1, Math.ceil(wanted / Math.max(quickestMs, 1e-5))));
}

/** A fair sample of rounds, a row of `width` times each, in fixed memory. */
export class Rounds {
  constructor(width, capacity) {
    this.width = width;
    this.capacity = capacity;
    this.rows = new Float64Array(width * capacity);
    this.count = 0;
    this.state = 0x9e3779b9;
  }

  add(row) {
    let at = this.count++;
    if (at >= this.capacity) {
      this.state ^= this.state << 13;
      this.state ^= this.state >>> 17;
      this.state ^= this.state << 5;
      at = Math.floor(((this.state >>> 0) / 4294967296) * this.count);
      if (at >= this.capacity) return;
    }
    this.rows.set(row, at * this.width);
  }

  clear() {
    this.count = 0;
  }

  /** What is kept of package `i`; the same places in two columns are the same round. */
  column(i) {
    const kept = Math.min(this.count, this.capacity);
    return Array.from({ length: kept }, (_, r) => Number(this.rows[r * this.width + i].toPrecision(6)));
  }
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

const viewOf = (e, dtype, at, bytes) =>
  new (dtype === "f32" ? Float32Array : Int32Array)(e.memory.buffer, at, bytes >> 2);

/** Pseudo-random numbers between 0 and 1, bytes, or for other integers bits (indices must exist); always the same ones. */
function timingInputs(e, inputs) {
  let s = 1;
  const random = () => (s = (Math.imul(s, 1664525) + 1013904223) >>> 0);
  const next = (dtype) => {
    if (dtype === "f32") return () => random() / 4294967296;
    if (dtype === "u8") return () => random() >>> 24;
    if (dtype === "i8") return () => random() >> 24;
    return () => random() >>> 31;
  };
  return inputs.map((dtype, i) => {
    const view = viewOf(e, dtype, e.input_ptr(i), e.input_bytes(i));
    return [view, view.slice().map(next(dtype))];
  });
}

/** The stored test vector, as src/model/test-vector.ts defines it. */
function writeVector(e, inputs, { scale, offset }) {
  inputs.forEach((dtype, i) => {
    const view = viewOf(e, dtype, e.input_ptr(i), e.input_bytes(i));
    for (let k = 0; k < view.length; k++) {
      const u = Math.imul(k, 2654435761);
      view[k] =
        dtype === "f32"
          ? ((u >>> 0) / 2147483648 - 1) * scale + offset
          : dtype === "u8"
            ? u >>> 24
            : dtype === "i8"
              ? u >> 24
              : u >>> 31;
    }
  });
}

const hex = (bytes) => Array.from(bytes, (b) => (b + 256).toString(16).slice(1)).join("");

/** Outputs on the stored test vector, one string of hexadecimal digits each; null where they are too long to send. */
function checkedOutputs(e, inputs, vector) {
  const count = e.output_count();
  let total = 0;
  for (let i = 0; i < count; i++) total += e.output_bytes(i);
  if (vector === null || total > MAX_CHECKED_BYTES) return null;
  writeVector(e, inputs, vector);
  e.run();
  const outputs = [];
  for (let i = 0; i < count; i++)
    outputs.push(hex(new Uint8Array(e.memory.buffer, e.output_ptr(i), e.output_bytes(i))));
  e.reset();
  return outputs;
}

/** The first variant that is there, validates and passes its self-test, ready to run, with what that took. */
export async function loadPackage(pkg, { now, read }) {
  const download = { ms: 0, bytes: 0 };
  const fetched = async (file) => {
    const got = await read(pkg, file);
    if (got.ms !== undefined) download.ms += got.ms;
    download.bytes += got.bytes.byteLength;
    return got;
  };
  let weights = null;
  for (const variant of pkg.variants) {
    const code = await fetched(`model.${variant}.wasm`);
    if (!WebAssembly.validate(code.bytes)) continue;
    if (!pkg.weightsInside) weights ??= (await fetched("weights.bin")).bytes;
    const t0 = now();
    const module = await WebAssembly.compile(code.bytes);
    const t1 = now();
    const { exports: e } = await WebAssembly.instantiate(module, {});
    const t2 = now();
    if (weights !== null) new Uint8Array(e.memory.buffer, e.weights_ptr(), e.weights_bytes()).set(weights);
    e.setup();
    const t3 = now();
    if (!e.selftest()) continue;
    const t4 = now();
    const inputs = timingInputs(e, pkg.inputs);
    const outputs = [];
    for (let i = 0; i < e.output_count(); i++) {
      const view = viewOf(e, "i32", e.output_ptr(i), e.output_bytes(i));
      outputs.push([view, new Int32Array(view.length)]);
    }
    const run = () => {
      for (const [view, values] of inputs) view.set(values);
      e.run();
      for (const [view, values] of outputs) values.set(view);
    };
    const t5 = now();
    run();
    return {
      run,
      facts: {
        variant,
        load: { compileMs: t1 - t0, instantiateMs: t2 - t1, weightsMs: t3 - t2, selftestMs: t4 - t3 },
        download: code.ms === undefined ? null : download,
        firstRunMs: now() - t5,
        memoryBytes: e.memory.buffer.byteLength,
        outputs: checkedOutputs(e, pkg.inputs, pkg.vector),
      },
    };
  }
  const wanted = pkg.variants.join(", ");
  throw Object.assign(new Error(`no variant of ${wanted} validates here and passes its self-test`), { at: pkg.at });
}

function timed(p, now) {
  const t = now();
  for (let i = 0; i < p.batch; i++) p.run();
  return (now() - t) / p.batch;
}

/** Warm-up by time as well as by count, since engines compile a module again, optimised, in the background. */
async function warmUp(p, options, stepMs, { now, pause }) {
  const end = now() + options.warmupMs;
  let quickest = Infinity;
  p.batch = 1;
  for (let i = 0; i < options.warmup || now() < end; i++) {
    // A run shorter than the clock's step reads as nothing: batches grow until the clock sees them.
    const started = now();
    const ms = timed(p, now);
    const total = now() - started;
    if (total < 4 * stepMs && p.batch < MAX_BATCH) p.batch *= 2;
    else quickest = Math.min(quickest, ms);
    if ((i & 15) === 0) await pause();
  }
  p.batch = batchSize(Number.isFinite(quickest) ? quickest : stepMs / p.batch, stepMs, options);
  // The engine may have optimised the module since the quickest run: batches follow, so that samples stay long enough.
  for (let i = 0; i < 4; i++) {
    const ms = Math.min(timed(p, now), timed(p, now), timed(p, now));
    p.batch = Math.max(p.batch, batchSize(ms, stepMs, options));
  }
}

/** Times one group of packages in turns. `host` says how this engine tells the time, reads files, yields and reports. */
export async function timeGroup(packages, options, stepMs, host) {
  const { now, pause, report, memory } = host;
  const list = [];
  for (const pkg of packages) {
    report({ phase: "load", part: 0, at: pkg.at });
    list.push(await loadPackage(pkg, host));
  }
  report({ phase: "warm", part: 0, at: packages[0].at });
  for (const p of list) await warmUp(p, options, stepMs, host);

  const { runs, minMs, minuteMs } = options;
  const all = new Rounds(list.length, CAPACITY);
  const first = new Rounds(list.length, MINUTE_CAPACITY);
  const last = new Rounds(list.length, MINUTE_CAPACITY);
  const point = new Rounds(list.length, POINT_CAPACITY);
  const timeline = list.map(() => []);
  const closePoint = () => {
    if (point.count > 0) timeline.forEach((line, i) => line.push(median(point.column(i))));
    point.clear();
  };
  const minimum = new Float64Array(list.length).fill(Infinity);
  const row = new Float64Array(list.length);
  const memoryStart = memory();
  const started = now();
  let spent = 0;
  let reported = 0;
  for (let round = 0; round < runs || spent < minMs; round++) {
    for (let i = 0; i < list.length; i++) {
      const k = (i + round) % list.length;
      row[k] = timed(list[k], now);
      if (row[k] < minimum[k]) minimum[k] = row[k];
    }
    all.add(row);
    if (minMs >= minuteMs && spent < minuteMs) first.add(row);
    if (minMs >= minuteMs && spent >= minMs - minuteMs) last.add(row);
    const part = Math.min(round / runs, minMs > 0 ? spent / minMs : 1);
    if (minMs > 0) point.add(row);
    if (timeline[0].length < Math.floor(part * TIMELINE_POINTS)) closePoint();
    spent = now() - started;
    if (spent - reported >= 100) {
      reported = spent;
      report({ phase: "time", part, at: packages[0].at });
      await pause();
    }
  }
  closePoint();
  const memoryEnd = memory();
  return list.map(({ facts, batch }, i) => ({
    ...facts,
    batch,
    count: all.count,
    minMs: minimum[i],
    samples: all.column(i),
    first: first.count > 0 ? first.column(i) : null,
    last: last.count > 0 ? last.column(i) : null,
    timeline: timeline[i].slice(0, TIMELINE_POINTS),
    processBytes: memoryStart === null || memoryEnd === null ? null : { start: memoryStart, end: memoryEnd },
  }));
}

/** All groups, one after another: the answer of a device. */
export async function timeJob(job, host) {
  const stepMs = clockStep(host.now);
  const groups = [];
  for (const [g, packages] of job.groups.entries()) {
    const report = (p) => host.report({ ...p, group: g, groups: job.groups.length });
    groups.push(await timeGroup(packages, job.options, stepMs, { ...host, report }));
  }
  return { clockStepMs: stepMs, groups };
}
