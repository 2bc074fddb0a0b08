/**
 * Safetensors: 8 bytes of header length (little-endian), a JSON header, the values
 * (https://github.com/huggingface/safetensors#format). Equal maps give equal bytes.
 */
import { z } from "zod";
import { IdapError } from "./errors.js";
import { allocate, BYTES_PER_ELEMENT, type Dtype, type Shape, type TensorData } from "./types.js";

export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly data: TensorData;
}

const TO_NAME: Readonly<Record<Dtype, string>> = {
  f32: "F32",
  i32: "I32",
  i8: "I8",
  u8: "U8",
  bool: "BOOL",
  i64: "I64",
};
const FROM_NAME = new Map(Object.entries(TO_NAME).map(([dtype, name]) => [name, dtype as Dtype]));
const METADATA = "__metadata__";

/**
 * The bytes of a safetensors file. Tensors are ordered by element size, largest first, then by name, so that every one
 * of them is aligned to its elements.
 */
export function toSafetensors(tensors: ReadonlyMap<string, StoredTensor>): Uint8Array {
  if (tensors.has(METADATA))
    throw new IdapError("E_NAME", `a tensor cannot be called "${METADATA}" in a safetensors file`);
  const names = [...tensors.keys()].sort((a, b) => {
    const size = BYTES_PER_ELEMENT[tensors.get(b)!.dtype] - BYTES_PER_ELEMENT[tensors.get(a)!.dtype];
    return size !== 0 ? size : a < b ? -1 : a > b ? 1 : 0;
  });
  let offset = 0;
  const entries = names.map((name) => {
    const { dtype, shape, data } = tensors.get(name)!;
    const begin = offset;
    offset += data.byteLength;
    const entry = { dtype: TO_NAME[dtype], shape, data_offsets: [begin, offset] };
    return `${JSON.stringify(name)}:${JSON.stringify(entry)}`;
  });
  const text = new TextEncoder().encode(`{${entries.join(",")}}`);
  const header = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + header + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header), true);
  bytes.fill(0x20, 8, 8 + header);
  bytes.set(text, 8);
  let at = 8 + header;
  for (const name of names) {
    const { data } = tensors.get(name)!;
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

const count = z.int().nonnegative();
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(count),
  data_offsets: z.tuple([count, count]),
});

/** Reads a safetensors file; every claim of the header is checked against the bytes. */
export function fromSafetensors(bytes: Uint8Array, where = "safetensors"): Map<string, StoredTensor> {
  const fail = (what: string): never => {
    throw new IdapError("E_SAFETENSORS", `${where}: ${what}`);
  };
  if (bytes.length < 8) fail(`${bytes.length} bytes are too few for a header`);
  const claimed = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (claimed > BigInt(bytes.length - 8))
    fail(`the header claims ${claimed} bytes, the file has ${bytes.length - 8} after it`);
  const start = 8 + Number(claimed);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start)));
  } catch {
    fail("the header is no JSON");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) fail("the header is no JSON object");

  const spans: [number, number, string][] = [];
  const result = new Map<string, StoredTensor>();
  for (const [name, value] of Object.entries(header as object)) {
    if (name === METADATA) continue;
    const parsed = entrySchema.safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      fail(`tensor "${name}": ${issue.path.join(".")} ${issue.message}`);
    }
    const { dtype: label, shape, data_offsets } = parsed.data!;
    const dtype =
      FROM_NAME.get(label) ?? fail(`tensor "${name}" is ${label}; we read ${[...FROM_NAME.keys()].join(", ")}`);
    const [begin, end] = data_offsets;
    const elements = shape.reduce((n, d) => n * d, 1);
    if (begin > end || end > bytes.length - start) {
      fail(`tensor "${name}" lies at ${begin}..${end}, the file holds ${bytes.length - start} bytes of values`);
    }
    if (elements * BYTES_PER_ELEMENT[dtype] !== end - begin) {
      fail(
        `tensor "${name}" of [${shape}] ${label} needs ${elements * BYTES_PER_ELEMENT[dtype]} bytes, it has ${end - begin}`,
      );
    }
    const data = allocate(dtype, elements);
    new Uint8Array(data.buffer).set(bytes.subarray(start + begin, start + end));
    if (dtype === "bool" && (data as Uint8Array).some((v) => v > 1))
      fail(`tensor "${name}" is BOOL but holds other values than 0 and 1`);
    spans.push([begin, end, name]);
    result.set(name, { dtype, shape, data });
  }
  spans.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let at = 0;
  for (const [begin, end, name] of spans) {
    if (begin !== at) fail(`tensor "${name}" starts at ${begin}, after values that end at ${at}`);
    at = end;
  }
  if (at !== bytes.length - start) fail(`${bytes.length - start - at} bytes belong to no tensor`);
  return result;
}
