import type { Group } from "../model/coupling.js";
import type { Graph } from "../model/types.js";
import { Elimination } from "./elimination.js";
import type { Moments } from "./moments.js";
import { producersOf, type Producer } from "./producers.js";

/** A layer that reads channels of a group: its fit, and for each atom which of its factors go with it. */
export interface Reader {
  readonly producer: Producer;
  readonly elimination: Elimination;
  readonly entries: ReadonlyMap<number, readonly number[]>;
}

/** The layers with moments that read a group, in graph order. */
export function readersOf(graph: Graph, group: Group, moments: ReadonlyMap<string, Moments>): Reader[] {
  return producersOf(graph).flatMap((producer): Reader[] => {
    const input = producer.node.inputs[0]!;
    const own = moments.get(producer.node.name);
    if (!own) return [];
    const { shape } = graph.tensors.get(input)!.type;
    const channels = shape.at(-1)!;
    const taps = (own.size - 1) / channels;
    const entries = new Map<number, number[]>();
    for (const atom of group.atoms)
      for (const { tensor, axis, indices } of atom.members) {
        if (tensor !== input || axis !== shape.length - 1) continue;
        const list = entries.get(atom.id) ?? [];
        for (let t = 0; t < taps; t++) for (const i of indices) list.push(t * channels + i);
        entries.set(atom.id, list);
      }
    if (entries.size === 0) return [];
    const weights = graph.tensors.get(producer.weight)!.data as Float32Array;
    return [{ producer, elimination: new Elimination(own, weights, producer.channels), entries }];
  });
}
