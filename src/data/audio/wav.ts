import { IdapError } from "../../model/errors.js";

/** One channel of samples in -1..1. */
export interface Sound {
  readonly rate: number;
  readonly samples: Float64Array;
}

/** Sampling rates that are read; outside of them a header is taken for damaged. */
export const RATES = { min: 4000, max: 192000 } as const;

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const TAGS: Readonly<Record<number, string>> = { 2: "MS ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 85: "MP3" };

interface WavFormat {
  readonly tag: number;
  readonly channels: number;
  readonly rate: number;
  readonly blockBytes: number;
  readonly bits: number;
}

/** Reads one sample at a byte offset, in -1..1. */
type SampleReader = (view: DataView, at: number) => number;

const READERS: Readonly<Record<string, SampleReader>> = {
  "1/8": (v, at) => (v.getUint8(at) - 128) / 128,
  "1/16": (v, at) => v.getInt16(at, true) / 32768,
  "1/24": (v, at) => (v.getUint8(at) | (v.getUint8(at + 1) << 8) | (v.getInt8(at + 2) << 16)) / 8388608,
  "1/32": (v, at) => v.getInt32(at, true) / 2147483648,
  "3/32": (v, at) => v.getFloat32(at, true),
  "3/64": (v, at) => v.getFloat64(at, true),
};

/**
 * Reads a WAV file (RIFF; PCM of 8, 16, 24 or 32 bits, float of 32 or 64): the mean of its channels, at most the first
 * `seconds`. A data chunk whose length was never filled in (0 or all ones, as streaming writers leave it) reaches to the
 * end of the file, and so does one that promises more than there is.
 * Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991; WAVE_FORMAT_EXTENSIBLE.
 */
export function parseWav(bytes: Uint8Array, file: string, seconds = Infinity): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tagAt = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tagAt(0) !== "RIFF" || tagAt(8) !== "WAVE") {
    throw new IdapError("E_DATA_FORMAT", `${file} is no WAV file: it does not begin with RIFF and WAVE`);
  }
  let format: WavFormat | null = null;
  for (let at = 12; at + 8 <= bytes.length;) {
    const start = at + 8;
    const length = view.getUint32(at + 4, true);
    if (tagAt(at) === "fmt ") format = readFormat(view, start, Math.min(length, bytes.length - start), file);
    if (tagAt(at) === "data") {
      if (format === null) throw new IdapError("E_DATA_FORMAT", `${file} has samples before it says their format`);
      const left = bytes.length - start;
      return mix(view, start, length === 0 || length > left ? left : length, format, seconds, file);
    }
    at = start + length + (length & 1);
  }
  throw new IdapError(
    "E_DATA_TRUNCATED",
    `${file} ends before its samples: it has no data chunk`,
    "The file is probably cut off: fetch it again.",
  );
}

function readFormat(view: DataView, at: number, length: number, file: string): WavFormat {
  if (length < 16) throw new IdapError("E_DATA_TRUNCATED", `${file} has a format chunk of ${length} bytes, not 16`);
  const outer = view.getUint16(at, true);
  const format: WavFormat = {
    // The extensible form holds the real tag at the beginning of a GUID.
    tag: outer === EXTENSIBLE && length >= 26 ? view.getUint16(at + 24, true) : outer,
    channels: view.getUint16(at + 2, true),
    rate: view.getUint32(at + 4, true),
    blockBytes: view.getUint16(at + 12, true),
    bits: view.getUint16(at + 14, true),
  };
  const { tag, channels, rate, blockBytes, bits } = format;
  if (READERS[`${tag}/${bits}`] === undefined) {
    const kind = tag === PCM ? "PCM" : tag === FLOAT ? "float" : (TAGS[tag] ?? `format ${tag}`);
    throw new IdapError(
      "E_DATA_FORMAT",
      `${file} holds ${kind} of ${bits} bits; PCM of 8, 16, 24 or 32 bits and float of 32 or 64 are read`,
      "Convert it, for example with: ffmpeg -i in.wav -c:a pcm_s16le out.wav",
    );
  }
  if (channels === 0 || blockBytes !== (channels * bits) / 8) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `${file} has ${channels} channels of ${bits} bits in blocks of ${blockBytes} bytes`,
    );
  }
  if (rate < RATES.min || rate > RATES.max) {
    throw new IdapError("E_DATA_FORMAT", `${file} has ${rate} samples a second; ${RATES.min} to ${RATES.max} are read`);
  }
  return format;
}

function mix(view: DataView, start: number, bytes: number, f: WavFormat, seconds: number, file: string): Sound {
  const count = Math.min(Math.floor(bytes / f.blockBytes), Math.ceil(seconds * f.rate));
  if (count === 0)
    throw new IdapError("E_DATA_TRUNCATED", `${file} holds no samples`, "Remove the file, or record again.");
  const read = READERS[`${f.tag}/${f.bits}`]!;
  const samples = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let c = 0; c < f.channels; c++) sum += read(view, start + i * f.blockBytes + (c * f.bits) / 8);
    if (!Number.isFinite(sum)) {
      throw new IdapError("E_DATA_FORMAT", `${file}: sample ${i} is not a finite number`);
    }
    samples[i] = sum / f.channels;
  }
  return { rate: f.rate, samples };
}
