// As much of the protocol buffer format as the test data needs: tensors, and names of a model's ports.

/** Fields of a message: [number, wire type, value]; values are numbers (varint, as BigInt) or views. */
export function* fields(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const b = bytes[at++];
      value |= BigInt(b & 0x7f) << shift;
      if (b < 0x80) return BigInt.asIntN(64, value);
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [number, wire] = [tag >> 3, tag & 7];
    if (wire === 0) yield [number, wire, varint()];
    else if (wire === 1) yield [number, wire, view.getFloat64((at += 8) - 8, true)];
    else if (wire === 5) yield [number, wire, view.getFloat32((at += 4) - 4, true)];
    else {
      const length = Number(varint());
      at += length;
      yield [number, wire, bytes.subarray(at - length, at)];
    }
  }
}

const text = (bytes) => new TextDecoder().decode(bytes);

function varints(bytes) {
  const list = [];
  for (let at = 0; at < bytes.length;) {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const b = bytes[at++];
      value |= BigInt(b & 0x7f) << shift;
      if (b < 0x80) break;
    }
    list.push(BigInt.asIntN(64, value));
  }
  return list;
}

/** Names of inputs, outputs and initialisers, and the operators of a model. */
export function describeModel(bytes) {
  const model = { inputs: [], outputs: [], constants: new Set(), operators: new Set() };
  for (const [number, , graph] of fields(bytes)) {
    if (number !== 7) continue;
    for (const [field, , body] of fields(graph)) {
      if (field === 11 || field === 12) {
        const name = [...fields(body)].find(([n]) => n === 1);
        (field === 11 ? model.inputs : model.outputs).push(text(name[2]));
      } else if (field === 5) {
        model.constants.add(text([...fields(body)].find(([n]) => n === 8)?.[2] ?? new Uint8Array()));
      } else if (field === 1) {
        const all = [...fields(body)];
        const domain = all.find(([n]) => n === 7);
        const op = text(all.find(([n]) => n === 4)[2]);
        model.operators.add(domain && domain[2].length > 0 ? `${text(domain[2])}.${op}` : op);
      }
    }
  }
  return model;
}

function half(h) {
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  const size =
    exponent === 31
      ? fraction === 0
        ? Infinity
        : NaN
      : exponent === 0
        ? fraction * 2 ** -24
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return h & 0x8000 ? -size : size;
}

function bfloat(h) {
  return new Float32Array(Uint32Array.of(h << 16).buffer)[0];
}

const FLOAT = 1;
const FLOAT16 = 10;
const DOUBLE = 11;
const BFLOAT16 = 16;
const DTYPES = { [FLOAT]: "f32", [FLOAT16]: "f32", [DOUBLE]: "f32", [BFLOAT16]: "f32" };
Object.assign(DTYPES, { 2: "u8", 3: "i8", 6: "i32", 7: "i64", 9: "bool" });

/** A tensor as the library takes and gives it; null where its element type is none of the library's. */
export function readTensor(bytes) {
  const dims = [];
  const lists = new Map();
  let type = 0;
  let raw = null;
  for (const [number, wire, value] of fields(bytes)) {
    if (number === 1) dims.push(...(wire === 2 ? varints(value) : [value]));
    else if (number === 2) type = Number(value);
    else if (number === 9) raw = new Uint8Array(value);
    else if (number === 4 || number === 10) {
      const width = number === 4 ? Float32Array : Float64Array;
      const list = wire === 2 ? [...new width(new Uint8Array(value).buffer)] : [value];
      lists.set(number, [...(lists.get(number) ?? []), ...list]);
    } else if (number === 5 || number === 7) {
      lists.set(number, [...(lists.get(number) ?? []), ...(wire === 2 ? varints(value) : [value])]);
    }
  }
  const shape = dims.map(Number);
  const dtype = DTYPES[type];
  if (!dtype) return null;
  const ints = () => (lists.get(5) ?? []).map(Number);
  const wide = (array) => (raw ? new array(raw.buffer) : null);
  const data = {
    [FLOAT]: () => wide(Float32Array) ?? Float32Array.from(lists.get(4) ?? []),
    [DOUBLE]: () => Float32Array.from(wide(Float64Array) ?? lists.get(10) ?? []),
    [FLOAT16]: () => Float32Array.from(wide(Uint16Array) ?? ints(), half),
    [BFLOAT16]: () => Float32Array.from(wide(Uint16Array) ?? ints(), bfloat),
    2: () => raw ?? Uint8Array.from(ints()),
    9: () => raw ?? Uint8Array.from(ints()),
    3: () => wide(Int8Array) ?? Int8Array.from(ints()),
    6: () => wide(Int32Array) ?? Int32Array.from(ints()),
    7: () => wide(BigInt64Array) ?? BigInt64Array.from(lists.get(7) ?? []),
  }[type]();
  return { data, shape, dtype, type };
}

function varint(n) {
  const out = [];
  for (; n >= 0x80; n = Math.floor(n / 128)) out.push((n & 0x7f) | 0x80);
  out.push(n);
  return Uint8Array.from(out);
}

function concat(...parts) {
  return Uint8Array.from(parts.flatMap((p) => [...p]));
}

/** The model with some inputs given as constants: messages merge, so that a second graph with initialisers is enough. */
export function withConstants(model, constants) {
  const tensors = constants.map(([name, bytes]) => {
    const named = new TextEncoder().encode(name);
    const own = concat(bytes, Uint8Array.of(8 * 8 + 2), varint(named.length), named);
    return concat(Uint8Array.of(5 * 8 + 2), varint(own.length), own);
  });
  const graph = concat(...tensors);
  return concat(model, Uint8Array.of(7 * 8 + 2), varint(graph.length), graph);
}
