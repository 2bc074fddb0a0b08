// Damages model files: bytes, and the structure of each format. The same format and number give the same damage.
import { unzipSync, zipSync } from "fflate";
import { damageFlatbuffer } from "./mutate-flatbuffer.mjs";
import { damageHdf5 } from "./mutate-hdf5.mjs";
import { damageJson } from "./mutate-json.mjs";
import { damageProtobuf } from "./mutate-protobuf.mjs";
import { damageZip } from "./mutate-zip.mjs";

/** Repeatable random numbers (a multiplicative hash of a counter, after Steele's SplitMix). */
export class Dice {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  next() {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to n - 1. */
  below(n) {
    return Math.floor(this.next() * n);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  chance(share) {
    return this.next() < share;
  }
}

/** Numbers at the edges of what formats can state. */
const EXTREMES = [0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 1 << 20, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

const byteDamages = {
  "bit flipped": (bytes, dice) => changed(bytes, (b) => void (b[dice.below(b.length)] ^= 1 << dice.below(8))),
  "byte set": (bytes, dice) =>
    changed(bytes, (b) => void (b[dice.below(b.length)] = dice.pick([0, 1, 0x7f, 0x80, 0xff]))),
  "word set": (bytes, dice) =>
    changed(bytes, (b, view) => {
      const at = dice.below(b.length) & (dice.chance(0.7) ? ~3 : ~0);
      if (at + 4 <= b.length) view.setUint32(at, dice.pick(EXTREMES), true);
    }),
  "two words set": (bytes, dice) =>
    changed(bytes, (b, view) => {
      const at = dice.below(b.length) & (dice.chance(0.7) ? ~7 : ~0);
      const value = dice.pick([
        0n,
        1n,
        1n << 31n,
        1n << 32n,
        1n << 53n,
        (1n << 63n) - 1n,
        -1n,
        BigInt(b.length),
        BigInt(at),
      ]);
      if (at + 8 <= b.length) view.setBigInt64(at, value, true);
    }),
  "piece moved": (bytes, dice) =>
    changed(bytes, (b) => {
      const from = dice.below(b.length);
      b.copyWithin(dice.below(b.length), from, from + dice.below(64));
    }),
  "piece zeroed": (bytes, dice) =>
    changed(bytes, (b) => {
      const at = dice.below(b.length);
      b.fill(0, at, at + dice.below(64));
    }),
  "piece cut out": (bytes, dice) => {
    const at = dice.below(bytes.length);
    return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + dice.below(32)));
  },
  "piece put in": (bytes, dice) => {
    const at = dice.below(bytes.length);
    const from = dice.below(bytes.length);
    return joined(bytes.subarray(0, at), bytes.subarray(from, from + 1 + dice.below(64)), bytes.subarray(at));
  },
  truncated: (bytes, dice) => bytes.slice(0, dice.below(bytes.length)),
  "end repeated": (bytes, dice) => joined(bytes, bytes.subarray(dice.below(bytes.length))),
};

function changed(bytes, change) {
  if (bytes.length === 0) return bytes;
  const copy = new Uint8Array(bytes);
  change(copy, new DataView(copy.buffer));
  return copy;
}

export function joined(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Damages bytes that no structure is known of. Returns the bytes and what was done. */
export function damageBytes(bytes, dice) {
  const what = dice.pick(Object.keys(byteDamages));
  return { bytes: byteDamages[what](bytes, dice), what };
}

/** Applies a damage that knows the structure; where that cannot be made out any more, bytes are damaged. */
function structured(damage, bytes, dice) {
  try {
    return damage(bytes, dice) ?? damageBytes(bytes, dice);
  } catch {
    // An earlier damage has hidden the structure.
    return damageBytes(bytes, dice);
  }
}

const damageOf = {
  onnx: (files, main, dice) => damageMain(files, main, dice, damageProtobuf),
  tflite: (files, main, dice) => damageMain(files, main, dice, damageFlatbuffer),
  "tfjs-layers": (files, main, dice) => damageTfjs(files, main, dice),
  "tfjs-graph": (files, main, dice) => damageTfjs(files, main, dice),
  h5: (files, main, dice) => damageMain(files, main, dice, damageHdf5),
  keras: (files, main, dice) => damageMain(files, main, dice, damageKeras),
};

export const FORMATS = Object.keys(damageOf);

function damageMain(files, main, dice, damage) {
  const others = [...files.keys()].filter((f) => f !== main);
  if (others.length > 0 && dice.chance(0.2)) return damageSibling(files, dice.pick(others), dice);
  const { bytes, what } = dice.chance(0.35)
    ? damageBytes(files.get(main), dice)
    : structured(damage, files.get(main), dice);
  return { files: new Map([...files, [main, bytes]]), what };
}

function damageTfjs(files, main, dice) {
  const shards = [...files.keys()].filter((f) => f !== main);
  if (shards.length > 0 && dice.chance(0.15)) return damageSibling(files, dice.pick(shards), dice);
  const { bytes, what } = dice.chance(0.15)
    ? damageBytes(files.get(main), dice)
    : structured(damageJson, files.get(main), dice);
  return { files: new Map([...files, [main, bytes]]), what };
}

/** Weights beside a model: missing, short, long, or of other content. */
function damageSibling(files, name, dice) {
  const bytes = files.get(name);
  const kind = dice.below(4);
  const rest = new Map([...files].filter(([file]) => file !== name));
  if (kind === 0) return { files: rest, what: `${name} missing` };
  if (kind === 1) return { files: rest.set(name, bytes.slice(0, dice.below(bytes.length + 1))), what: `${name} short` };
  if (kind === 2) return { files: rest.set(name, joined(bytes, bytes.subarray(0, 5))), what: `${name} long` };
  const damaged = damageBytes(bytes, dice);
  return { files: rest.set(name, damaged.bytes), what: `${name}: ${damaged.what}` };
}

/** The archive itself, or a file in it, packed again. */
function damageKeras(bytes, dice) {
  if (dice.chance(0.3)) return damageZip(bytes, dice);
  const parts = unzipSync(bytes);
  const names = Object.keys(parts);
  const name = dice.chance(0.1) ? dice.pick(names) : dice.pick(["config.json", "model.weights.h5"]);
  const kind = dice.below(20);
  let what = "dropped";
  if (kind === 0) delete parts[name];
  else {
    const inner = structured(name.endsWith(".json") ? damageJson : damageHdf5, parts[name], dice);
    parts[name] = inner.bytes;
    what = inner.what;
  }
  return { bytes: zipSync(parts, { level: dice.pick([0, 1]), mtime: new Date(2000, 1, 1) }), what: `${name}: ${what}` };
}

/**
 * The case of this number: a seed of the format with one to three damages. Small seeds come more often, since they are
 * read in less time.
 *
 * @param seeds { name, main, files: Map of bytes by name } of one format
 */
export function mutant(format, seeds, number) {
  const dice = new Dice(number * FORMATS.length + FORMATS.indexOf(format));
  const large = seeds.filter((s) => sizeOf(s) > 100_000);
  const small = seeds.filter((s) => !large.includes(s));
  const seed = dice.pick(large.length > 0 && (small.length === 0 || dice.chance(0.02)) ? large : small);
  const damages = [];
  let { files } = seed;
  for (let n = dice.pick([1, 1, 1, 2, 3]); n > 0; n--) {
    const step = damageOf[format](files, seed.main, dice);
    files = step.files;
    damages.push(step.what);
  }
  return { files, main: seed.main, description: `${seed.name}: ${damages.join("; ")}` };
}

function sizeOf({ files }) {
  return [...files.values()].reduce((n, b) => n + b.length, 0);
}
