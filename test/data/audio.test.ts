import { describe, expect, test } from "vitest";
import { cosTurn, exp, ln, sinTurn } from "../../src/data/audio/exact.js";
import {
  AUDIO_DEFAULTS,
  featureExtractor,
  featureShape,
  fromMel,
  melWeights,
  toMel,
  type AudioFeatures,
} from "../../src/data/audio/features.js";
import { resample } from "../../src/data/audio/resample.js";
import { powerSpectrum } from "../../src/data/audio/spectrum.js";
import { parseWav } from "../../src/data/audio/wav.js";
import { Random } from "../../src/model/random.js";
import { wavFile } from "./files.js";

const UNIT = 2 ** -53;

describe("functions of our own", () => {
  test("agree with the engine's to a few units of rounding", () => {
    const random = new Random(1);
    for (let i = 0; i < 2000; i++) {
      const x = 10 ** (60 * random.next() - 30);
      expect(Math.abs(ln(x) - Math.log(x))).toBeLessThanOrEqual(8 * UNIT * Math.max(1, Math.abs(Math.log(x))));
      const y = 100 * random.next() - 50;
      expect(Math.abs(exp(y) / Math.exp(y) - 1)).toBeLessThanOrEqual(2 ** -46);
      const t = 20 * random.next() - 10;
      // The engine rounds 2 pi t, up to 63, before it takes the cosine.
      expect(Math.abs(cosTurn(t) - Math.cos(2 * Math.PI * t))).toBeLessThanOrEqual(128 * UNIT);
      expect(Math.abs(sinTurn(t) - Math.sin(2 * Math.PI * t))).toBeLessThanOrEqual(128 * UNIT);
    }
    expect([cosTurn(0), cosTurn(0.5), sinTurn(0.25), cosTurn(0.25)]).toEqual([1, -1, 1, 0]);
  });

  test("the spectrum is that of the plain sums", () => {
    const random = new Random(2);
    for (const n of [2, 8, 64]) {
      const frame = Float64Array.from({ length: n }, () => random.normal());
      const power = powerSpectrum(n)(frame);
      for (let k = 0; k <= n / 2; k++) {
        let [re, im] = [0, 0];
        frame.forEach((x, i) => {
          re += x * Math.cos((2 * Math.PI * k * i) / n);
          im += x * Math.sin((2 * Math.PI * k * i) / n);
        });
        expect(power[k]).toBeCloseTo(re * re + im * im, 10);
      }
    }
  });
});

describe("WAV files", () => {
  const wave = [0, 0.5, -0.5, 0.25, -1, 0.9921875];

  test.each([
    [{ bits: 8 }, 2 ** -8],
    [{ bits: 16 }, 2 ** -16],
    [{ bits: 24 }, 2 ** -24],
    [{ bits: 32 }, 2 ** -32],
    [{ bits: 32, tag: 3 }, 0],
    [{ bits: 64, tag: 3 }, 0],
  ])("%o", (kind, error) => {
    const { rate, samples } = parseWav(wavFile(wave, kind), "a.wav");
    expect(rate).toBe(8000);
    wave.forEach((x, i) => expect(Math.abs(samples[i]! - x)).toBeLessThanOrEqual(error));
  });

  test("channels are averaged, the beginning is enough, and a length that was never filled in reaches to the end", () => {
    const stereo = wavFile([0.5, 0.25, -1, 1, 0.5, 0.5], { bits: 16, channels: 2 });
    expect([...parseWav(stereo, "a.wav").samples]).toEqual([0.375, (-1 + 32767 / 32768) / 2, 0.5]);
    expect(parseWav(stereo, "a.wav", 2 / 8000).samples).toHaveLength(2);
    for (const length of [0, 0xffffffff]) {
      const streamed = Buffer.from(stereo);
      streamed.writeUInt32LE(length, 52);
      expect(parseWav(streamed, "a.wav").samples).toHaveLength(3);
    }
  });

  test("the extensible form", () => {
    const plain = Buffer.from(wavFile(wave, { bits: 24 }));
    const bytes = Buffer.concat([plain.subarray(0, 36), Buffer.alloc(24), plain.subarray(36)]);
    bytes.writeUInt32LE(40, 16);
    bytes.writeUInt16LE(0xfffe, 20);
    bytes.writeUInt16LE(1, 44);
    expect(parseWav(bytes, "a.wav").samples[1]).toBe(0.5);
  });

  const good = Buffer.from(wavFile(wave, { bits: 16 }));
  const edited = (edit: (b: Buffer) => void): Buffer => {
    const copy = Buffer.from(good);
    edit(copy);
    return copy;
  };
  test.each([
    ["no WAV", Buffer.from("hello, this is no sound"), /does not begin with RIFF/],
    ["ADPCM", edited((b) => b.writeUInt16LE(17, 20)), /IMA ADPCM/],
    ["12 bits", edited((b) => b.writeUInt16LE(12, 34)), /PCM of 12 bits/],
    ["no channels", edited((b) => b.writeUInt16LE(0, 22)), /0 channels/],
    ["a rate beyond sense", edited((b) => b.writeUInt32LE(0xffffffff, 24)), /4294967295 samples a second/],
    ["blocks of another size", edited((b) => b.writeUInt16LE(3, 32)), /blocks of 3 bytes/],
    ["samples before the format", edited((b) => b.write("data", 12)), /before it says their format/],
    ["cut before the samples", good.subarray(0, 50), /no data chunk/],
    ["cut at the samples", good.subarray(0, 56), /no samples/],
    ["a chunk longer than the file", edited((b) => b.writeUInt32LE(0xfffffff0, 40)), /no data chunk/],
    ["a number that is none", Buffer.from(wavFile([0, NaN], { bits: 32, tag: 3 })), /sample 1 is not a finite/],
  ])("%s is told", (_name, bytes, message) => {
    expect(() => parseWav(bytes, "a.wav")).toThrow(message);
  });

  test("any bytes give a sound or an error of ours", () => {
    const random = new Random(3);
    for (let i = 0; i < 3000; i++) {
      const bytes = edited((b) => {
        for (let k = 0; k < 3; k++) b[12 + random.int(b.length - 12)] = random.int(256);
      }).subarray(0, random.int(good.length + 1));
      try {
        expect(parseWav(bytes, "a.wav").samples.length).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        expect((error as { code?: string }).code).toMatch(/^E_DATA_/);
      }
    }
  });
});

