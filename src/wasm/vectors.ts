/** Vectors of a function that has no SIMD any more: which scalars hold their lanes, and code that reads and writes them. */
import { invariant } from "../model/errors.js";
import { leb, signedLeb } from "./instructions.js";
import { LANES, TYPE_OF, VALUE_TYPE, type Kind } from "./lanes.js";

/** A lane: a local, or 32 constant bits. */
export type Lane = { readonly local: number } | { readonly bits: number };

/**
 * A vector by its lanes; one lane stands for all of them where they are equal, which saves most of the work on splats.
 * `any`: lanes of 32 bits that suit every kind.
 */
export interface Vec {
  readonly kind: Kind | "any";
  readonly lanes: readonly Lane[];
  /** Whether the locals are this vector's own, to be used again when it is gone. */
  readonly own: boolean;
}

/** Whether one lane of `kind` stands for all. The two halves of an f64 differ. */
export const isUniform = (vec: Vec, kind: Kind): boolean =>
  vec.lanes.length === 1 && (vec.kind !== "f64" || kind === "f64");

/** How a vector is kept: what its lanes are, and whether one is enough. */
export interface Form {
  readonly kind: Kind;
  readonly uniform: boolean;
}

/** What two kinds of lanes are kept as. */
function joined(a: Kind | "any", b: Kind | "any"): Kind | "any" {
  if (a === b || b === "any") return a === "mask" && b === "any" ? "i32" : a;
  if (a === "any") return b === "mask" ? "i32" : b;
  const integers = (k: Kind): boolean => k === "i32" || k === "mask";
  return integers(a) && integers(b) ? "i32" : "f32";
}

/**
 * A place that vectors are assigned to: a local of v128, or the result of a block. Its form follows from all vectors that
 * are put there, which are known only after the function was walked through: it is walked again until no form changes.
 */
export class Place {
  private kind: Kind | "any" | null = null;
  private narrow = true;
  private wide = true;
  /** As of this walk. */
  private form: Form = { kind: "f32", uniform: true };
  private lanes: readonly number[] = [];

  /** @param fixed parameters have a form that callers know, and locals from the beginning */
  constructor(private readonly fixed?: { readonly form: Form; readonly lanes: readonly number[] }) {
    if (fixed) ({ form: this.form, lanes: this.lanes } = fixed);
  }

  private wanted(): Form {
    const kind = this.kind === null || this.kind === "any" ? "f32" : this.kind;
    return { kind, uniform: kind === "f64" ? this.wide : this.narrow };
  }

  /** Locals for this walk, in the form that is known so far. */
  reserve(body: Body): void {
    if (this.fixed) return;
    this.form = this.wanted();
    const count = this.form.uniform ? 1 : LANES[this.form.kind];
    this.lanes = Array.from({ length: count }, () => body.local(TYPE_OF[this.form.kind]));
  }

  /** Puts a vector here; false if the place must have another form for it. */
  assign(body: Body, vec: Vec): boolean {
    if (this.fixed) {
      if (this.form.uniform && !isUniform(vec, this.form.kind)) return false;
    } else {
      this.kind = this.kind === null ? vec.kind : joined(this.kind, vec.kind);
      this.narrow &&= isUniform(vec, "f32");
      this.wide &&= isUniform(vec, "f64");
      const { kind, uniform } = this.wanted();
      if (kind !== this.form.kind || uniform !== this.form.uniform) return false;
    }
    // All lanes are read before the first is written: the vector may be made of the place's own.
    this.lanes.forEach((_, i) => body.lane(vec, i, this.form.kind));
    for (const local of [...this.lanes].reverse()) body.set(local);
    return true;
  }

  get vec(): Vec {
    return { kind: this.form.kind, lanes: this.lanes.map((local) => ({ local })), own: false };
  }

  /** Whether a vector is read from here. */
  bears(vec: Vec): boolean {
    return vec.lanes.some((lane) => "local" in lane && this.lanes.includes(lane.local));
  }
}

/** Locals of a function as they are needed, and the code so far. */
export class Body {
  readonly code: number[] = [];
  private readonly types: number[] = [];
  private readonly free = new Map<number, number[]>();

  constructor(private readonly params: number) {}

  local(type: number): number {
    const used = this.free.get(type)?.pop();
    if (used !== undefined) return used;
    this.types.push(type);
    return this.params + this.types.length - 1;
  }

  release(local: number, type: number): void {
    this.free.set(type, [...(this.free.get(type) ?? []), local]);
  }

