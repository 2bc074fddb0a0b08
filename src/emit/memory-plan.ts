/**
 * Lifetimes of tensors to addresses. Weights first, then what is made of them at load, then one arena; nothing is
 * allocated at run time.
 */
import { callsOf } from "../kernels/calls/index.js";
import { alignUp, planMemory, type BufferRequest } from "../kernels/memory.js";
import { hasBorder, ownerOf, tensorBytes, type LaidOut, type TensorLayout } from "./layout.js";
import { writesPadding } from "./regions.js";
import { stepInputs, stepOutputs, stepScratch, type Step } from "./steps.js";

export interface PlannedBuffer {
  /** The tensor that owns the memory. */
  readonly name: string;
  /** All tensors that live in it, in order of appearance. */
  readonly tensors: readonly string[];
  /** Bytes from the start of the arena. */
  readonly offset: number;
  readonly bytes: number;
  /** Layers from which until which its contents matter; -1 before the run, null after it. */
  readonly first: number;
  readonly last: number | null;
}

export interface Clear {
  readonly tensor: string;
  readonly what: "border" | "all";
}

export interface MemoryPlan {
  /** 64 bytes for the self-test. */
  readonly scratchOffset: number;
  readonly weightsOffset: number;
  readonly weightsBytes: number;
  /** Weights that the module computes from those of the file when it is loaded. */
  readonly transformedOffset: number;
  readonly transformedBytes: number;
  readonly arenaOffset: number;
  readonly arenaBytes: number;
  readonly totalBytes: number;
  /** 64 KiB pages: initial and maximum. */
  readonly pages: number;
  readonly buffers: readonly PlannedBuffer[];
  /** Absolute address of each tensor's buffer (its border included). */
  readonly addresses: ReadonlyMap<string, number>;
  /** What must be zeroed before a step writes, because other tensors used the place: step index to what. */
  readonly clears: ReadonlyMap<number, readonly Clear[]>;
}

/** The compiler keeps the first KiB free of data. */
const RESERVED = 1024;
const SCRATCH = 64;
const PAGE = 65536;

/** Inputs whose place the output may take: read and written at the same position by the same instruction sequence. */
function inPlaceCandidates(step: Step): string[] {
  switch (step.kind) {
    case "unary":
    case "softmax":
      return [step.x];
    case "binary":
      return "tensor" in step.b ? [step.a, step.b.tensor] : [step.a];
    case "kernel": {
      const [first] = step.inputs;
      return callsOf(step.op)!.inPlace && first && "tensor" in first ? [first.tensor] : [];
    }
    case "conv":
      // A tile reads the residual where it writes, but x also where other tiles write.
      return step.residual === null ? [] : [step.residual];
    default:
      return [];
  }
}

const sameLayout = (a: TensorLayout, b: TensorLayout): boolean =>
  a.n === b.n &&
  a.h === b.h &&
  a.w === b.w &&
  a.c === b.c &&
  a.cs === b.cs &&
  a.border.every((v, i) => v === b.border[i]);

class Lifetimes {
  readonly owner = new Map<string, string>();
  readonly first = new Map<string, number>();
  readonly last = new Map<string, number>();
  readonly firstWriter = new Map<string, number>();

  constructor(private readonly laid: LaidOut) {
    for (const name of laid.layouts.keys()) this.owner.set(name, ownerOf(laid, name));
    const touch = (name: string, at: number): void => {
      const owner = this.find(name);
      this.first.set(owner, Math.min(this.first.get(owner) ?? at, at));
      this.last.set(owner, Math.max(this.last.get(owner) ?? at, at));
    };
    for (const port of laid.inputs) touch(port.tensor, -1);
    laid.steps.forEach((step, i) => {
      for (const name of stepInputs(step)) touch(name, i);
      for (const name of [...stepOutputs(step), ...stepScratch(step)]) {
        touch(name, i);
        if (!this.firstWriter.has(name)) this.firstWriter.set(name, i);
      }
    });
    for (const port of laid.outputs) touch(port.tensor, Infinity);
  }

  find(name: string): string {
    return this.owner.get(name)!;
  }