describe("resampling", () => {
  test.each([
    [44100, 16000],
    [8000, 16000],
    [48000, 16000],
    [22050, 8000],
  ])("a tone of 1 kHz at %d samples a second is the same tone at %d", (from, to) => {
    const tone = (rate: number, n: number): number => Math.sin((2 * Math.PI * 1000 * n) / rate + 0.3);
    const samples = Float64Array.from({ length: from / 5 }, (_, n) => tone(from, n));
    const out = resample({ rate: from, samples }, to);
    expect(out.rate).toBe(to);
    expect(out.samples).toHaveLength(to / 5);
    // Away from the ends, whose neighbours are silence. A Hann window's side lobes lie 44 dB below and fall from there.
    for (let n = to / 50; n < to / 5 - to / 50; n++) {
      expect(Math.abs(out.samples[n]! - tone(to, n))).toBeLessThan(10 ** (-44 / 20));
    }
  });

  test("what the lower rate cannot hold is gone, a constant stays one", () => {
    const high = Float64Array.from({ length: 4800 }, (_, n) => Math.sin((2 * Math.PI * 11000 * n) / 48000));
    const { samples } = resample({ rate: 48000, samples: high }, 16000);
    for (let n = 200; n < 1400; n++) expect(Math.abs(samples[n]!)).toBeLessThan(10 ** (-44 / 20));
    const flat = resample({ rate: 11025, samples: new Float64Array(2000).fill(0.5) }, 16000).samples;
    for (let n = 200; n < 2600; n++) expect(flat[n]).toBeCloseTo(0.5, 12);
  });
});

/** Noise, and from `loud` on a square wave of 440 Hz besides: whole numbers decide it, so every language draws the same. */
function signal(length: number, rate: number, loud: number): Float64Array {
  let state = 12345;
  return Float64Array.from({ length }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const square = Math.floor((i * 880) / rate) % 2 === 0 ? 0.4 : -0.4;
    return 0.1 * (state / 2 ** 31 - 1) + (i > loud ? square : 0);
  });
}

