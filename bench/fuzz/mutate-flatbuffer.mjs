// Damages TFLite files at their offsets, lengths and fields.

/** Fields of tables by id: a table, a list of tables, lists of numbers, or plain numbers. Enough of the TFLite schema. */
const schema = {
  Model: { 0: "u32", 1: ["OperatorCode"], 2: ["SubGraph"], 4: ["Buffer"] },
  OperatorCode: { 0: "u8", 2: "u32", 3: "u32" },
  SubGraph: { 0: ["Tensor"], 1: "ints", 2: "ints", 3: ["Operator"], 4: "bytes" },
  Tensor: { 0: "ints", 1: "u8", 2: "u32", 3: "bytes", 4: "Quantisation", 5: "u8", 7: "ints" },
  Quantisation: { 2: "ints", 3: "longs", 6: "u32" },
  Operator: { 0: "u32", 1: "ints", 2: "ints", 3: "u8", 4: "Options", 5: "bytes" },
  Options: { 0: "u32", 1: "u32", 2: "u32", 3: "u32", 4: "u32", 5: "u32" },
  Buffer: { 0: "bytes" },
};

/** Places in the file: where, what is there, and of which table. */
function spotsOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const spots = [];
  const table = (kind, at) => {
    const vtable = at - view.getInt32(at, true);
    spots.push({ at, kind: "to vtable", of: kind }, { at: vtable, kind: "vtable size", of: kind });
    const entries = (view.getUint16(vtable, true) - 4) >> 1;
    for (const [id, type] of Object.entries(schema[kind])) {
      if (Number(id) >= entries) continue;
      const entry = vtable + 4 + 2 * Number(id);
      const offset = view.getUint16(entry, true);
      spots.push({ at: entry, kind: "vtable entry", of: kind });
      if (offset !== 0) field(type, at + offset, `${kind}.${id}`);
    }
  };
  const field = (type, at, of) => {
    if (type === "u8" || type === "u32") return void spots.push({ at, kind: type, of });
    spots.push({ at, kind: "offset", of });
    const target = at + view.getUint32(at, true);
    if (typeof type === "string" && schema[type]) return table(type, target);
    spots.push({ at: target, kind: "length", of });
    const length = Math.min(view.getUint32(target, true), 2000);
    if (type === "ints") for (let i = 0; i < length; i++) spots.push({ at: target + 4 + 4 * i, kind: "int", of });
    if (!Array.isArray(type)) return;
    for (let i = 0; i < length; i++) {
      const item = target + 4 + 4 * i;
      spots.push({ at: item, kind: "offset", of });
      table(type[0], item + view.getUint32(item, true));
    }
  };
  spots.push({ at: 0, kind: "offset", of: "file" });
  table("Model", view.getUint32(0, true));
  return spots;
}

const WORDS = [0, 1, 2, 3, 4, 127, 255, 65536, 1 << 20, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** Returns the damaged bytes and what was done. */
export function damageFlatbuffer(source, dice) {
  const bytes = new Uint8Array(source);
  const spots = spotsOf(bytes);
  const view = new DataView(bytes.buffer);
  const size = bytes.length;
  // Each kind alike, so that the many numbers do not hide the few offsets.
  const kind = dice.pick([...new Set(spots.map((s) => s.kind))]);
  const alike = spots.filter((s) => s.kind === kind);
  const of = dice.pick([...new Set(alike.map((s) => s.of))]);
  const spot = dice.pick(alike.filter((s) => s.of === of));
  const { at } = spot;
  const told = (value) => ({ bytes, what: `${kind} of ${of} is ${value}` });
  switch (kind) {
    case "offset": {
      // Elsewhere: the same kind of thing, anything, itself, the file's start (offsets count modulo 2^32).
      const target = dice.pick([
        () => dice.pick(alike).at,
        () => dice.pick(spots).at,
        () => at,
        () => 0,
        () => size - dice.below(8),
        () => dice.pick([0x7fffffff, 0xffffffff]),
      ])();
      view.setUint32(at, (target - at) >>> 0, true);
      return told(`to ${target}`);
    }
    case "vtable size":
    case "vtable entry": {
      const value = dice.pick([0, 1, 2, 4, 6, 8, 255, 0x7fff, 0x8000, 0xffff]);
      view.setUint16(at, value, true);
      return told(value);
    }
    case "to vtable": {
      const value = dice.pick([...WORDS, at, at - dice.pick(spots).at]) >>> 0;
      view.setUint32(at, value, true);
      return told(value);
    }
    case "u8": {
      bytes[at] = dice.chance(0.7) ? dice.below(32) : dice.below(256);
      return told(bytes[at]);
    }
    case "length": {
      const value =
        dice.pick([...WORDS, view.getUint32(at, true) * 2, view.getUint32(at, true) + 1, size, size >> 2]) >>> 0;
      view.setUint32(at, value, true);
      return told(value);
    }
    default: {
      // Small numbers are other tensors, buffers, operators, axes: circles among them.
      const value = dice.chance(0.6) ? dice.below(12) - 1 : dice.pick(WORDS);
      view.setUint32(at, value >>> 0, true);
      return told(value);
    }
  }
}
