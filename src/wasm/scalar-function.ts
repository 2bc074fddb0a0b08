/**
 * One function without vectors (see scalar.ts). Scalars stay on WebAssembly's stack, in their order; vectors are taken off it:
 * their lanes lie in locals, and what is kept of the stack is where.
 */
import { invariant } from "../model/errors.js";
import { CodeReader, leb, plainInstruction } from "./instructions.js";
import { LANE_OPS, SHIFTS, TYPE_OF, VALUE_TYPE, type Kind, type LaneOp } from "./lanes.js";
import { memoryInstruction, type VectorStack } from "./scalar-memory.js";
import type { Signature } from "./scalar.js";
import { Body, constantVec, isUniform, isV128, Place, type Vec } from "./vectors.js";
import { skipInstruction } from "./walk.js";

/** What is on the stack: a vector, or (null) a scalar, which is really there. */
type Entry = Vec | null;

interface Frame {
  readonly opcode: number;
  /** Where a block leaves a vector. */
  readonly join: Place | null;
  /** Scalars that it leaves. */
  readonly scalars: number;
  /** Entries below it. */
  readonly height: number;
}

const BLOCK = 0x02,
  LOOP = 0x03,
  IF = 0x04,
  ELSE = 0x05,
  END = 0x0b,
  BR_IF = 0x0d,
  BR_TABLE = 0x0e;

/** The body of a function (locals and code) without vectors. @param functions signatures of all functions */
export function scalarFunction(body: Uint8Array, own: Signature, functions: readonly Signature[]): number[] {
  const places = new Map<string, Place>();
  // Twice for most functions: once to see what is put where.
  for (let walks = 0; ; walks++) {
    const lowering = new Lowering(body, own, functions, places);
    lowering.run();
    if (lowering.settled) return lowering.out.finish();
    invariant(walks < 100, "forms of vectors settle");
  }
}

class Lowering implements VectorStack {
  readonly out: Body;
  /** Whether every vector fitted into the form of its place. */
  settled = true;
  readonly reader: CodeReader;
  private readonly stack: Entry[] = [];
  private readonly frames: Frame[] = [];
  private blocks = 0;
  /** New locals of the old ones. */
  private readonly locals: (number | Place)[] = [];
  /** A function that returns a vector works on one lane. */
  private readonly oneLane: boolean;

  constructor(
    body: Uint8Array,
    private readonly own: Signature,
    private readonly functions: readonly Signature[],
    private readonly places: Map<string, Place>,
  ) {
    this.reader = new CodeReader(body);
    this.oneLane = own.results.some(isV128);
    let params = 0;
    for (const type of own.params) {
      const width = !isV128(type) || this.oneLane ? 1 : 4;
      const lanes = Array.from({ length: width }, () => params++);
      const form = { kind: "f32", uniform: this.oneLane } as const;
      this.locals.push(isV128(type) ? new Place({ form, lanes }) : lanes[0]!);
    }
    this.out = new Body(params);
    for (let runs = this.reader.u32(); runs > 0; runs--) {
      const count = this.reader.u32();
      const type = this.reader.byte();
      for (let i = 0; i < count; i++) {
        this.locals.push(isV128(type) ? this.place(`local ${this.locals.length}`) : this.out.local(type));
      }
    }
  }

  run(): void {
    const scalars = this.own.results.length;
    this.frames.push({ opcode: BLOCK, join: null, scalars, height: 0 });
    while (this.frames.length > 0) this.step(this.reader.byte());
  }

  private place(name: string): Place {
    const place = this.places.get(name) ?? new Place();
    this.places.set(name, place);
    place.reserve(this.out);
    return place;
  }

  private assign(place: Place, vec: Vec): void {
    if (!place.assign(this.out, vec)) this.settled = false;
  }

  push(vec: Vec): void {
    this.alike(isUniform(vec, "f32"));
    this.stack.push(vec);
  }

  /** What a function that returns a vector must not do. */
  alike(condition: boolean): void {
    invariant(!this.oneLane || condition, "a function that returns a vector treats all lanes alike, or is inlined");
  }