  releaseVec(vec: Vec): void {
    if (!vec.own || vec.kind === "any") return;
    for (const lane of vec.lanes) if ("local" in lane) this.release(lane.local, TYPE_OF[vec.kind]);
  }

  emit(...bytes: number[]): void {
    for (const b of bytes) this.code.push(b);
  }

  get(local: number): void {
    this.emit(0x20, ...leb(local));
  }

  set(local: number): void {
    this.emit(0x21, ...leb(local));
  }

  /** The body with its locals in front, runs of a type as one entry. */
  finish(): number[] {
    const runs: [count: number, type: number][] = [];
    for (const type of this.types) {
      const last = runs.at(-1);
      if (last?.[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    return [...leb(runs.length), ...runs.flatMap(([n, type]) => [...leb(n), type]), ...this.code];
  }

  /** Puts lane `i` of a vector of `of` lanes on the stack, as `kind`. */
  lane(vec: Vec, i: number, kind: Kind): void {
    const at = (k: number): Lane => vec.lanes[vec.lanes.length === 1 ? 0 : k]!;
    if (kind === "mask") {
      invariant(vec.kind === "mask", "only comparisons give truths");
      return this.raw(at(i));
    }
    if (vec.kind === "f64") return this.halves(at(kind === "f64" ? i : i >> 1), i & 1, kind);
    if (kind === "f64") {
      // Two neighbours of 32 bits.
      this.word(at(2 * i), vec.kind);
      this.emit(0xad); // i64.extend_i32_u
      this.word(at(2 * i + 1), vec.kind);
      this.emit(0xad, 0x42, 32, 0x86, 0x84, 0xbf); // << 32, or, f64.reinterpret_i64
      return;
    }
    if (kind === "i32") return this.word(at(i), vec.kind);
    const lane = at(i);
    if ("bits" in lane) return this.emit(0x43, ...bytesOf(lane.bits));
    if (vec.kind === "f32") return this.get(lane.local);
    this.word(lane, vec.kind);
    this.emit(0xbe); // f32.reinterpret_i32
  }

  /** A lane's 32 bits as i32. */
  private word(lane: Lane, kind: Kind | "any"): void {
    if ("bits" in lane) return this.emit(0x41, ...signedLeb(lane.bits | 0));
    if (kind === "mask") this.emit(0x41, 0); // 0 - truth: no bits, or all
    this.get(lane.local);
    if (kind === "mask") this.emit(0x6b);
    if (kind === "f32") this.emit(0xbc); // i32.reinterpret_f32
  }

  private raw(lane: Lane): void {
    if ("bits" in lane) this.emit(0x41, ...signedLeb(lane.bits | 0));
    else this.get(lane.local);
  }

  /** A lane of f64: whole, or its lower or upper 32 bits. */
  private halves(lane: Lane, upper: number, kind: Kind): void {
    invariant("local" in lane, "constants have lanes of 32 bits");
    this.get(lane.local);
    if (kind === "f64") return;
    this.emit(0xbd); // i64.reinterpret_f64
    if (upper) this.emit(0x42, 32, 0x88);
    this.emit(0xa7); // i32.wrap_i64
    if (kind === "f32") this.emit(0xbe);
  }

  /** A new vector whose lanes `put` leaves on the stack one by one; one lane with `uniform`. */
  vector(kind: Kind, uniform: boolean, put: (lane: number) => void): Vec {
    const lanes = Array.from({ length: uniform ? 1 : LANES[kind] }, (_, i) => {
      put(i);
      const local = this.local(TYPE_OF[kind]);
      this.set(local);
      return { local };
    });
    return { kind, lanes, own: true };
  }

  /** The same vector in locals of its own. */
  copy(vec: Vec): Vec {
    if (vec.kind === "any") return vec;
    const { kind } = vec;
    return this.vector(kind, isUniform(vec, kind), (i) => this.lane(vec, i, kind));
  }
}

const bytesOf = (bits: number): number[] => [bits & 255, (bits >> 8) & 255, (bits >> 16) & 255, bits >>> 24];

/** The vector of 16 constant bytes. */
export function constantVec(bytes: Uint8Array): Vec {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const lanes = [0, 1, 2, 3].map((i) => ({ bits: view.getUint32(4 * i, true) }));
  const equal = lanes.every(({ bits }) => bits === lanes[0]!.bits);
  return { kind: "any", lanes: equal ? lanes.slice(0, 1) : lanes, own: false };
}

export const isV128 = (type: number): boolean => type === VALUE_TYPE.v128;
