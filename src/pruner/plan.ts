import { graphCost } from "../analyzer/cost.js";
import { predictLatency } from "../analyzer/latency.js";
import { producersOf } from "../analyzer/producers.js";
import type { GroupScores } from "../analyzer/scores.js";
import type { Group } from "../model/coupling.js";
import { cutAtoms, type GroupCut } from "../model/cut.js";
import type { DeviceProfile } from "../model/device-profile.js";
import type { Graph } from "../model/types.js";
import type { PlannedCut } from "./ledger.js";

/**
 * The part of a coupling group whose channels come out of the same layers. A group has one cell, except where a
 * concatenation makes a bigger channel set out of several layers: each of them keeps a width of its own.
 */
interface Cell {
  readonly group: Group;
  readonly scores: Float64Array;
  readonly dead: readonly boolean[];
  /** Layers that produce these channels, by node name. */
  readonly layers: readonly string[];
  /** Atoms that may go, least important first. */
  readonly order: readonly number[];
  /** Atoms of the cell, including those that must stay. */
  readonly width: number;
  /** Atoms of one step: together they are as many channels as the target's tile. */
  readonly step: number;
  /** Fewest atoms that must stay. */
  readonly floor: number;
}

/** One step of one cell, with its place in the global ranking. */
interface Bundle {
  readonly cell: Cell;
  readonly index: number;
  readonly atoms: readonly number[];
  /** What it is worth, comparable between cells. */
  readonly score: number;
  /** Score paid for each unit of cost saved. */
  readonly price: number;
  readonly dead: number;
}

export interface PlanOptions {
  readonly channelMultiple: number;
  readonly minShare: number;
  readonly maxShareStep: number;
  readonly costUnit: "ms" | "macs";
  readonly profile: DeviceProfile;
  /** Channels of each layer before any pruning, by node name: what the floors refer to. */
  readonly originalChannels: ReadonlyMap<string, number>;
  /**
   * What the first step of each cell does to the network's output, measured, by `FirstStep.key`. Scores of a cell are
   * scaled so that they say the same; without it cells are compared by their scores as they are.
   */
  readonly sensitivity?: ReadonlyMap<string, number>;
  /** Whether a network is as small as the user's target asks: nothing more is cut then. */
  readonly enough?: (graph: Graph) => boolean;
}

/** The first step of a cell: what a measurement of its sensitivity cuts. */
export interface FirstStep {
  readonly key: string;
  readonly cut: GroupCut;
}

/** Which channels one iteration of stage 1 removes: a value that can be printed, tested and applied. */
export interface PrunePlan {
  readonly cuts: readonly GroupCut[];
  readonly ledger: readonly PlannedCut[];
  /** Atoms removed, and how many of them were dead (those do not count against the schedule). */
  readonly removed: number;
  readonly dead: number;
}

/** Channels that can be pruned at all: what the schedule's share refers to. */
export function prunableChannels(scored: readonly GroupScores[]): number {
  let n = 0;
  for (const { group, scores } of scored)
    for (const atom of group.atoms) if (atom.frozen === null && !Number.isNaN(scores[atom.id]!)) n++;
  return n;
}

function cellsOf(graph: Graph, scored: readonly GroupScores[], options: PlanOptions): Cell[] {
  const producers = new Map(producersOf(graph).map((p) => [p.raw, p]));
  const cells: Cell[] = [];
  for (const { group, scores, dead } of scored) {
    const byLayers = new Map<string, { layers: string[]; atoms: number[]; perAtom: number }>();
    for (const atom of group.atoms) {
      const layers: string[] = [];
      let perAtom = 1;
      for (const { tensor, axis, indices } of atom.members) {
        const p = producers.get(tensor);
        if (!p || axis !== graph.tensors.get(tensor)!.type.shape.length - 1) continue;
        layers.push(p.node.name);
        perAtom = Math.max(perAtom, indices.length);
      }
      if (layers.length === 0) continue;
      const key = layers.join("\n");
      const entry = byLayers.get(key);
      if (entry) entry.atoms.push(atom.id);
      else byLayers.set(key, { layers, atoms: [atom.id], perAtom });
    }
    for (const { layers, atoms, perAtom } of byLayers.values()) {
      const free = atoms.filter((a) => group.atoms[a]!.frozen === null && !Number.isNaN(scores[a]!));
      const order = free.sort((a, b) => scores[a]! - scores[b]! || a - b);
      const step = Math.max(1, Math.ceil(options.channelMultiple / perAtom));
      const original =
        Math.max(...layers.map((l) => options.originalChannels.get(l) ?? 0), atoms.length * perAtom) / perAtom;
      const floor = Math.max(step, Math.ceil((options.minShare * original) / step) * step);
      cells.push({ group, scores, dead, layers, order, width: atoms.length, step, floor });
    }
  }
  return cells;
}

