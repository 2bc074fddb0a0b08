/**
 * The program that times packages inside an engine without JavaScript: text of AssemblyScript, compiled when it is needed.
 * It does what device/timing.mjs does, against WASI's clock, and writes its figures to standard output as f64.
 *
 * A package's memory is its own and has no room for figures, so the driver has another one (`env.memory`), and copies
 * between the two by the bridge modules of wasm-modules.ts. Packages are the modules `p0`, `p1`, …, bridges `b0`, `b1`, ….
 */
import { compileDriver } from "./compile-source.js";
import { CAPACITY, MINUTE_CAPACITY, TIMELINE_POINTS, type TimingOptions } from "./device/timing.mjs";

export interface DriverPackage {
  /** Element types of the inputs. */
  readonly inputs: readonly string[];
  readonly vector: { readonly scale: number; readonly offset: number } | null;
}

/** Kinds of input values, as the driver's `fill` numbers them. */
const kindOf = (dtype: string): number => ({ f32: 0, u8: 1, i8: 2 })[dtype] ?? 3;

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** `name(k, …)` for a package that is known at run time only. */
function dispatch(count: number, name: string, params: string, args: string, result: "i32" | "void"): string {
  const call = (k: number): string => `${name}${k}(${args})`;
  const comma = params === "" ? "" : ", ";
  const lines = range(count).map((k) =>
    result === "void" ? `  if (k == ${k}) ${call(k)};` : `  if (k == ${k}) return ${call(k)};`,
  );
  const end = result === "void" ? "" : "  return 0;\n";
  return `function ${name}(k: i32${comma}${params}): ${result} {\n${lines.join("\n")}\n${end}}`;
}

const ABI: readonly (readonly [string, string, string, "i32" | "void"])[] = [
  ["weights_ptr", "", "", "i32"],
  ["setup", "", "", "void"],
  ["selftest", "", "", "i32"],
  ["input_ptr", "i: i32", "i", "i32"],
  ["input_bytes", "i: i32", "i", "i32"],
  ["output_count", "", "", "i32"],
  ["output_ptr", "i: i32", "i", "i32"],
  ["output_bytes", "i: i32", "i", "i32"],
  ["reset", "", "", "void"],
  ["run", "", "", "void"],
];

const BRIDGE: readonly (readonly [string, string, string, "i32" | "void"])[] = [
  ["put", "to: i32, from: i32, bytes: i32", "to, from, bytes", "void"],
  ["get", "to: i32, from: i32, bytes: i32", "to, from, bytes", "void"],
  ["weights", "to: i32", "to", "void"],
];

function imports(count: number): string {
  const declared = (module: string) =>
    function ([name, params, , result]: readonly [string, string, string, string]): string[] {
      return range(count).map(
        (k) => `@external("${module}${k}", "${name}") declare function ${name}${k}(${params}): ${result};`,
      );
    };
  return [
    ...ABI.flatMap(declared("p")),
    ...BRIDGE.flatMap(declared("b")),
    ...[...ABI, ...BRIDGE].map(([name, params, args, result]) => dispatch(count, name, params, args, result)),
  ].join("\n");
}

