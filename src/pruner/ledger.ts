/** What a network costs and is worth, as far as it is known at a point of the build. */
export interface Figures {
  readonly macs: number;
  readonly params: number;
  /** Bytes of weights. */
  readonly bytes: number;
  /** Predicted on the device profile. */
  readonly predictedMs: number;
  /** Share of validation samples that are right, between 0 and 1; null without data. */
  readonly accuracy: number | null;
}

interface Entry {
  /** Position in the ledger, from 1. */
  readonly step: number;
  readonly before: Figures;
  /** What the step reached; when it was not accepted the build went on from `before`. */
  readonly after: Figures;
  readonly accepted: boolean;
  /** Why it was tried and what became of it, in one sentence. */
  readonly reason: string;
}

/** What a single removal takes off the network's cost. */
export type Saving = Omit<Figures, "accuracy">;

/** What a network costs less than another. */
export function savingOf(before: Saving, after: Saving): Saving {
  return {
    macs: before.macs - after.macs,
    params: before.params - after.params,
    bytes: before.bytes - after.bytes,
    predictedMs: before.predictedMs - after.predictedMs,
  };
}

/** Channels that one group is to lose in a step. */
export interface PlannedCut {
  /** Name of the coupling group. */
  readonly group: string;
  /** Layers that produce its channels. */
  readonly layers: readonly string[];
  /** Indices of channels in the group as it was before the step. */
  readonly channels: readonly number[];
  /** Scores of these channels. */
  readonly scores: readonly number[];
  /** Channels of the group before and after. */
  readonly width: readonly [number, number];
  /** For each of these channels the place in the global ranking, from 1, of the four (or whatever a tile is) it went with. */
  readonly ranks: readonly number[];
  /** How many of the channels were dead: zero on every calibration sample. */
  readonly dead: number;
}

/** Channels that one group lost in a step. */
export interface FilterCut extends PlannedCut {
  /** What the cut saved on top of those listed before it: all of a step's together are what the step saved. */
  readonly saved: Saving;
}

/** Stage 1: one iteration. */
export interface FilterEntry extends Entry {
  readonly stage: "filters";
  readonly iteration: number;
  /** Share of the remaining channels that the schedule asked for. */
  readonly rho: number;
  readonly cuts: readonly FilterCut[];
}

/** Stage 2: one unit. */
export interface LayerEntry extends Entry {
  readonly stage: "layers";
  readonly unit: string;
  readonly kind: "branch" | "layer" | "block";
  /** D_res of the unit and its position among the candidates, from 1. */
  readonly score: number;
  readonly rank: number;
  readonly candidates: number;
  readonly nodes: readonly string[];
  /** What the network costs less without the unit, whether or not it stayed out. */
  readonly saved: Saving;
}

/** A round of the final fine-tuning of one accepted network. */
export interface FinalEntry extends Entry {
  readonly stage: "final";
  /** Step of the ledger whose network was fine-tuned; 0 is the dense network. */
  readonly of: number;
  /** From 1. */
  readonly round: number;
}

export type LedgerEntry = FilterEntry | LayerEntry | FinalEntry;

/** 0.0153 -> "1.53 points". */
export function points(fraction: number): string {
  return `${(100 * fraction).toFixed(2)} points`;
}

/** `model/bn/Fused;model/conv2d_2/BiasAdd;model/conv2d_2/Conv2D` -> `model/conv2d_2/Conv2D`: TFLite joins fused names. */
export function shortName(name: string): string {
  return name.slice(name.lastIndexOf(";") + 1);
}

/** "branch unit4.add": units are named with their kind first. */
export function unitName({ kind, unit }: Pick<LayerEntry, "kind" | "unit">): string {
  const name = unit.startsWith(`${kind}:`) ? unit.slice(kind.length + 1) : unit;
  return `${kind} ${shortName(name)}`;
}

/** "−3.1 µs": the predicted time that a removal saves. */
export function savedMs({ predictedMs }: Saving): string {
  const us = 1000 * predictedMs;
  const size = Math.abs(us);
  const text = size >= 1000 ? `${(size / 1000).toFixed(2)} ms` : `${size.toFixed(size < 10 ? 1 : 0)} µs`;
  return `${us < 0 ? "+" : "−"}${text}`;
}

/** One line for people. */
export function describeEntry(e: LedgerEntry): string {
  const saved = (a: number, b: number): string => (a > 0 ? `${(100 * (1 - b / a)).toFixed(1)} %` : "0 %");
  const verdict = e.accepted ? "accepted" : "rejected";
  const numbers = `${saved(e.before.macs, e.after.macs)} fewer MACs`;
  switch (e.stage) {
    case "filters": {
      const cuts = e.cuts
        .map((c) => `${c.layers.map(shortName).join("+")} ${c.width[0]}→${c.width[1]} (${savedMs(c.saved)})`)
        .join(", ");
      return `stage 1, iteration ${e.iteration + 1}: ${cuts}; ${numbers}; ${verdict}: ${e.reason}`;
    }
    case "layers":
      return `stage 2: ${unitName(e)} (${e.nodes.length} nodes, ${savedMs(e.saved)}); ${numbers}; ${verdict}: ${e.reason}`;
    case "final":
      return `final fine-tuning of step ${e.of}, round ${e.round}; ${verdict}: ${e.reason}`;
  }
}