/** Whether every tensor keeps an index when these atoms go: a slice of a channel set may be cut away whole. */
function leavesSomething(graph: Graph, group: Group, atoms: readonly number[]): boolean {
  const lost = new Map<string, number>();
  for (const id of atoms)
    for (const { tensor, axis, indices } of group.atoms[id]!.members) {
      const key = `${axis}:${tensor}`;
      const n = (lost.get(key) ?? 0) + indices.length;
      if (n >= graph.tensors.get(tensor)!.type.shape[axis]!) return false;
      lost.set(key, n);
    }
  return true;
}

/** Sizes of a cell's steps: the first brings the width to a multiple of the step, within floor and share. */
function stepSizes(cell: Cell, maxShareStep: number): number[] {
  const sizes: number[] = [];
  const limit = Math.max(cell.step, Math.floor(cell.width * maxShareStep));
  let width = cell.width;
  let taken = 0;
  for (;;) {
    const size = width % cell.step || cell.step;
    if (width - size < cell.floor || taken + size > limit || taken + size > cell.order.length) return sizes;
    sizes.push(size);
    width -= size;
    taken += size;
  }
}

const keyOf = (cell: Cell): string => `${cell.group.id}\n${cell.layers.join("\n")}`;

/** The first step of every cell that has one. */
export function firstSteps(graph: Graph, scored: readonly GroupScores[], options: PlanOptions): FirstStep[] {
  return cellsOf(graph, scored, options).flatMap((cell) => {
    const [size] = stepSizes(cell, options.maxShareStep);
    if (size === undefined) return [];
    const atoms = cell.order.slice(0, size);
    return leavesSomething(graph, cell.group, atoms) ? [{ key: keyOf(cell), cut: { group: cell.group, atoms } }] : [];
  });
}

/** Cost of the graph in the unit that a saving is counted in. */
function costOf(graph: Graph, options: PlanOptions): number {
  return options.costUnit === "macs" ? graphCost(graph).macs : predictLatency(graph, options.profile).ms;
}

function bundlesOf(graph: Graph, cell: Cell, base: number, options: PlanOptions): Bundle[] {
  const sizes = stepSizes(cell, options.maxShareStep);
  const taken = (): number => sizes.reduce((s, x) => s + x, 0);
  while (sizes.length > 0 && !leavesSomething(graph, cell.group, cell.order.slice(0, taken()))) sizes.pop();
  if (sizes.length === 0) return [];
  const costAfter = (steps: number): number => {
    const n = sizes.slice(0, steps).reduce((s, x) => s + x, 0);
    return costOf(cutAtoms(graph, [{ group: cell.group, atoms: cell.order.slice(0, n) }]), options);
  };
  // The first step and the mean of the others: two evaluations instead of one for each step.
  const first = costAfter(1);
  const later = sizes.length > 1 ? (first - costAfter(sizes.length)) / (sizes.length - 1) : 0;
  const firstScore = cell.order.slice(0, sizes[0]).reduce((s, a) => s + cell.scores[a]!, 0);
  const measured = options.sensitivity?.get(keyOf(cell));
  const scale = measured !== undefined && firstScore > 0 ? measured / firstScore : 1;
  let from = 0;
  let highest = 0;
  const bundles: Bundle[] = [];
  sizes.forEach((size, index) => {
    const atoms = cell.order.slice(from, from + size);
    from += size;
    const saving = index === 0 ? base - first : later;
    const score = scale * atoms.reduce((s, a) => s + cell.scores[a]!, 0);
    // A step that saves nothing is never worth its channels. Later steps of a cell cannot come before earlier ones.
    highest = Math.max(highest, saving > 0 ? score / saving : Infinity);
    bundles.push({ cell, index, atoms, score, price: highest, dead: atoms.filter((a) => cell.dead[a]).length });
  });
  return bundles.filter((b) => b.price < Infinity);
}

/**
 * The steps with the lowest score per unit of cost saved, over all groups, until about `count` channels are chosen (to
 * the nearest whole step, at least one) or the network is small enough. Dead channels are chosen first and
 * not counted. Ties are broken by group name and position, so that one seed gives one plan.
 */
