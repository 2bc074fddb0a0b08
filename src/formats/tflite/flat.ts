import { ByteBuffer } from "flatbuffers";
import { IdapError } from "../../model/errors.js";

/** Longest name that is believed; longer ones are damage. */
const MAX_STRING = 4096;

/**
 * Reads one FlatBuffers file with every offset checked: `ByteBuffer` itself answers zeros beyond the end.
 * Layout: https://flatbuffers.dev/internals
 */
export class FlatFile {
  private readonly buffer: ByteBuffer;

  constructor(
    readonly bytes: Uint8Array,
    readonly file: string,
  ) {
    this.buffer = new ByteBuffer(bytes);
  }

  root(): FlatTable {
    return this.table(this.follow(0));
  }

  damaged(what: string): IdapError {
    return new IdapError(
      "E_FORMAT",
      `${this.file} is damaged or cut off: ${what}`,
      "Copy or download the file again and compare its size with the source.",
    );
  }

  /** Throws unless bytes [at, at + length) exist. */
  check(at: number, length: number, what: string): void {
    if (!(at >= 0 && length >= 0 && at + length <= this.bytes.length)) {
      throw this.damaged(`${what} lies at bytes ${at} to ${at + length} of ${this.bytes.length}`);
    }
  }

  u8(at: number): number {
    this.check(at, 1, "a byte");
    return this.buffer.readUint8(at);
  }

  i8(at: number): number {
    this.check(at, 1, "a byte");
    return this.buffer.readInt8(at);
  }

  u16(at: number): number {
    this.check(at, 2, "a number");
    return this.buffer.readUint16(at);
  }

  i32(at: number): number {
    this.check(at, 4, "a number");
    return this.buffer.readInt32(at);
  }

  u32(at: number): number {
    this.check(at, 4, "a number");
    return this.buffer.readUint32(at);
  }

  f32(at: number): number {
    this.check(at, 4, "a number");
    return this.buffer.readFloat32(at);
  }

  u64(at: number): number {
    this.check(at, 8, "a number");
    return Number(this.buffer.readUint64(at));
  }

  i64(at: number): number {
    this.check(at, 8, "a number");
    return Number(this.buffer.readInt64(at));
  }

  /** The position that the relative offset at `at` points to. */
  follow(at: number): number {
    return at + this.u32(at);
  }

  /** Start and length of the vector that the offset at `at` points to. */
  vector(at: number, elementBytes: number): { start: number; length: number } {
    const position = this.follow(at);
    const length = this.u32(position);
    this.check(position + 4, length * elementBytes, "a list");
    return { start: position + 4, length };
  }

  table(position: number): FlatTable {
    const vtable = position - this.i32(position);
    this.check(vtable, 4, "a table");
    const size = this.u16(vtable);
    this.check(vtable, Math.max(size, 4), "a table");
    return new FlatTable(this, position, vtable, size);
  }

  string(at: number): string {
    const { start, length } = this.vector(at, 1);
    if (length > MAX_STRING) throw this.damaged(`a name is ${length} bytes long`);
    return new TextDecoder().decode(this.bytes.subarray(start, start + length));
  }
}

/** One table; fields are named by their id in the schema and have the schema's default when absent. */
export class FlatTable {
  constructor(
    private readonly flat: FlatFile,
    private readonly position: number,
    private readonly vtable: number,
    private readonly vtableSize: number,
  ) {}

  /** Position of field `id`, or 0 when it is absent. */
  private at(id: number): number {
    const slot = 4 + 2 * id;
    if (slot + 2 > this.vtableSize) return 0;
    const offset = this.flat.u16(this.vtable + slot);
    return offset === 0 ? 0 : this.position + offset;
  }

  i8(id: number, absent = 0): number {
    const at = this.at(id);
    return at === 0 ? absent : this.flat.i8(at);
  }

  u8(id: number, absent = 0): number {
    const at = this.at(id);
    return at === 0 ? absent : this.flat.u8(at);
  }

  i32(id: number, absent = 0): number {
    const at = this.at(id);
    return at === 0 ? absent : this.flat.i32(at);
  }

  u32(id: number, absent = 0): number {
    const at = this.at(id);
    return at === 0 ? absent : this.flat.u32(at);
  }

  u64(id: number, absent = 0): number {
    const at = this.at(id);
    return at === 0 ? absent : this.flat.u64(at);
  }

  f32(id: number, absent = 0): number {
    const at = this.at(id);
    return at === 0 ? absent : this.flat.f32(at);
  }

  bool(id: number): boolean {
    return this.u8(id) !== 0;
  }

  string(id: number): string {
    const at = this.at(id);
    return at === 0 ? "" : this.flat.string(at);
  }

  has(id: number): boolean {
    return this.at(id) !== 0;
  }

  table(id: number): FlatTable | null {
    const at = this.at(id);
    return at === 0 ? null : this.flat.table(this.flat.follow(at));
  }

  /** Number of elements of a vector field; 0 when absent. */
  length(id: number): number {
    const at = this.at(id);
    return at === 0 ? 0 : this.flat.vector(at, 1).length;
  }

  tables(id: number): FlatTable[] {
    const at = this.at(id);
    if (at === 0) return [];
    const { start, length } = this.flat.vector(at, 4);
    return Array.from({ length }, (_, i) => this.flat.table(this.flat.follow(start + 4 * i)));
  }

  /** Elements of an int32 vector, or null when absent; longer ones than `most` are damage. */
  ints(id: number, most: number): number[] | null {
    return this.list(id, most, 4, (at) => this.flat.i32(at));
  }

  /** As `ints`, of an int64 vector whose values are small. */
  longs(id: number, most: number): number[] | null {
    return this.list(id, most, 8, (at) => this.flat.i64(at));
  }

  /** As `ints`, of a float vector. */
  floats(id: number, most: number): Float32Array | null {
    const list = this.list(id, most, 4, (at) => this.flat.f32(at));
    return list && Float32Array.from(list);
  }

  private list(id: number, most: number, bytes: number, read: (at: number) => number): number[] | null {
    const at = this.at(id);
    if (at === 0) return null;
    const { start, length } = this.flat.vector(at, bytes);
    if (length > most) throw this.flat.damaged(`a list has ${length} entries where at most ${most} make sense`);
    return Array.from({ length }, (_, i) => read(start + bytes * i));
  }

  /** The bytes of a ubyte vector, without a copy, or null when absent. */
  bytes(id: number): Uint8Array | null {
    const at = this.at(id);
    if (at === 0) return null;
    const { start, length } = this.flat.vector(at, 1);
    return this.flat.bytes.subarray(start, start + length);
  }
}
