import { cosTurn, sinTurn } from "./exact.js";
import type { Sound } from "./wav.js";

/** Zero crossings of the filter on each side, and the share of the lower Nyquist frequency that it keeps. */
const CROSSINGS = 16;
const PASS = 0.92;

/** A filter for one ratio of rates: for each of `phases` places between two input samples, its taps. */
interface Filter {
  readonly step: number;
  readonly phases: number;
  /** Taps on each side of the place. */
  readonly reach: number;
  readonly taps: Float64Array;
}

const filters = new Map<string, Filter>();

/**
 * The sound at another rate, by a windowed sinc: y(n) = sum_k x(k) h(n r - k), r = from / to, where
 * h(t) = c sinc(c t) (1 + cos(pi c t / 16)) / 2 for |c t| < 16, with c = 0.92 min(1, to / from), and the taps of each
 * output are scaled to sum 1. Outside, the sound is silent. Source: Smith, "Digital Audio Resampling", CCRMA, 2002.
 */
export function resample({ rate, samples }: Sound, to: number): Sound {
  if (rate === to) return { rate, samples };
  const key = `${rate} ${to}`;
  let filter = filters.get(key);
  if (filter === undefined) {
    filter = filterFor(rate, to);
    filters.clear(); // one at a time: files of one set mostly share a rate
    filters.set(key, filter);
  }
  const { step, phases, reach, taps } = filter;
  const count = Math.ceil((samples.length * to) / rate);
  const out = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    const place = n * step; // in units of 1 / phases of an input sample
    const before = Math.floor(place / phases);
    const row = (place - before * phases) * 2 * reach;
    let sum = 0;
    for (let j = 0; j < 2 * reach; j++) {
      const k = before - reach + 1 + j;
      if (k >= 0 && k < samples.length) sum += samples[k]! * taps[row + j]!;
    }
    out[n] = sum;
  }
  return { rate: to, samples: out };
}

function filterFor(from: number, to: number): Filter {
  const shared = divisor(from, to);
  const phases = to / shared;
  const c = PASS * Math.min(1, to / from);
  const reach = Math.ceil(CROSSINGS / c);
  const taps = new Float64Array(phases * 2 * reach);
  for (let p = 0; p < phases; p++) {
    const row = taps.subarray(p * 2 * reach, (p + 1) * 2 * reach);
    let sum = 0;
    for (let j = 0; j < row.length; j++) {
      const t = c * (p / phases - (j - reach + 1));
      row[j] = Math.abs(t) < CROSSINGS ? sinc(t) * (1 + cosTurn(t / (2 * CROSSINGS))) : 0;
      sum += row[j]!;
    }
    for (let j = 0; j < row.length; j++) row[j]! /= sum;
  }
  return { step: from / shared, phases, reach, taps };
}

const sinc = (t: number): number => (t === 0 ? 1 : sinTurn(t / 2) / (Math.PI * t));

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
