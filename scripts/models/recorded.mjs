// The models of the shared data folder and their recorded runs: found by their golden.json, read as they are stored.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

const DTYPES = {
  float32: ["f32", Float32Array],
  int8: ["i8", Int8Array],
  uint8: ["u8", Uint8Array],
  int32: ["i32", Int32Array],
  int64: ["i64", BigInt64Array],
  bool: ["bool", Uint8Array],
};

/** Every model below `root` that has a golden.json: `{ name, file, golden, runtime }`, in the order of their names. */
export function listModels(root) {
  const recordings = readdirSync(root, { recursive: true })
    .filter((file) => path.basename(file) === "golden.json")
    .sort();
  return recordings.map((file) => {
    const golden = path.join(root, path.dirname(file));
    // TF.js: <model>/golden/golden.json; the others: golden/<file>/golden.json beside the file.
    const own = path.basename(golden) === "golden";
    const folder = path.resolve(golden, own ? ".." : "../..");
    const model = own ? readdirSync(folder).find((f) => f.endsWith(".json")) : path.basename(golden);
    const full = path.join(folder, model);
    if (!existsSync(full)) throw new Error(`${golden} has no model ${full}`);
    const { runtime } = JSON.parse(readFileSync(path.join(golden, "golden.json"), "utf8"));
    return { name: path.relative(root, full), file: full, golden, runtime };
  });
}

/** The recorded runs: `{ inputs, outputs }`, lists of values in the order of the ports. */
export function recordedCases(golden) {
  const load = ({ shape, dtype, file }) => {
    const raw = readFileSync(path.join(golden, file));
    const bytes = new Uint8Array(file.endsWith(".gz") ? gunzipSync(raw) : raw);
    const [own, View] = DTYPES[dtype];
    return {
      data: new View(bytes.buffer, bytes.byteOffset, bytes.byteLength / View.BYTES_PER_ELEMENT),
      shape,
      dtype: own,
    };
  };
  const { cases } = JSON.parse(readFileSync(path.join(golden, "golden.json"), "utf8"));
  return cases.map(({ inputs, outputs }) => ({ inputs: inputs.map(load), outputs: outputs.map(load) }));
}

/** Recorded inputs under the names of the graph's ports. */
export function namedInputs(graph, values) {
  return Object.fromEntries(graph.inputs.map((port, i) => [port.name, values[i]]));
}

/**
 * How one output compares with the recorded one. `step` is what a difference is counted in: 1 for integers.
 * A single value has no range; its size stands for it.
 */
export function compare(got, want, step = 1) {
  const [n, m] = [got.data.length, want.data.length];
  if (n !== m) throw new Error(`${n} values against ${m}`);
  let [low, high, most, near, equal, top] = [Infinity, -Infinity, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [a, b] = [Number(got.data[i]), Number(want.data[i])];
    const difference = Number.isNaN(a) ? Infinity : Math.abs(a - b);
    most = Math.max(most, difference);
    // f32 cannot hold every multiple of a step.
    if (difference <= step * (1 + 1e-3)) near++;
    if (difference === 0) equal++;
    low = Math.min(low, b);
    high = Math.max(high, b);
    if (a > Number(got.data[top])) top = i;
  }
  return {
    range: n === 1 ? Math.abs(high) : high - low,
    difference: most,
    steps: most / step,
    withinOne: near / n,
    equal: equal / n,
    // Of equal largest recorded values any will do.
    sameTop: Number(want.data[top]) === high,
  };
}