  vec(): Vec {
    const entry = this.stack.pop();
    invariant(entry, "a vector is on the stack");
    return entry;
  }

  private pushScalars(count: number): void {
    for (let i = 0; i < count; i++) this.stack.push(null);
  }

  private popScalars(count: number): void {
    for (let i = 0; i < count; i++) invariant(this.stack.pop() === null, "a scalar is on the stack");
  }

  /** Takes a scalar off the stack into a local; `use` puts it back as often as it likes. */
  spilled(type: number, use: (local: number) => void): void {
    this.popScalars(1);
    const local = this.out.local(type);
    this.out.set(local);
    use(local);
    this.out.release(local, type);
  }

  private step(opcode: number): void {
    const { reader, out } = this;
    const start = reader.at - 1;
    const effect = plainInstruction(opcode, reader);
    if (effect) {
      this.popScalars(effect[0]);
      this.pushScalars(effect[1]);
      out.emit(...reader.bytes.subarray(start, reader.at));
      return;
    }
    switch (opcode) {
      case 0x00: // unreachable
        out.emit(opcode);
        return this.skipDead();
      case BLOCK:
      case LOOP:
      case IF:
        return this.enter(opcode);
      case ELSE:
        return this.otherwise();
      case END:
        return this.leave();
      case 0x0c: // br
      case BR_IF:
      case BR_TABLE:
        return this.branch(opcode);
      case 0x0f: // return
        if (this.oneLane) this.out.lane(this.vec(), 0, "f32");
        out.emit(opcode);
        return this.skipDead();
      case 0x10:
        return this.call(reader.u32());
      case 0x1a: // drop
        if (this.stack.at(-1)) return out.releaseVec(this.vec());
        this.popScalars(1);
        return out.emit(opcode);
      case 0x1b: // select
      case 0x1c:
        return this.select(opcode);
      case 0x20:
      case 0x21:
      case 0x22:
        return this.local(opcode, reader.u32());
      case 0x23: // global.get, global.set
      case 0x24:
        reader.skipNumber();
        if (opcode === 0x23) this.pushScalars(1);
        else this.popScalars(1);
        return out.emit(...reader.bytes.subarray(start, reader.at));
      case 0xfd:
        return this.simd(reader.u32());
      default:
        invariant(false, `the instruction 0x${opcode.toString(16)} is in no emitted module`);
    }
  }

  // Control.

  private enter(opcode: number): void {
    const type = this.reader.byte();
    invariant(type >= 0x7b && type <= 0x7f ? true : type === 0x40, "blocks have no parameters and at most one result");
    if (opcode === IF) this.popScalars(1);
    const join = isV128(type) ? this.place(`block ${this.blocks}`) : null;
    this.blocks++;
    this.frames.push({ opcode, join, scalars: join || type === 0x40 ? 0 : 1, height: this.stack.length });
    this.out.emit(opcode, join ? 0x40 : type);
  }

  private otherwise(): void {
    this.settleFrame(this.frames.at(-1));
    this.out.emit(ELSE);
  }

  private leave(): void {
    const frame = this.frames.at(-1);
    this.settleFrame(frame);
    this.closeFrame(frame);
  }

  /** Takes off what the end of a block that is reached finds on the stack. */
  private settleFrame(frame: Frame): void {
    if (frame.join) this.assign(frame.join, this.vec());
    else if (this.frames.length === 1 && this.oneLane) this.out.lane(this.vec(), 0, "f32");
    else this.popScalars(frame.scalars);
    invariant(this.stack.length === frame.height, "a block leaves its results alone");
  }

  private closeFrame(frame: Frame): void {
    this.frames.pop();
    this.out.emit(END);
    if (frame.join) this.push(frame.join.vec);
    else this.pushScalars(frame.scalars);
  }

  /** Nothing runs until the block's end or its `else`. */
  private skipDead(): void {
    const { reader } = this;
    const frame = this.frames.at(-1);
    this.stack.length = frame.height;
    for (let depth = 0; ;) {
      const opcode = reader.byte();
      if (depth === 0 && opcode === ELSE) return this.out.emit(ELSE);
      if (depth === 0 && opcode === END) return this.closeFrame(frame);
      skipInstruction(opcode, reader);
      if (opcode === BLOCK || opcode === LOOP || opcode === IF) depth++;
      if (opcode === END) depth--;
    }
  }

