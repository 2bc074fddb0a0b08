import { IdapError } from "../../model/errors.js";
import { cosTurn, exp, ln } from "./exact.js";
import { powerSpectrum } from "./spectrum.js";
import { RATES } from "./wav.js";

/** What a clip becomes. Every number has the value that MLPerf Tiny's keyword model was trained with as its default. */
export interface AudioFeatures {
  /** `mfcc` [frames, coefficients, 1], `log-mel` [frames, bands, 1], or the samples themselves, `wave` [samples, 1]. */
  readonly kind: "mfcc" | "log-mel" | "wave";
  /** Samples a second; clips of another rate are resampled. */
  readonly rate: number;
  /** Length of a clip: longer ones are cut, shorter ones end in silence. */
  readonly seconds: number;
  readonly windowMs: number;
  readonly hopMs: number;
  /** Mel bands, and the frequencies in Hz where the first begins and the last ends (0 for `high`: half the rate). */
  readonly bands: number;
  readonly low: number;
  readonly high: number;
  readonly coefficients: number;
  /** What is summed in a band: the magnitude of the spectrum (1) or its power (2). */
  readonly power: 1 | 2;
  /** How frequencies become mel. */
  readonly scale: "htk" | "slaney";
  /** Whether the bands' slopes are straight over mel (as in TensorFlow) or over Hz (as in librosa). */
  readonly slopes: "mel" | "hz";
  /** `area`: each band is divided by half its width in Hz, so that all have the same area (Slaney). */
  readonly norm: "none" | "area";
  /** Added before the logarithm. */
  readonly floor: number;
  /** `htk`: every coefficient times sqrt(2 / bands); `ortho`: the first times sqrt(1 / bands), an orthonormal transform. */
  readonly dct: "htk" | "ortho";
}

export const AUDIO_DEFAULTS: AudioFeatures = {
  kind: "mfcc",
  rate: 16000,
  seconds: 1,
  windowMs: 30,
  hopMs: 20,
  bands: 40,
  low: 20,
  high: 4000,
  coefficients: 10,
  power: 1,
  scale: "htk",
  slopes: "mel",
  norm: "none",
  floor: 1e-6,
  dct: "htk",
};

/** Sizes that follow from the options. */
interface Frames {
  readonly samples: number;
  readonly window: number;
  readonly hop: number;
  readonly fft: number;
  readonly count: number;
}

function framesOf(f: AudioFeatures): Frames {
  const samples = Math.round(f.rate * f.seconds);
  const window = Math.round((f.rate * f.windowMs) / 1000);
  const hop = Math.round((f.rate * f.hopMs) / 1000);
  let fft = 2;
  while (fft < window) fft *= 2;
  return { samples, window, hop, fft, count: 1 + Math.floor((samples - window) / hop) };
}

/** Shape of one sample. */
export function featureShape(f: AudioFeatures): number[] {
  const { samples, count } = framesOf(f);
  if (f.kind === "wave") return [samples, 1];
  return [count, f.kind === "mfcc" ? f.coefficients : f.bands, 1];
}

/** Throws E_OPTION when the options contradict each other. */
export function checkFeatures(f: AudioFeatures): void {
  const check = (ok: boolean, need: string): void => {
    if (!ok) throw new IdapError("E_OPTION", `audio features: ${need}`);
  };
  check(
    Number.isInteger(f.rate) && f.rate >= RATES.min && f.rate <= RATES.max,
    `rate must be a whole number from ${RATES.min} to ${RATES.max}, got ${f.rate}`,
  );
  check(f.seconds > 0 && f.seconds <= 600, `seconds must be above 0 and at most 600, got ${f.seconds}`);
  if (f.kind === "wave") return;
  const { samples, window, hop } = framesOf(f);
  check(window >= 2 && window <= 2 ** 16, `a window of ${f.windowMs} ms is ${window} samples; 2 to 65536 are possible`);
  check(hop >= 1, `a hop of ${f.hopMs} ms is less than a sample`);
  check(window <= samples, `the window of ${f.windowMs} ms is longer than the clip of ${f.seconds} s`);
  check(Number.isInteger(f.bands) && f.bands >= 1 && f.bands <= 1024, `bands must be 1 to 1024, got ${f.bands}`);
  const high = topOf(f);
  check(
    f.low >= 0 && f.low < high && high <= f.rate / 2,
    `bands need 0 <= low < high <= ${f.rate / 2} Hz, half of the rate, got ${f.low} and ${high}`,
  );
  check(
    Number.isInteger(f.coefficients) && f.coefficients >= 1 && (f.kind !== "mfcc" || f.coefficients <= f.bands),
    `coefficients must be 1 to ${f.bands}, the bands, got ${f.coefficients}`,
  );
  check(f.floor > 0 && f.floor < 1, `floor must be between 0 and 1, got ${f.floor}`);
}

const topOf = (f: AudioFeatures): number => (f.high === 0 ? f.rate / 2 : f.high);