describe("features", () => {
  const compute = (x: Float64Array, f: AudioFeatures): Float32Array => {
    const out = new Float32Array(featureShape(f).reduce((a, b) => a * b, 1));
    featureExtractor(f)(x, out);
    return out;
  };

  // Recorded from librosa 0.11.0 (stft with center=False, filters.mel, np.log(mel + 1e-6), feature.mfcc) in float64.
  const librosa = {
    htk: {
      logMel: [-1.1376374, 0.0060005, 0.7284963, 0.1183279, 1.0631573],
      mfcc: [10.3140575, -1.404581, -0.4192165, -1.0205009, -3.6236617, -5.2784251],
    },
    slaney: {
      logMel: [-5.263184, -5.2833615, -4.7631855, -5.1268068, -4.3963784],
      mfcc: [-13.806491, 1.0841349, 1.0212949, 1.8874114, -0.7688011, -4.3174129],
    },
  };
  test.each(["htk", "slaney"] as const)("librosa's log-mel and MFCC, %s", (scale) => {
    const f: AudioFeatures = {
      ...AUDIO_DEFAULTS,
      rate: 8000,
      seconds: 0.3,
      windowMs: 32,
      hopMs: 20,
      bands: 24,
      low: 50,
      high: 3800,
      coefficients: 6,
      power: 2,
      scale,
      slopes: "hz",
      norm: scale === "slaney" ? "area" : "none",
      dct: "ortho",
    };
    const x = signal(2400, 8000, 800);
    const logMel = compute(x, { ...f, kind: "log-mel" });
    expect(featureShape(f)).toEqual([14, 6, 1]);
    // Seven digits were recorded, and the result is rounded to f32: half a unit of 2^-23 of up to 16.
    const error = 0.5e-7 + 16 * 2 ** -24;
    librosa[scale].logMel.forEach((v, i) => expect(Math.abs(logMel[3 * 24 + 5 * i]! - v)).toBeLessThan(error));
    const mfcc = compute(x, { ...f, kind: "mfcc" });
    librosa[scale].mfcc.forEach((v, q) => expect(Math.abs(mfcc[7 * 6 + q]! - v)).toBeLessThan(error));
  });

  // Recorded from TensorFlow 2 (tf.signal, f32), as mlcommons/tiny's keyword_spotting/get_dataset.py computes them.
  const tensorflow = new Map([
    [0, [3.83575, -3.61908, 0.72584, 0.30073, 0.8367, -0.04666, 0.24473, -0.04459, 0.40196, -1.27553]],
    [20, [12.02481, -2.57584, 0.15413, -1.40386, -1.83919, -1.72871, -0.34407, 2.77962, 2.52248, 0.23914]],
  ]);
  test("the defaults are what MLPerf Tiny's keyword model was trained with", () => {
    expect(featureShape(AUDIO_DEFAULTS)).toEqual([49, 10, 1]);
    const mfcc = compute(signal(16000, 16000, 4000), AUDIO_DEFAULTS);
    for (const [frame, values] of tensorflow) {
      // TensorFlow computes in f32: a transform of 512 values, 257 weights, 40 logarithms; 5 digits were recorded.
      const error = 0.5e-5 + (9 + 257 + 40) * 2 ** -24 * 13;
      values.forEach((v, q) => expect(Math.abs(mfcc[frame * 10 + q]! - v)).toBeLessThan(error));
    }
  });

  test("scales turn back, bands cover what lies between them once", () => {
    for (const scale of ["htk", "slaney"] as const) {
      for (const hz of [0, 50, 999, 1000, 1001, 7999]) {
        expect(fromMel(toMel(hz, scale), scale)).toBeCloseTo(hz, 8);
      }
      const bands = melWeights({ ...AUDIO_DEFAULTS, scale }, 512);
      // Between the middles of the first and last band the slopes of neighbours add up to 1.
      const sums = new Float64Array(257);
      for (const { first, values } of bands) values.forEach((w, i) => (sums[first + i]! += w));
      for (let k = 3; k < 115; k++) expect(sums[k]).toBeCloseTo(1, 12);
    }
    // Published: 1000 mel are 1000 Hz in HTK's scale, 15 in Slaney's.
    expect(toMel(1000, "htk")).toBeCloseTo(999.9855, 3);
    expect(toMel(1000, "slaney")).toBe(15);
  });

  test("short clips end in silence, wave features are the samples", () => {
    const wave: AudioFeatures = { ...AUDIO_DEFAULTS, kind: "wave", rate: 4000, seconds: 0.001 };
    expect([...compute(Float64Array.of(0.5, -1), wave)]).toEqual([0.5, -1, 0, 0]);
    const silent = compute(new Float64Array(0), { ...AUDIO_DEFAULTS, kind: "log-mel" });
    expect(new Set(silent)).toEqual(new Set([Math.fround(Math.log(1e-6))]));
  });

  test.each([
    [{ rate: 100 }, /rate/],
    [{ seconds: 0 }, /seconds/],
    [{ windowMs: 0.01 }, /window/],
    [{ windowMs: 2000 }, /longer than the clip/],
    [{ hopMs: 0 }, /hop/],
    [{ bands: 0 }, /bands/],
    [{ high: 9000 }, /half of the rate/],
    [{ low: 5000 }, /low < high/],
    [{ coefficients: 41 }, /coefficients/],
    [{ floor: 0 }, /floor/],
  ])("%o is refused", (wrong, message) => {
    expect(() => featureExtractor({ ...AUDIO_DEFAULTS, ...wrong })).toThrow(
      expect.objectContaining({ code: "E_OPTION", message: expect.stringMatching(message) }),
    );
  });
});