  private branch(opcode: number): void {
    const { reader, out } = this;
    const start = reader.at - 1;
    const labels = Array.from({ length: opcode === BR_TABLE ? reader.u32() + 1 : 1 }, () => reader.u32());
    const bytes = [...reader.bytes.subarray(start, reader.at)];
    if (opcode !== 0x0c) this.popScalars(1); // the condition, which stays where it is
    const targets = [...new Set(labels)].map((label) => this.frames.at(-1 - label));
    // Branches to loops take nothing along.
    const joins = targets.flatMap((t) => (t.opcode !== LOOP && t.join ? [t.join] : []));
    const returned = this.oneLane && targets.includes(this.frames[0]!);
    if (joins.length > 0 || returned) {
      const vec = this.vec();
      // Without need where the branch is not taken: the block's other ends write there again.
      for (const join of joins) this.assign(join, vec);
      this.stack.push(vec);
    }
    if (returned) {
      invariant(opcode === 0x0c, "functions that return a vector end without a condition");
      out.lane(this.vec(), 0, "f32");
    }
    out.emit(...bytes);
    if (opcode !== BR_IF) this.skipDead();
  }

  private call(index: number): void {
    const { out } = this;
    const { params, results } = this.functions[index]!;
    const perLane = results.some(isV128);
    const emitCall = (): void => out.emit(0x10, ...leb(index));
    if (!params.some(isV128)) {
      this.alike(true);
      this.popScalars(params.length);
      emitCall();
      invariant(!perLane, "a vector is made of vectors");
      return this.pushScalars(results.length);
    }
    // Scalars among the arguments go into locals, so that lanes come between them.
    const args = params.map((): Vec | number => 0);
    for (let i = params.length - 1; i >= 0; i--) {
      if (isV128(params[i]!)) {
        args[i] = this.vec();
      } else {
        this.popScalars(1);
        const local = out.local(params[i]!);
        out.set(local);
        args[i] = local;
      }
    }
    const put = (lane: number): void => {
      for (const arg of args) {
        if (typeof arg === "number") out.get(arg);
        else if (perLane) out.lane(arg, lane, "f32");
        else for (let i = 0; i < 4; i++) out.lane(arg, i, "f32");
      }
      emitCall();
    };
    if (perLane) {
      const uniform = args.every((arg) => typeof arg === "number" || isUniform(arg, "f32"));
      this.push(out.vector("f32", uniform, put));
    } else {
      this.alike(false);
      put(0);
      this.pushScalars(results.length);
    }
    args.forEach((arg, i) => (typeof arg === "number" ? out.release(arg, params[i]!) : out.releaseVec(arg)));
  }

  private select(opcode: number): void {
    const types = opcode === 0x1c ? [...this.reader.take(this.reader.u32())] : null;
    if (!this.stack.at(-2)) {
      this.popScalars(3);
      this.pushScalars(1);
      return this.out.emit(opcode, ...(types ? [...leb(types.length), ...types] : []));
    }
    this.spilled(VALUE_TYPE.i32, (condition) => {
      const b = this.vec();
      const a = this.vec();
      const kind = wordKind(a, b);
      this.result(kind, [a, b], (i) => {
        this.out.lane(a, i, kind);
        this.out.lane(b, i, kind);
        this.out.get(condition);
        this.out.emit(0x1b);
      });
    });
  }

  private local(opcode: number, index: number): void {
    const { out } = this;
    const to = this.locals[index]!;
    if (!(to instanceof Place)) {
      if (opcode === 0x20) this.pushScalars(1);
      if (opcode === 0x21) this.popScalars(1);
      return out.emit(opcode, ...leb(to));
    }
    if (opcode === 0x20) return this.push(to.vec);
    const vec = this.vec();
    // Who still reads what was there before gets a copy.
    this.stack.forEach((entry, i) => {
      if (entry && to.bears(entry)) this.stack[i] = out.copy(entry);
    });
    this.assign(to, vec);
    out.releaseVec(vec);
    if (opcode === 0x22) this.push(to.vec);
  }

