// Memory and progress of reading an ONNX file of 100 MB (or as many as are given), in a process of its own.
//
//   node bench/fuzz/large.mjs [MEGABYTES] [--library dist] [--one]
//
// Peak resident memory is compared with that of the same process after reading a tiny file: the engine and the reader's
// code are no part of what the file takes. `--one`: all weights in one tensor. Exit code 1 beyond three times the file.
import { fork } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const MOST = 3;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    library: { type: "string", default: fileURLToPath(new URL("../../dist", import.meta.url)) },
    one: { type: "boolean", default: false },
  },
});

function varint(value) {
  const out = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...out, left]);
    out.push((left % 128) | 128);
  }
}

const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
const body = (field, ...parts) => Buffer.concat([head(field, length(parts)), ...parts]);
const head = (field, size) => Buffer.concat([varint(field * 8 + 2), varint(size)]);
const text = (field, value) => body(field, Buffer.from(value));
const length = (parts) => parts.reduce((n, p) => n + p.length, 0);

function port(field, name, width) {
  const shape = body(2, body(1, text(2, "n")), body(1, number(1, width)));
  return body(field, text(1, name), body(2, body(1, number(1, 1), shape)));
}

/** Products one after another, [n, width] by [width, width], written piece by piece. */
function writeModel(file, width, layers) {
  const nodes = [];
  const weights = [];
  const size = 4 * width * width;
  for (let i = 0; i < layers; i++) {
    nodes.push(body(1, text(1, `t${i}`), text(1, `w${i}`), text(2, `t${i + 1}`), text(4, "MatMul")));
    const fields = Buffer.concat([number(1, width), number(1, width), number(2, 1), text(8, `w${i}`), head(9, size)]);
    weights.push(Buffer.concat([head(5, fields.length + size), fields]));
  }
  const rest = [...nodes, text(2, "g"), port(11, "t0", width), port(12, `t${layers}`, width)];
  const out = openSync(file, "w");
  const write = (bytes) => writeSync(out, bytes);
  write(Buffer.concat([number(1, 8), body(8, number(2, 13)), head(7, length(rest) + length(weights) + layers * size)]));
  rest.forEach(write);
  const values = Buffer.alloc(size);
  for (let i = 0; i < layers; i++) {
    for (let k = 0; k < width * width; k++) values.writeFloatLE(((k * 7 + i) % 13) / 13 - 0.5, 4 * k);
    write(weights[i]);
    write(values);
  }
  closeSync(out);
}

if (process.send) {
  const { readModel } = await import(pathToFileURL(path.resolve(options.library, "formats/index.js")).href);
  const told = [];
  const started = performance.now();
  const graph = await readModel(positionals[0], { onProgress: (fraction) => told.push(fraction) });
  const nodes = graph.nodes.length;
  process.send({
    told,
    nodes,
    seconds: (performance.now() - started) / 1000,
    peak: 1024 * process.resourceUsage().maxRSS,
  });
  process.disconnect();
} else {
  const folder = mkdtempSync(path.join(os.tmpdir(), "idap-large-"));
  try {
    const megabytes = Number(positionals[0] ?? 100);
    const width = options.one ? Math.round(Math.sqrt(megabytes * 250_000)) : 1000;
    const file = path.join(folder, "large.onnx");
    const tiny = path.join(folder, "tiny.onnx");
    writeModel(file, width, Math.max(Math.round((megabytes * 250_000) / width ** 2), 1));
    writeModel(tiny, 4, 2);
    const base = await measured(tiny);
    const { peak, told, nodes, seconds } = await measured(file);
    const { size } = statSync(file);
    const share = (peak - base.peak) / size;
    const mb = (bytes) => `${Math.round(bytes / 1e6)} MB`;
    console.log(
      `${mb(size)} in ${nodes} nodes: ${seconds.toFixed(1)} s, peak ${mb(peak)}, ${mb(base.peak)} with a tiny file`,
    );
    console.log(`${share.toFixed(2)} times the file (at most ${MOST})`);
    console.log(
      `progress told ${told.length} times: ${told
        .map((f) => f.toFixed(2))
        .join(" ")
        .slice(0, 300)}`,
    );
    process.exitCode = share <= MOST && told.length > 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function measured(file) {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [file, "--library", options.library]);
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`reading ${file} ended with ${code}`)));
  });
}
