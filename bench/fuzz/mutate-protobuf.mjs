// Damages ONNX files field by field.

/** Messages inside messages, by field number: enough of onnx.proto to find the fields. */
const messages = {
  Model: { 7: "Graph", 8: "Opset", 14: "Entry", 25: "Function" },
  Function: { 7: "Node", 9: "Opset" },
  Graph: { 1: "Node", 5: "Tensor", 11: "Value", 12: "Value", 13: "Value", 14: "Annotation", 15: "Sparse" },
  Node: { 5: "Attribute" },
  Attribute: { 5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph" },
  Tensor: { 13: "Entry" },
  Value: { 2: "Type" },
  Type: { 1: "TensorType" },
  TensorType: { 2: "Shape" },
  Shape: { 1: "Dim" },
  Dim: {},
  Opset: {},
  Entry: {},
  Annotation: { 2: "Entry" },
  Sparse: { 1: "Tensor", 2: "Tensor" },
};

/** Fields that hold packed varints. */
const packed = { Tensor: [1, 5, 7, 11], Attribute: [8] };

/** Fields that hold names. */
const texts = {
  Node: [1, 2, 4, 7],
  Value: [1],
  Tensor: [8],
  Attribute: [1],
  Dim: [2],
  Opset: [1],
  Entry: [1, 2],
  Graph: [2],
  Function: [1, 4, 5, 10],
};

function readVarint(bytes, at) {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    if (at >= bytes.length) throw new RangeError("varint");
    const b = bytes[at++];
    value |= BigInt(b & 0x7f) << shift;
    if (b < 0x80) return [value, at];
  }
  throw new RangeError("varint");
}

function varint(value) {
  const out = [];
  let left = BigInt.asUintN(64, value);
  while (left >= 0x80n) {
    out.push(Number(left & 0x7fn) | 0x80);
    left >>= 7n;
  }
  out.push(Number(left));
  return out;
}

/** A message as a list of fields. */
function decode(bytes, kind) {
  const fields = [];
  let at = 0;
  while (at < bytes.length) {
    let tag, value, length;
    [tag, at] = readVarint(bytes, at);
    const number = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (wire === 0) [value, at] = readVarint(bytes, at);
    else if (wire === 2) {
      [length, at] = readVarint(bytes, at);
      const end = at + Number(length);
      if (end > bytes.length) throw new RangeError("length");
      value = bytes.subarray(at, end);
      at = end;
      const inner = messages[kind]?.[number];
      if (inner) value = { kind: inner, fields: decode(value, inner) };
    } else if (wire === 1 || wire === 5) {
      const size = wire === 1 ? 8 : 4;
      value = bytes.subarray(at, at + size);
      at += size;
    } else throw new RangeError("wire type");
    fields.push({ kind, number, wire, value });
  }
  return fields;
}

function encode(fields) {
  const parts = [];
  for (const f of fields) {
    const tag = varint((BigInt(f.number) << 3n) | BigInt(f.wire));
    if (f.wire === 0) parts.push(Uint8Array.from([...tag, ...varint(f.value)]));
    else if (f.wire === 2) {
      const body = f.value.fields ? encode(f.value.fields) : f.value;
      parts.push(Uint8Array.from([...tag, ...varint(f.lie ?? BigInt(body.length))]), body);
    } else parts.push(Uint8Array.from(tag), f.value);
  }
  return concat(parts);
}