export function planCut(graph: Graph, scored: readonly GroupScores[], count: number, options: PlanOptions): PrunePlan {
  const base = costOf(graph, options);
  const ranking = cellsOf(graph, scored, options).flatMap((cell) => bundlesOf(graph, cell, base, options));
  const id = (b: Bundle): string => keyOf(b.cell);
  ranking.sort((a, b) => a.price - b.price || (id(a) < id(b) ? -1 : id(a) > id(b) ? 1 : a.index - b.index));
  const chosen = planned(graph, ranking, count, options);

  const cells = new Map<Cell, { rankOf: Map<number, number>; dead: number }>();
  for (const { bundle, rank } of chosen) {
    const entry = cells.get(bundle.cell) ?? { rankOf: new Map<number, number>(), dead: 0 };
    for (const atom of bundle.atoms) entry.rankOf.set(atom, rank);
    entry.dead += bundle.dead;
    cells.set(bundle.cell, entry);
  }
  const ledger: PlannedCut[] = [];
  for (const [cell, { rankOf, dead }] of cells) {
    const channels = [...rankOf.keys()].sort((a, b) => a - b);
    ledger.push({
      group: cell.group.id,
      layers: cell.layers,
      channels,
      scores: channels.map((a) => cell.scores[a]!),
      ranks: channels.map((a) => rankOf.get(a)!),
      width: [cell.width, cell.width - channels.length],
      dead,
    });
  }
  const sum = (f: (b: Bundle) => number): number => chosen.reduce((s, { bundle }) => s + f(bundle), 0);
  return { cuts: cutsOf(chosen), ledger, removed: sum((b) => b.atoms.length), dead: sum((b) => b.dead) };
}

/** A step that goes, with its place in the ranking, from 1. */
interface Chosen {
  readonly bundle: Bundle;
  readonly rank: number;
}

/** Steps in the order of the ranking, without those in `skipped`, until about `count` channels are chosen. */
function choose(graph: Graph, ranking: readonly Bundle[], count: number, skipped: ReadonlySet<Bundle>): Chosen[] {
  const byGroup = new Map<Group, readonly number[]>();
  const steps = new Map<Cell, number>();
  const chosen: Chosen[] = [];
  let counted = 0;
  ranking.forEach((bundle, place) => {
    const size = bundle.atoms.length - bundle.dead;
    const fits = size === 0 || (count > 0 && (counted === 0 || counted + size / 2 <= count));
    const taken = steps.get(bundle.cell) ?? 0;
    if (!fits || taken !== bundle.index || skipped.has(bundle)) return;
    const { group } = bundle.cell;
    const ofGroup = [...(byGroup.get(group) ?? []), ...bundle.atoms];
    if (!leavesSomething(graph, group, ofGroup)) return;
    byGroup.set(group, ofGroup);
    steps.set(bundle.cell, taken + 1);
    chosen.push({ bundle, rank: place + 1 });
    counted += size;
  });
  return chosen;
}

/** Ways to end at a target that are compared. */
const ENDINGS = 5;

/**
 * Steps in the order of the ranking until about `count` channels are chosen or the network is small enough. A target is
 * met as closely as whole steps allow: what the last step made needless is put back, and where the last step goes far beyond,
 * the steps behind it may end at the target for less; of a few such endings the one that loses the least score is taken.
 */
function planned(graph: Graph, ranking: readonly Bundle[], count: number, options: PlanOptions): readonly Chosen[] {
  const first = choose(graph, ranking, count, new Set());
  const { enough } = options;
  if (!enough || first.length === 0) return first;
  const suffices = (steps: readonly Chosen[]): boolean => enough(cutAtoms(graph, cutsOf(steps)));
  const skipped = new Set<Bundle>();
  let best = first;
  let least = Infinity;
  let chosen = first;
  for (let i = 0; i < ENDINGS && chosen.length > 0 && suffices(chosen); i++) {
    const until = shortest(chosen, suffices);
    const left = withoutNeedless(until, suffices);
    const score = left.reduce((s, { bundle }) => s + bundle.score, 0);
    if (score < least) [best, least] = [left, score];
    skipped.add(until.at(-1).bundle);
    chosen = choose(graph, ranking, count, skipped);
  }
  return best;
}

/** As many steps, from the first on, as suffice; all of them do. */
function shortest(chosen: readonly Chosen[], suffices: (steps: readonly Chosen[]) => boolean): Chosen[] {
  let low = 1;
  let high = chosen.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (suffices(chosen.slice(0, middle))) high = middle;
    else low = middle + 1;
  }
  return chosen.slice(0, low);
}

/** Steps that suffice, of which the last is needed, without those that are not, the dearest put back first. */
function withoutNeedless(chosen: readonly Chosen[], suffices: (steps: readonly Chosen[]) => boolean): Chosen[] {
  let left = [...chosen];
  // A cell's steps go in order, so only the last of them can be put back.
  const needed = new Set<Cell>([chosen.at(-1)!.bundle.cell]);
  for (const step of chosen.slice(0, -1).reverse()) {
    const { cell, atoms, dead } = step.bundle;
    if (needed.has(cell)) continue;
    const fewer = left.filter((other) => other !== step);
    if (dead < atoms.length && suffices(fewer)) left = fewer;
    else needed.add(cell);
  }
  return left;
}

function cutsOf(chosen: readonly Chosen[]): GroupCut[] {
  const byGroup = new Map<Group, number[]>();
  for (const { bundle } of chosen) {
    const { group } = bundle.cell;
    byGroup.set(group, [...(byGroup.get(group) ?? []), ...bundle.atoms]);
  }
  return [...byGroup].map(([group, atoms]) => ({ group, atoms }));
}
