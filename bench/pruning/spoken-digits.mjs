// Spoken digits (FSDD) as 49 frames of 10 cepstral coefficients: the input of the keyword spotter of MLPerf Tiny.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

const RATE = 8000;
const FRAMES = 49;
const COEFFICIENTS = 10;
const BANDS = 40;
/** 40 ms windows every 20 ms: a second is 49 frames. */
const WINDOW = 320;
const HOP = 160;
const BINS = 512;

/** Writes features of both parts and the description that `loadData` reads. */
export function writeSpokenDigits(source, out) {
  const pcm = gunzipSync(readFileSync(path.join(source, "pcm16le-8khz-mono.bin.gz")));
  const [, ...lines] = readFileSync(path.join(source, "index.csv"), "utf8").trim().split("\n");
  const parts = { train: { features: [], labels: [] }, test: { features: [], labels: [] } };
  for (const line of lines) {
    const [, digit, , , split, offset, samples] = line.trim().split(",");
    const sound = Float64Array.from(
      { length: Number(samples) },
      (_, i) => pcm.readInt16LE(2 * (Number(offset) + i)) / 32768,
    );
    parts[split].features.push(cepstra(sound));
    parts[split].labels.push(digit);
  }
  const description = { sample: { dtype: "f32", shape: [FRAMES, COEFFICIENTS, 1] }, classes: 10 };
  standardise(parts);
  for (const [name, { features, labels }] of Object.entries(parts)) {
    const values = Float32Array.from(features.flatMap((f) => [...f]));
    writeFileSync(path.join(out, `${name}.bin`), new Uint8Array(values.buffer));
    writeFileSync(path.join(out, `${name}.csv`), `${labels.join("\n")}\n`);
    description[name] = { values: `${name}.bin`, labels: `${name}.csv` };
  }
  // Last: a folder with a description is complete.
  writeFileSync(path.join(out, "idap-data.json"), JSON.stringify(description));
}

/** Every coefficient to mean 0 and spread 1 over the training part. */
function standardise({ train, test }) {
  for (let c = 0; c < COEFFICIENTS; c++) {
    let sum = 0;
    let squares = 0;
    for (const f of train.features)
      for (let i = c; i < f.length; i += COEFFICIENTS) {
        sum += f[i];
        squares += f[i] ** 2;
      }
    const n = train.features.length * FRAMES;
    const mean = sum / n;
    const spread = Math.sqrt(squares / n - mean ** 2);
    for (const f of [...train.features, ...test.features])
      for (let i = c; i < f.length; i += COEFFICIENTS) f[i] = (f[i] - mean) / spread;
  }
}

const mel = (hz) => 2595 * Math.log10(1 + hz / 700);
const hertz = (m) => 700 * (10 ** (m / 2595) - 1);

/** Triangles over the bins of the spectrum, evenly spaced in mel from 20 Hz to half the rate. */
const TRIANGLES = Array.from({ length: BANDS }, (_, b) => {
  const [low, middle, high] = [b, b + 1, b + 2].map((k) =>
    hertz(mel(20) + (k * (mel(RATE / 2) - mel(20))) / (BANDS + 1)),
  );
  return Float64Array.from({ length: BINS / 2 + 1 }, (_, bin) => {
    const hz = (bin * RATE) / BINS;
    return Math.max(0, Math.min((hz - low) / (middle - low), (high - hz) / (high - middle)));
  });
});
const HANN = Float64Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / WINDOW));
const COSINES = Array.from({ length: COEFFICIENTS }, (_, c) =>
  Float64Array.from({ length: BANDS }, (_, b) => Math.cos((Math.PI * c * (b + 0.5)) / BANDS) * Math.sqrt(2 / BANDS)),
);

/** [FRAMES, COEFFICIENTS] of a second of sound; shorter sounds stand in its middle, of longer ones the middle is taken. */
export function cepstra(sound) {
  const second = new Float64Array(RATE);
  const shift = Math.floor((RATE - sound.length) / 2);
  for (let i = 0; i < RATE; i++) second[i] = sound[i - shift] ?? 0;
  const result = new Float64Array(FRAMES * COEFFICIENTS);
  for (let f = 0; f < FRAMES; f++) {
    const re = new Float64Array(BINS);
    const im = new Float64Array(BINS);
    for (let i = 0; i < WINDOW; i++) re[i] = HANN[i] * second[f * HOP + i];
    fourier(re, im);
    const bands = TRIANGLES.map((t) => Math.log(1e-6 + t.reduce((s, w, i) => s + w * (re[i] ** 2 + im[i] ** 2), 0)));
    COSINES.forEach((row, c) => {
      result[f * COEFFICIENTS + c] = row.reduce((s, w, b) => s + w * bands[b], 0);
    });
  }
  return result;
}

/** In place, radix 2: bits reversed, then butterflies of growing length. */
export function fourier(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let length = 2; length <= n; length *= 2) {
    const half = length / 2;
    for (let k = 0; k < half; k++) {
      const c = Math.cos((-2 * Math.PI * k) / length);
      const s = Math.sin((-2 * Math.PI * k) / length);
      for (let a = k; a < n; a += length) {
        const b = a + half;
        const x = re[b] * c - im[b] * s;
        const y = re[b] * s + im[b] * c;
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}