function concat(parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** All lists of fields with their index. */
function placesOf(fields) {
  const out = [];
  const stack = [fields];
  while (stack.length > 0) {
    const list = stack.pop();
    list.forEach((field, index) => {
      out.push({ list, index, field });
      if (field.value.fields) stack.push(field.value.fields);
    });
  }
  return out;
}

const HUGE = [
  0n,
  1n,
  2n,
  3n,
  7n,
  127n,
  128n,
  255n,
  65536n,
  1n << 20n,
  (1n << 31n) - 1n,
  1n << 31n,
  1n << 32n,
  1n << 40n,
  1n << 53n,
  1n << 62n,
  (1n << 63n) - 1n,
  -1n,
  -2n,
  -(1n << 63n),
];

/** Graphs in attributes of nodes in graphs, as deep as a stack is. */
function nested(depth) {
  let body = new Uint8Array(0);
  const heads = [];
  let length = 0;
  for (let i = 0; i < depth; i++) {
    // Attribute.g = 6, Node.attribute = 5, Graph.node = 1
    for (const tag of [0x32, 0x2a, 0x0a]) {
      const head = [tag, ...varint(BigInt(length))];
      heads.push(Uint8Array.from(head));
      length += head.length;
    }
  }
  return concat([...heads.reverse(), body]);
}

/** Returns the damaged bytes and what was done. */
export function damageProtobuf(bytes, dice) {
  const model = decode(bytes, "Model");
  const places = placesOf(model);
  const isText = ({ field }) => texts[field.kind]?.includes(field.number) && field.wire === 2;
  const of = (test) => places.filter(test);
  const name = ({ kind, number }) => `${kind}.${number}`;
  const { list, index, field } = dice.pick(places);
  let what = "";
  switch (dice.below(12)) {
    case 0:
      list.splice(index, 1);
      what = `${name(field)} dropped`;
      break;
    case 1:
      list.splice(dice.below(list.length), 0, field);
      what = `${name(field)} twice`;
      break;
    case 2: {
      const numbers = of(({ field: f }) => f.wire === 0);
      const f = dice.pick(numbers).field;
      f.value = dice.pick(HUGE);
      what = `${name(f)} is ${f.value}`;
      break;
    }
    case 3: {
      const lists = of(({ field: f }) => f.wire === 2 && packed[f.kind]?.includes(f.number));
      if (lists.length === 0) return null;
      const f = dice.pick(lists).field;
      f.value = Uint8Array.from(Array.from({ length: 1 + dice.below(6) }, () => varint(dice.pick(HUGE))).flat());
      what = `${name(f)} has other numbers`;
      break;
    }
    case 4:
    case 5: {
      // Names of tensors become others: circles, results twice, nothing to take.
      const named = of((p) => isText(p) && p.field.kind === "Node" && p.field.number <= 2);
      if (named.length === 0) return null;
      const f = dice.pick(named).field;
      f.value = dice.chance(0.9) ? dice.pick(named).field.value : new Uint8Array(0);
      what = `${name(f)} renamed`;
      break;
    }
    case 6: {
      const named = of(isText);
      const f = dice.pick(named).field;
      f.value = dice.chance(0.8) ? dice.pick(named).field.value : Uint8Array.of(0xff, 0xfe, 0x00, 0x80);
      what = `${name(f)} is another text`;
      break;
    }
    case 7: {
      const operators = of(({ field: f }) => f.kind === "Node" && f.number === 4);
      if (operators.length === 0) return null;
      const known = [
        "Loop",
        "If",
        "Scan",
        "Reshape",
        "Expand",
        "Tile",
        "ConstantOfShape",
        "Range",
        "Pad",
        "Resize",
        "Slice",
        "Gather",
        "Concat",
        "Transpose",
        "Split",
        "LSTM",
        "GRU",
        "Einsum",
        "Conv",
        "QLinearConv",
        "TopK",
        "OneHot",
        "CumSum",
        "constructor",
        "__proto__",
      ];
      const f = dice.pick(operators).field;
      const op = dice.pick(known);
      f.value = new TextEncoder().encode(op);
      what = `operator is ${op}`;
      break;
    }
    case 8: {
      const bodies = of(({ field: f }) => f.wire === 2);
      const f = dice.pick(bodies).field;
      f.lie = dice.pick([0n, 1n, 127n, 1n << 16n, 1n << 31n, (1n << 32n) - 1n, 1n << 40n, (1n << 64n) - 1n]);
      what = `${name(f)} claims ${f.lie} bytes`;
      break;
    }
    case 9:
      Object.assign(
        field,
        dice.pick([{ number: 1 + dice.below(30) }, { wire: dice.below(3) === 0 ? 5 : 1, value: new Uint8Array(8) }]),
      );
      what = `${name(field)} has another number or wire type`;
      break;
    case 10: {
      const graph = model.find((f) => f.number === 7);
      const nodes = graph?.value.fields.filter((f) => f.number === 1) ?? [];
      if (nodes.length === 0) return null;
      if (dice.chance(0.3)) {
        const depth = dice.pick([10, 200, 20_000]);
        dice.pick(nodes).value.fields.push({
          kind: "Node",
          number: 5,
          wire: 2,
          value: concat([Uint8Array.from([0x0a, 1, 0x67, 0xa0, 1, 5]), nested(depth)]),
        });
        what = `graphs ${depth} deep`;
      } else {
        graph.value.fields.sort(() => dice.next() - 0.5);
        what = "graph shuffled";
      }
      break;
    }
    default: {
      const from = dice.pick(places).field;
      if (from.wire !== field.wire) return null;
      field.value = from.value;
      what = `${name(field)} is what ${name(from)} is`;
      if (contains(field, field)) return null;
    }
  }
  return { bytes: encode(model), what };
}

/** Whether a field was put into itself, which no file can be. */
function contains(outer, wanted) {
  const inner = outer.value.fields ?? [];
  return inner.some((f) => f === wanted || contains(f, wanted));
}