  /** Lets the output of step i take the place of an input that nobody reads afterwards. Returns whether it did. */
  shareInPlace(step: Step, i: number): boolean {
    const y = this.find(step.y);
    if (this.first.get(y) !== i) return false;
    for (const candidate of inPlaceCandidates(step)) {
      const x = this.find(candidate);
      const { layouts } = this.laid;
      if (x === y || this.last.get(x) !== i || !sameLayout(layouts.get(candidate)!, layouts.get(step.y)!)) continue;
      // Another operand in the same memory is safe only if it is the same tensor.
      if (stepInputs(step).some((other) => other !== candidate && this.find(other) === x)) continue;
      if (step.kind === "conv" && this.find(step.x) === x) continue;
      for (const [name, owner] of this.owner) if (owner === y) this.owner.set(name, x);
      this.last.set(x, this.last.get(y)!);
      this.first.delete(y);
      this.last.delete(y);
      return true;
    }
    return false;
  }
}

export function planTensors(laid: LaidOut, weightsBytes: number, transformedBytes = 0): MemoryPlan {
  const lifetimes = new Lifetimes(laid);
  const shared = new Set<number>();
  laid.steps.forEach((step, i) => {
    if (lifetimes.shareInPlace(step, i)) shared.add(i);
  });

  const tensorsOf = new Map<string, string[]>();
  for (const name of laid.layouts.keys()) {
    const owner = lifetimes.find(name);
    tensorsOf.set(owner, [...(tensorsOf.get(owner) ?? []), name]);
  }
  const requests: BufferRequest[] = [];
  for (const [name, tensors] of tensorsOf) {
    const first = lifetimes.first.get(name);
    if (first === undefined) continue;
    const bytes = alignUp(Math.max(...tensors.map((t) => tensorBytes(laid.layouts.get(t)!))));
    requests.push({ name, bytes, first, last: lifetimes.last.get(name)! });
  }
  const placed = planMemory(requests);

  const weightsOffset = alignUp(RESERVED + SCRATCH, 64);
  const transformedOffset = alignUp(weightsOffset + weightsBytes, 64);
  const arenaOffset = transformedOffset + alignUp(transformedBytes, 64);
  const addresses = new Map<string, number>();
  for (const buffer of placed.buffers) {
    for (const t of tensorsOf.get(buffer.name)!) addresses.set(t, arenaOffset + buffer.offset);
  }

  const alone = (name: string): boolean => {
    const mine = placed.buffers.find((b) => b.name === name)!;
    return placed.buffers.every(
      (b) => b === mine || b.offset + b.bytes <= mine.offset || mine.offset + mine.bytes <= b.offset,
    );
  };
  const clearOf = (tensor: string, step: Step, i: number): Clear[] => {
    if (lifetimes.firstWriter.get(tensor) !== i || (tensor === step.y && shared.has(i))) return [];
    const layout = laid.layouts.get(tensor)!;
    const owner = lifetimes.find(tensor);
    // Memory starts as zeros; a place that no other tensor uses keeps them.
    if (alone(owner) && tensorsOf.get(owner)!.every((t) => t === tensor || sameLayout(laid.layouts.get(t)!, layout)))
      return [];
    if (!writesPadding(step, laid.layouts, tensor)) return [{ tensor, what: "all" }];
    return hasBorder(layout) ? [{ tensor, what: "border" }] : [];
  };
  const clears = new Map<number, readonly Clear[]>();
  laid.steps.forEach((step, i) => {
    if (step.kind === "alias") return;
    const own = stepOutputs(step).flatMap((tensor) => clearOf(tensor, step, i));
    if (own.length > 0) clears.set(i, own);
  });

  /** Steps that become code among the first so many: aliases do not. */
  const layersBefore = (step: number): number => laid.steps.slice(0, step).filter((s) => s.kind !== "alias").length;
  const totalBytes = arenaOffset + placed.bytes;
  return {
    scratchOffset: RESERVED,
    weightsOffset,
    weightsBytes,
    transformedOffset,
    transformedBytes,
    arenaOffset,
    arenaBytes: placed.bytes,
    totalBytes,
    pages: Math.ceil(totalBytes / PAGE),
    buffers: placed.buffers.map((b) => ({
      name: b.name,
      tensors: tensorsOf.get(b.name)!,
      offset: b.offset,
      bytes: b.bytes,
      first: b.first < 0 ? -1 : layersBefore(b.first),
      last: b.last === Infinity ? null : layersBefore(b.last + 1) - 1,
    })),
    addresses,
    clears,
  };
}
