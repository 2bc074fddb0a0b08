// Damages HDF5 files at their addresses and sizes, and the model's configuration inside them.
import { damageValue } from "./mutate-json.mjs";

const SIGNATURES = ["TREE", "SNOD", "HEAP", "GCOL", "OHDR", "OCHK", "FRHP", "FHDB", "BTHD", "BTLF", "FADB", "EADB"];

/** Where the structures with a signature begin. */
function structuresOf(bytes) {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const found = [];
  for (const signature of SIGNATURES) {
    for (let at = text.indexOf(signature); at >= 0; at = text.indexOf(signature, at + 1)) found.push(at);
  }
  return found.sort((a, b) => a - b);
}

/** Words that look like addresses: aligned, inside the file, not small. */
function addressesOf(view, size) {
  const out = [];
  for (let at = 0; at + 8 <= Math.min(size, 1 << 18); at += 8) {
    const value = view.getBigUint64(at, true);
    if (value >= 48n && value < BigInt(size) && value % 8n === 0n) out.push(at);
  }
  return out;
}

/** The range of the model's configuration, an attribute's text. */
function configOf(bytes) {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const begin = text.indexOf('{"class_name"');
  if (begin < 0) return null;
  let depth = 0;
  for (let at = begin; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return { begin, text: text.slice(begin, at + 1) };
  }
  return null;
}

/** Returns the damaged bytes and what was done. */
export function damageHdf5(source, dice) {
  const bytes = new Uint8Array(source);
  const view = new DataView(bytes.buffer);
  const config = configOf(bytes);
  if (config && dice.chance(0.4)) {
    const json = JSON.parse(config.text);
    const { what, raw } = damageValue(json, dice);
    const text = JSON.stringify(json);
    // Files state the text's length: what is shorter is filled with blanks.
    if (raw === undefined && text.length <= config.text.length) {
      bytes.set(Buffer.from(text.padEnd(config.text.length), "latin1"), config.begin);
      return { bytes, what: `configuration: ${what}` };
    }
  }
  const structures = structuresOf(bytes);
  const addresses = addressesOf(view, bytes.length);
  if (structures.length === 0 || addresses.length === 0) return null;
  if (dice.chance(0.5)) {
    const at = dice.pick(addresses);
    const target = dice.pick([
      () => dice.pick(structures),
      () => Number(view.getBigUint64(dice.pick(addresses), true)),
      () => at & ~7,
      () => bytes.length - 8,
      () => 0,
      () => 2 ** 40,
    ])();
    view.setBigUint64(at, BigInt(target), true);
    return { bytes, what: `address at ${at} is ${target}` };
  }
  const structure = dice.pick(structures);
  const at = structure + 4 + dice.below(60);
  const width = dice.pick([1, 2, 4, 8]);
  if (at + 8 > bytes.length) return null;
  const value = dice.pick([
    0n,
    1n,
    2n,
    3n,
    255n,
    65535n,
    1n << 20n,
    (1n << 31n) - 1n,
    (1n << 32n) - 1n,
    (1n << 64n) - 1n,
    BigInt(structure),
  ]);
  for (let i = 0; i < width; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
  return { bytes, what: `${width} bytes at ${at} are ${value}` };
}