  // Vectors.

  /** Pushes a vector made of others, which are gone then; one lane where one lane is enough of all of them. */
  private result(kind: Kind, from: readonly Vec[], put: (lane: number) => void): void {
    const vec = this.out.vector(
      kind,
      from.every((v) => isUniform(v, kind)),
      put,
    );
    for (const v of from) this.out.releaseVec(v);
    this.push(vec);
  }

  private simd(op: number): void {
    const lanewise = LANE_OPS.get(op);
    if (lanewise && op >= 0x4e && op <= 0x50 && this.masked(op)) return;
    if (lanewise) return this.lanewise(lanewise);
    const shift = SHIFTS.get(op);
    if (shift !== undefined) {
      return this.spilled(VALUE_TYPE.i32, (count) => {
        const a = this.vec();
        this.result("i32", [a], (i) => {
          this.out.lane(a, i, "i32");
          this.out.get(count);
          this.out.emit(shift);
        });
      });
    }
    if (op <= 0x0b || (op >= 0x54 && op <= 0x5d)) return memoryInstruction(op, this);
    switch (op) {
      case 0x0c:
        return this.push(constantVec(this.reader.take(16)));
      case 0x0d:
        return this.shuffle(this.reader.take(16));
      case 0x11: // i32x4.splat
        return this.splat("i32");
      case 0x13: // f32x4.splat
        return this.splat("f32");
      case 0x14: // f64x2.splat
        return this.splat("f64");
      case 0x1b: // extract_lane
        return this.extract("i32");
      case 0x1f:
        return this.extract("f32");
      case 0x21:
        return this.extract("f64");
      case 0x1c: // replace_lane
        return this.replace("i32");
      case 0x20:
        return this.replace("f32");
      case 0x22:
        return this.replace("f64");
      case 0x52:
        return this.bitselect();
      case 0x53: // v128.any_true
        return this.truth([], 0x72);
      case 0xa3: // i32x4.all_true
        return this.truth([0x45, 0x45], 0x71);
      case 0x5e: // f32x4.demote_f64x2_zero
        return this.demote();
      case 0x5f: // f64x2.promote_low_f32x4
        return this.promote();
      default:
        invariant(false, `the SIMD instruction 0x${op.toString(16)} has no scalar form yet: see src/wasm/lanes.ts`);
    }
  }

  private lanewise({ takes, gives, code }: LaneOp): void {
    const b = takes.length > 1 ? this.vec() : null;
    const a = this.vec();
    const from = b ? [a, b] : [a];
    const uniform = from.every((v, i) => isUniform(v, takes[i]!));
    const vec = this.out.vector(gives, uniform, (i) => {
      for (const piece of code) {
        if (piece === "a") this.out.lane(a, i, takes[0]!);
        else if (piece === "b") this.out.lane(b!, i, takes[1]!);
        else this.out.emit(piece);
      }
    });
    for (const v of from) this.out.releaseVec(v);
    this.push(vec);
  }

  /** `and` and `or` of two truths are truths, and a truth and anything is that or 0. */
  private masked(op: number): boolean {
    const [a, b] = this.stack.slice(-2) as [Vec, Vec];
    const { out } = this;
    if (a.kind === "mask" && b.kind === "mask" && op !== 0x4f) {
      this.stack.length -= 2;
      this.result("mask", [a, b], (i) => {
        out.lane(a, i, "mask");
        out.lane(b, i, "mask");
        out.emit(op === 0x4e ? 0x71 : 0x72);
      });
      return true;
    }
    const [mask, other] = a.kind === "mask" ? [a, b] : [b, a];
    if (op !== 0x4e || mask.kind !== "mask") return false;
    this.stack.length -= 2;
    const kind = wordKind(other, other);
    this.result(kind, [a, b], (i) => {
      out.lane(other, i, kind);
      out.lane({ kind: "any", lanes: [{ bits: 0 }], own: false }, i, kind);
      out.lane(mask, i, "mask");
      out.emit(0x1b);
    });
    return true;
  }