/**
 * Computes the features of clips at the options' rate. For frame t, which begins at sample t hop and is multiplied by the
 * periodic Hann window w(n) = (1 - cos(2 pi n / window)) / 2, with the spectrum X of length fft (the next power of two):
 *
 *   mel(t, b) = sum_k |X(t, k)|^power W(k, b),   log-mel(t, b) = ln(mel(t, b) + floor),
 *   mfcc(t, q) = s(q) sum_b log-mel(t, b) cos(pi q (b + 1/2) / bands),   s = sqrt(2 / bands).
 *
 * Sources: Davis and Mermelstein 1980 (the method); Young et al., The HTK Book, 3.4, 5.4 and 5.6 (scale, DCT); Slaney,
 * Auditory Toolbox, 1998 (the other scale and norm). No frame reaches over the end of the clip.
 */
export function featureExtractor(f: AudioFeatures): (samples: Float64Array, out: Float32Array) => void {
  checkFeatures(f);
  const { samples: length, window, hop, fft, count } = framesOf(f);
  if (f.kind === "wave") {
    return (samples, out) => {
      for (let i = 0; i < length; i++) out[i] = samples[i] ?? 0;
    };
  }
  const hann = Float64Array.from({ length: window }, (_, n) => 0.5 - 0.5 * cosTurn(n / window));
  const weights = melWeights(f, fft);
  const spectrum = powerSpectrum(fft);
  const frame = new Float64Array(fft);
  const mel = new Float64Array(f.bands);
  const transform = f.kind === "mfcc" ? cosines(f) : null;
  return (samples, out) => {
    for (let t = 0; t < count; t++) {
      for (let n = 0; n < window; n++) frame[n] = (samples[t * hop + n] ?? 0) * hann[n]!;
      const power = spectrum(frame);
      if (f.power === 1) for (let k = 0; k < power.length; k++) power[k] = Math.sqrt(power[k]!);
      for (let b = 0; b < f.bands; b++) {
        const { first, values } = weights[b]!;
        let sum = 0;
        for (let i = 0; i < values.length; i++) sum += power[first + i]! * values[i]!;
        mel[b] = ln(sum + f.floor);
      }
      if (transform === null) {
        out.set(mel, t * f.bands);
        continue;
      }
      for (let q = 0; q < f.coefficients; q++) {
        let sum = 0;
        for (let b = 0; b < f.bands; b++) sum += mel[b]! * transform[q * f.bands + b]!;
        out[t * f.coefficients + q] = sum;
      }
    }
  };
}

/** Rows of the discrete cosine transform, type II, scaled. */
function cosines(f: AudioFeatures): Float64Array {
  const table = new Float64Array(f.coefficients * f.bands);
  for (let q = 0; q < f.coefficients; q++) {
    const scale = Math.sqrt((f.dct === "ortho" && q === 0 ? 1 : 2) / f.bands);
    for (let b = 0; b < f.bands; b++) table[q * f.bands + b] = scale * cosTurn((q * (b + 0.5)) / (2 * f.bands));
  }
  return table;
}

/** Weights of one band over the spectrum's bins, from bin `first` on. */
export interface Band {
  readonly first: number;
  readonly values: Float64Array;
}

/**
 * Triangles over `bands + 2` points that are evenly spaced in mel: 0 at one point, 1 at the next, 0 at the one after.
 * The mean (bin 0) belongs to no band.
 */
export function melWeights(f: AudioFeatures, fft: number): Band[] {
  const top = topOf(f);
  const from = toMel(f.low, f.scale);
  const step = (toMel(top, f.scale) - from) / (f.bands + 1);
  const edge = (i: number): number => (i === f.bands + 1 ? top : fromMel(from + i * step, f.scale));
  const place = f.slopes === "mel" ? (hz: number) => toMel(hz, f.scale) : (hz: number) => hz;
  const bins = fft / 2;
  return Array.from({ length: f.bands }, (_, b) => {
    const [low, middle, high] =
      f.slopes === "mel" ? [0, 1, 2].map((i) => from + (b + i) * step) : [0, 1, 2].map((i) => edge(b + i));
    const width = f.norm === "area" ? (edge(b + 2) - edge(b)) / 2 : 1;
    const all = Float64Array.from({ length: bins + 1 }, (_, k) => {
      if (k === 0) return 0;
      const x = place((k * f.rate) / fft);
      return Math.max(0, Math.min((x - low!) / (middle! - low!), (high! - x) / (high! - middle!))) / width;
    });
    const first = all.findIndex((w) => w > 0);
    if (first < 0) return { first: 0, values: new Float64Array(0) };
    let last = bins;
    while (all[last] === 0) last--;
    return { first, values: all.slice(first, last + 1) };
  });
}

/** Slaney's scale: 3 mel for 200 Hz up to 1 kHz, from there 27 mel for each factor of 6.4. */
const KNEE = { hz: 1000, mel: 15, perLn: 27 / 1.8562979903656263 };
const LN10 = 2.302585092994046;

/** Frequency in Hz to mel: HTK 2595 log10(1 + f / 700), or Slaney's straight line and logarithm. */
export function toMel(hz: number, scale: AudioFeatures["scale"]): number {
  if (scale === "htk") return (2595 / LN10) * ln(1 + hz / 700);
  return hz < KNEE.hz ? (3 * hz) / 200 : KNEE.mel + KNEE.perLn * ln(hz / KNEE.hz);
}

export function fromMel(mel: number, scale: AudioFeatures["scale"]): number {
  if (scale === "htk") return 700 * (exp((mel * LN10) / 2595) - 1);
  return mel < KNEE.mel ? (200 * mel) / 3 : KNEE.hz * exp((mel - KNEE.mel) / KNEE.perLn);
}