export function driverSource(packages: readonly DriverPackage[], options: TimingOptions): string {
  const count = packages.length;
  const kinds = packages.flatMap((p, k) =>
    p.inputs.map((dtype, i) => `  if (k == ${k} && i == ${i}) return ${kindOf(dtype)};`),
  );
  const f64 = (n: number): string => (Number.isInteger(n) ? `${n}.0` : String(n));
  return `${imports(count)}
@external("wasi_snapshot_preview1", "clock_time_get") declare function clock_time_get(id: i32, precision: i64, at: usize): i32;
@external("wasi_snapshot_preview1", "fd_write") declare function fd_write(fd: i32, iovs: usize, n: i32, written: usize): i32;

const PACKAGES: i32 = ${count};
const RUNS: i32 = ${options.runs};
const WARMUP: i32 = ${options.warmup};
const WARMUP_MS: f64 = ${f64(options.warmupMs)};
const MIN_MS: f64 = ${f64(options.minMs)};
const MINUTE_MS: f64 = ${f64(options.minuteMs)};
const SAMPLE_MS: f64 = ${f64(options.sampleMs)};
const PRECISION: f64 = ${f64(options.precision)};
const SCRATCH: usize = 1024;

function inputCount(k: i32): i32 {
${packages.map((p, k) => `  if (k == ${k}) return ${p.inputs.length};`).join("\n")}
  return 0;
}
function inputKind(k: i32, i: i32): i32 {
${kinds.join("\n")}
  return 3;
}
function vectorScale(k: i32): f64 {
${packages.map((p, k) => `  if (k == ${k}) return ${f64(p.vector?.scale ?? 0)};`).join("\n")}
  return 0;
}
function vectorOffset(k: i32): f64 {
${packages.map((p, k) => `  if (k == ${k}) return ${f64(p.vector?.offset ?? 0)};`).join("\n")}
  return 0;
}

let free: usize = 4096;
function take(bytes: usize): usize {
  const at = free;
  free = (at + bytes + 15) & ~15;
  return at;
}

function now(): f64 {
  clock_time_get(1, 1, SCRATCH);
  return <f64>load<i64>(SCRATCH) / 1e6;
}
function write(at: usize, bytes: usize): void {
  while (bytes > 0) {
    store<usize>(SCRATCH, at);
    store<usize>(SCRATCH + 4, bytes);
    if (fd_write(1, SCRATCH, 1, SCRATCH + 8) != 0) unreachable();
    const done = load<usize>(SCRATCH + 8);
    at += done;
    bytes -= done;
  }
}
function tell(value: f64): void {
  store<f64>(SCRATCH + 16, value);
  write(SCRATCH + 16, 8);
}

// A fair sample of rounds: its capacity, then the count of rounds, then rows of one time for each package.
function newRounds(capacity: i32): usize {
  const r = take(16 + 8 * capacity * PACKAGES);
  store<i32>(r, capacity);
  store<i32>(r, 0, 4);
  return r;
}
let state: u32 = 0x9e3779b9;
function addRound(r: usize, row: usize): void {
  const capacity = load<i32>(r), count = load<i32>(r, 4);
  let at = count;
  store<i32>(r, count + 1, 4);
  if (at >= capacity) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    at = <i32>(<f64>state / 4294967296.0 * <f64>(count + 1));
    if (at >= capacity) return;
  }
  memory.copy(r + 16 + 8 * at * PACKAGES, row, 8 * PACKAGES);
}
function kept(r: usize): i32 {
  return min(load<i32>(r), load<i32>(r, 4));
}
function tellColumn(r: usize, k: i32): void {
  const n = kept(r);
  tell(n);
  for (let i = 0; i < n; i++) tell(load<f64>(r + 16 + 8 * (i * PACKAGES + k)));
}
function medianOf(r: usize, k: i32): f64 {
  const n = kept(r);
  const at = free;
  for (let i = 0; i < n; i++) {
    const v = load<f64>(r + 16 + 8 * (i * PACKAGES + k));
    let j = i;
    for (; j > 0 && load<f64>(at + 8 * (j - 1)) > v; j--) store<f64>(at + 8 * j, load<f64>(at + 8 * (j - 1)));
    store<f64>(at + 8 * j, v);
  }
  return load<f64>(at + 8 * (n >> 1));
}

// Values of the inputs and room for the outputs of package k, one after another.
const values: usize = take(8 * PACKAGES);
function fill(k: i32, vector: bool): void {
  let at = load<usize>(values + 8 * k);
  let s: u32 = 1;
  for (let i = 0; i < inputCount(k); i++) {
    const kind = inputKind(k, i), n = input_bytes(k, i) >> 2;
    for (let j = 0; j < n; j++, at += 4) {
      s = s * 1664525 + 1013904223;
      const u: u32 = vector ? <u32>j * 2654435761 : s;
      if (kind == 0) {
        const unit = <f64>u / 2147483648.0;
        store<f32>(at, <f32>(vector ? (unit - 1) * vectorScale(k) + vectorOffset(k) : unit / 2));
      } else store<i32>(at, kind == 1 ? <i32>(u >> 24) : kind == 2 ? <i32>u >> 24 : <i32>(u >> 31));
    }
  }
}
function once(k: i32): usize {
  let at = load<usize>(values + 8 * k);
  for (let i = 0; i < inputCount(k); i++) {
    put(k, input_ptr(k, i), <i32>at, input_bytes(k, i));
    at += input_bytes(k, i);
  }
  run(k);
  for (let i = 0, n = output_count(k); i < n; i++) {
    get(k, <i32>at, output_ptr(k, i), output_bytes(k, i));
    at += output_bytes(k, i);
  }
  return at;
}

function clockStep(): f64 {
  const at = free;
  let n = 0, last = now();
  const end = last + 100;
  for (let i = 0; i < 10000000 && n < 51 && last < end; i++) {
    const t = now();
    if (t <= last) continue;
    let j = n++;
    for (; j > 0 && load<f64>(at + 8 * (j - 1)) > t - last; j--) store<f64>(at + 8 * j, load<f64>(at + 8 * (j - 1)));
    store<f64>(at + 8 * j, t - last);
    last = t;
  }
  return n == 0 ? 100 : load<f64>(at + 8 * (n >> 1));
}

const batches: usize = take(8 * PACKAGES);
function timed(k: i32): f64 {
  const batch = load<i32>(batches + 8 * k), t = now();
  for (let i = 0; i < batch; i++) once(k);
  return (now() - t) / <f64>batch;
}
function warmUp(k: i32, step: f64): void {
  const end = now() + WARMUP_MS;
  let quickest: f64 = Infinity, batch = 1;
  for (let i = 0; i < WARMUP || now() < end; i++) {
    store<i32>(batches + 8 * k, batch);
    const ms = timed(k);
    if (ms * <f64>batch < 4 * step && batch < 1 << 20) batch *= 2;
    else quickest = min(quickest, ms);
  }
  if (quickest == Infinity) quickest = step / <f64>batch;
  const wanted = max(SAMPLE_MS, step / PRECISION);
  store<i32>(batches + 8 * k, <i32>min(1048576.0, max(1.0, ceil(wanted / max(quickest, 1e-5)))));
}

export function _start(): void {
  const step = clockStep();
  tell(step);
  const starts = take(24 * PACKAGES);
  for (let k = 0; k < PACKAGES; k++) {
    const t0 = now();
    weights(k, weights_ptr(k));
    setup(k);
    const t1 = now();
    const passed = selftest(k) != 0;
    const t2 = now();
    tell(passed ? 1 : 0);
    if (!passed) return;
    let bytes = 0;
    for (let i = 0; i < inputCount(k); i++) bytes += input_bytes(k, i);
    for (let i = 0, n = output_count(k); i < n; i++) bytes += output_bytes(k, i);
    store<usize>(values + 8 * k, take(bytes));
    fill(k, false);
    const t3 = now();
    once(k);
    store<f64>(starts + 24 * k, t1 - t0);
    store<f64>(starts + 24 * k, t2 - t1, 8);
    store<f64>(starts + 24 * k, now() - t3, 16);
  }
  // Outputs on the stored test vector.
  for (let k = 0; k < PACKAGES; k++) {
    fill(k, true);
    const end = once(k);
    for (let i = 0, n = output_count(k), at = end; i < n; i++) at -= output_bytes(k, i);
    let total = 0;
    for (let i = 0, n = output_count(k); i < n; i++) total += output_bytes(k, i);
    tell(output_count(k));
    for (let i = 0, n = output_count(k); i < n; i++) tell(output_bytes(k, i));
    write(end - total, total);
    reset(k);
    fill(k, false);
  }
  for (let k = 0; k < PACKAGES; k++) warmUp(k, step);

  const all = newRounds(${CAPACITY}), first = newRounds(${MINUTE_CAPACITY}), last = newRounds(${MINUTE_CAPACITY});
  const point = newRounds(64);
  const line = take(8 * ${TIMELINE_POINTS} * PACKAGES);
  const row = take(8 * PACKAGES), least = take(8 * PACKAGES);
  for (let k = 0; k < PACKAGES; k++) store<f64>(least + 8 * k, Infinity);
  let points = 0, spent: f64 = 0;
  const started = now();
  for (let round = 0; round < RUNS || spent < MIN_MS; round++) {
    for (let i = 0; i < PACKAGES; i++) {
      const k = (i + round) % PACKAGES, ms = timed(k);
      store<f64>(row + 8 * k, ms);
      if (ms < load<f64>(least + 8 * k)) store<f64>(least + 8 * k, ms);
    }
    addRound(all, row);
    if (MIN_MS >= MINUTE_MS) {
      if (spent < MINUTE_MS) addRound(first, row);
      if (spent >= MIN_MS - MINUTE_MS) addRound(last, row);
    }
    if (MIN_MS > 0) addRound(point, row);
    spent = now() - started;
    const part = min(<f64>(round + 1) / <f64>RUNS, MIN_MS > 0 ? spent / MIN_MS : 1.0);
    if (MIN_MS > 0 && <f64>points < Math.floor(part * ${TIMELINE_POINTS}) && points < ${TIMELINE_POINTS}) {
      for (let k = 0; k < PACKAGES; k++) store<f64>(line + 8 * (points * PACKAGES + k), medianOf(point, k));
      points++;
      store<i32>(point, 0, 4);
    }
  }
  for (let k = 0; k < PACKAGES; k++) {
    for (let i = 0; i < 3; i++) tell(load<f64>(starts + 24 * k + 8 * i));
    tell(load<i32>(batches + 8 * k));
    tell(load<i32>(all, 4));
    tell(load<f64>(least + 8 * k));
    tellColumn(all, k);
    tellColumn(first, k);
    tellColumn(last, k);
    tell(points);
    for (let i = 0; i < points; i++) tell(load<f64>(line + 8 * (i * PACKAGES + k)));
  }
}
`;
}

/** The driver's module; `pages` is the size of its memory, which `env` brings. */
export const driverModule = (
  packages: readonly DriverPackage[],
  options: TimingOptions,
  pages: number,
): Promise<Uint8Array> => compileDriver(driverSource(packages, options), pages);