  private bitselect(): void {
    const { out } = this;
    const mask = this.vec();
    const b = this.vec();
    const a = this.vec();
    const from = [a, b, mask];
    if (mask.kind === "mask") {
      const kind = wordKind(a, b);
      return this.result(kind, from, (i) => {
        out.lane(a, i, kind);
        out.lane(b, i, kind);
        out.lane(mask, i, "mask");
        out.emit(0x1b);
      });
    }
    // The bits of |a| and the sign of b.
    if (mask.lanes.length === 1 && "bits" in mask.lanes[0]! && mask.lanes[0].bits === 0x7fffffff) {
      return this.result("f32", [a, b], (i) => {
        out.lane(a, i, "f32");
        out.lane(b, i, "f32");
        out.emit(0x98);
      });
    }
    this.result("i32", from, (i) => {
      out.lane(a, i, "i32");
      out.lane(mask, i, "i32");
      out.emit(0x71);
      out.lane(b, i, "i32");
      out.lane(mask, i, "i32");
      out.emit(0x41, 0x7f, 0x73, 0x71, 0x72);
    });
  }

  private splat(kind: Kind): void {
    this.spilled(TYPE_OF[kind], (value) => this.push(this.out.vector(kind, true, () => this.out.get(value))));
  }

  private extract(kind: Kind): void {
    this.alike(false);
    const lane = this.reader.byte();
    const vec = this.vec();
    this.out.lane(vec, lane, kind);
    this.out.releaseVec(vec);
    this.pushScalars(1);
  }

  private replace(kind: Kind): void {
    const lane = this.reader.byte();
    this.spilled(TYPE_OF[kind], (value) => {
      const from = this.vec();
      const vec = this.out.vector(kind, false, (i) =>
        i === lane ? this.out.get(value) : this.out.lane(from, i, kind),
      );
      this.out.releaseVec(from);
      this.push(vec);
    });
  }

  private shuffle(bytes: Uint8Array): void {
    const lanes = [0, 4, 8, 12].map((k) => {
      const whole = bytes[k]! % 4 === 0 && [1, 2, 3].every((i) => bytes[k + i] === bytes[k]! + i);
      invariant(whole, "shuffles move lanes of 32 bits");
      return bytes[k]! / 4;
    });
    const b = this.vec();
    const a = this.vec();
    const kind = wordKind(a, b);
    const vec = this.out.vector(kind, false, (i) => this.out.lane(lanes[i]! < 4 ? a : b, lanes[i]! % 4, kind));
    this.out.releaseVec(a);
    this.out.releaseVec(b);
    this.push(vec);
  }

  /** One truth of four lanes: each as `test` makes it of its bits, combined by `combine`. */
  private truth(test: readonly number[], combine: number): void {
    this.alike(false);
    const vec = this.vec();
    for (let i = 0; i < 4; i++) {
      this.out.lane(vec, i, vec.kind === "mask" ? "mask" : "i32");
      if (vec.kind !== "mask") this.out.emit(...test);
      if (i > 0) this.out.emit(combine);
    }
    if (test.length === 0) this.out.emit(0x45, 0x45);
    this.out.releaseVec(vec);
    this.pushScalars(1);
  }

  private demote(): void {
    const from = this.vec();
    const vec = this.out.vector("f32", false, (i) => {
      if (i > 1) return this.out.emit(0x43, 0, 0, 0, 0);
      this.out.lane(from, i, "f64");
      this.out.emit(0xb6);
    });
    this.out.releaseVec(from);
    this.push(vec);
  }

  private promote(): void {
    const from = this.vec();
    const vec = this.out.vector("f64", from.kind !== "f64" && from.lanes.length === 1, (i) => {
      this.out.lane(from, i, "f32");
      this.out.emit(0xbb);
    });
    this.out.releaseVec(from);
    this.push(vec);
  }
}

/** Lanes of 32 bits that suit two vectors: of floats where either may be. */
function wordKind(a: Vec, b: Vec): Kind {
  const integers = ({ kind }: Vec): boolean => kind === "i32" || kind === "mask";
  return integers(a) || integers(b) ? "i32" : "f32";
}
