import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { BuildOptions } from "../../src/build/index.js";
import { onnxBytes } from "../../src/formats/index.js";
import type { Split } from "../../src/model/dataset.js";
import { sizeOf } from "../../src/model/types.js";
import { data, denseNetwork, quick } from "../pruner/tiny.js";

/** A .npy file, version 1.0. */
function npy(descr: "<f4" | "<i4", shape: readonly number[], values: Float32Array | Int32Array): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  let header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  header += " ".repeat(63 - ((10 + header.length) % 64)) + "\n";
  const length = header.length;
  return Buffer.concat([
    Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, length & 255, length >> 8]),
    Buffer.from(header, "latin1"),
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  ]);
}

function writeSplit(folder: string, part: string, split: Split): void {
  const size = sizeOf(split.shape);
  const values = new Float32Array(split.count * size);
  split.read(
    Int32Array.from({ length: split.count }, (_, i) => i),
    values,
  );
  writeFileSync(path.join(folder, `x_${part}.npy`), npy("<f4", [split.count, ...split.shape], values));
  writeFileSync(path.join(folder, `y_${part}.npy`), npy("<i4", [split.count], split.labels!));
}

/** The trained tiny network as an ONNX file and its data as numpy files. */
export async function writeTinyProject(folder: string): Promise<{ model: string; data: string }> {
  const dataDir = path.join(folder, "data");
  mkdirSync(dataDir, { recursive: true });
  writeSplit(dataDir, "train", data.train);
  writeSplit(dataDir, "test", data.validation);
  const model = path.join(folder, "bars.onnx");
  writeFileSync(model, onnxBytes(await denseNetwork()));
  return { model, data: dataDir };
}

/** Options of a build that takes seconds. */
export function quickBuild(
  project: { model: string; data: string },
  out: string,
  more: Partial<BuildOptions> = {},
): BuildOptions {
  const { seed, profile: _profile, channelMultiple: _multiple, ...pruning } = quick;
  return {
    ...project,
    out,
    seed,
    load: { validationFraction: 0.25, calibrationCount: 128 },
    pruning,
    threads: 1,
    runs: 20,
    ...more,
  };
}

/** Every file below a folder with its bytes, except those that may differ between equal builds. */
export function filesOf(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || ["measurements.json", "report.html"].includes(entry.name)) continue;
    const full = path.join(entry.parentPath, entry.name);
    files.set(path.relative(folder, full), readFileSync(full, "base64"));
  }
  return files;
}
