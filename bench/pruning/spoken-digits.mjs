// Spoken digits (FSDD) as the library reads sounds: a folder of WAV files, 49 frames of 10 cepstral coefficients each.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

const RATE = 8000;

/** 40 ms windows every 20 ms: a second is 49 frames, the input of the keyword spotter of MLPerf Tiny. */
export const FEATURES = {
  kind: "mfcc",
  rate: RATE,
  seconds: 1,
  windowMs: 40,
  hopMs: 20,
  high: RATE / 2,
  coefficients: 10,
};

/** A mono WAV file of 16-bit samples. */
export function wavOf(pcm) {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + pcm.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16); // bytes of the format
  head.writeUInt16LE(1, 20); // plain samples
  head.writeUInt16LE(1, 22); // of one channel
  head.writeUInt32LE(RATE, 24);
  head.writeUInt32LE(2 * RATE, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(pcm.length, 40);
  return Buffer.concat([head, pcm]);
}

/** The recordings as WAV files in `folder`/train and `folder`/test, in a folder for each digit; once. */
export function writeSpokenDigits(source, folder) {
  if (existsSync(folder)) return;
  const pcm = gunzipSync(readFileSync(path.join(source, "pcm16le-8khz-mono.bin.gz")));
  const [, ...lines] = readFileSync(path.join(source, "index.csv"), "utf8").trim().split("\n");
  const half = `${folder}.new`;
  for (const line of lines) {
    const [name, digit, , , split, offset, samples] = line.trim().split(",");
    const at = 2 * Number(offset);
    const place = path.join(half, split, digit);
    mkdirSync(place, { recursive: true });
    writeFileSync(path.join(place, name), wavOf(pcm.subarray(at, at + 2 * Number(samples))));
  }
  renameSync(half, folder); // a folder of this name is complete
}

/** Mean and spread of all features of the training split, as the affine normalisation that makes them 0 and 1. */
export function standardised(train) {
  const values = new Float32Array(train.count * train.shape.reduce((a, b) => a * b, 1));
  train.read(
    Array.from({ length: train.count }, (_, i) => i),
    values,
  );
  const mean = values.reduce((s, v) => s + v, 0) / values.length;
  const spread = Math.sqrt(values.reduce((s, v) => s + (v - mean) ** 2, 0) / values.length);
  return { kind: "affine", mean: [mean], std: [spread] };
}
