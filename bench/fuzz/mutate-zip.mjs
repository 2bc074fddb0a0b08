// Damages zip archives at their sizes, offsets, counts and methods.

/** Fields after a signature: offset, width. */
const records = {
  0x04034b50: [
    [4, 2],
    [6, 2],
    [8, 2],
    [14, 4],
    [18, 4],
    [22, 4],
    [26, 2],
    [28, 2],
  ],
  0x02014b50: [
    [8, 2],
    [10, 2],
    [16, 4],
    [20, 4],
    [24, 4],
    [28, 2],
    [30, 2],
    [32, 2],
    [42, 4],
  ],
  0x06054b50: [
    [4, 2],
    [8, 2],
    [10, 2],
    [12, 4],
    [16, 4],
    [20, 2],
  ],
};

/** Returns the damaged bytes and what was done. */
export function damageZip(source, dice) {
  const bytes = new Uint8Array(source);
  const view = new DataView(bytes.buffer);
  const fields = [];
  for (let at = 0; at + 22 <= bytes.length; at++) {
    if (bytes[at] !== 0x50 || bytes[at + 1] !== 0x4b) continue;
    for (const [offset, width] of records[view.getUint32(at, true)] ?? []) fields.push([at + offset, width]);
  }
  if (fields.length === 0) return null;
  const [at, width] = dice.pick(fields);
  const value = dice.pick([
    0,
    1,
    8,
    9,
    99,
    0xffff,
    1 << 20,
    0x7fffffff,
    0xfffffffe,
    0xffffffff,
    bytes.length,
    dice.pick(fields)[0],
  ]);
  if (width === 2) view.setUint16(at, value & 0xffff, true);
  else view.setUint32(at, value >>> 0, true);
  return { bytes, what: `zip field at ${at} is ${value}` };
}
