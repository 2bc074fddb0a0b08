/** How many bytes a step moves at least: what it reads and writes, each once, however often a cache serves it again. */
import type { LaidOut } from "./layout.js";
import { stepInputs, stepOutputs, type Step } from "./steps.js";

export interface MovedBytes {
  /** Operands and weights. */
  readonly read: number;
  readonly written: number;
}

export function movedBytes(step: Step, laid: LaidOut, weightsBytes: number): MovedBytes {
  if (step.kind === "move") {
    const bytes = 4 * step.loops.reduce((n, loop) => n * loop.count, 1);
    return { read: bytes, written: bytes };
  }
  const bytes = (tensor: string): number => {
    const { n, h, w, cs } = laid.layouts.get(tensor)!;
    return 4 * n * h * w * cs;
  };
  const sum = (tensors: readonly string[]): number => [...new Set(tensors)].reduce((n, t) => n + bytes(t), 0);
  return { read: sum(stepInputs(step)) + weightsBytes, written: sum(stepOutputs(step)) };
}
