import { createHash } from "node:crypto";
import type { Split } from "../model/dataset.js";
import { graphToJson } from "../model/serialize.js";
import type { Graph } from "../model/types.js";
import type { Engine } from "../pruner/engine.js";

/**
 * An engine that computes nothing twice of the same network and samples: of the dense network, from which the builds for
 * several devices start, predictions, accuracies and gradients are the same for all of them.
 */
export function rememberingEngine(engine: Engine): Engine {
  const known = new Map<string, Promise<unknown>>();
  const splits = new WeakMap<Split, number>();
  const graphs = new WeakMap<Graph, string>();
  let count = 0;
  const keyOf = (graph: Graph, data: Split, what: string): string => {
    let hash = graphs.get(graph);
    // Its JSON holds the hash of the weights.
    if (hash === undefined) graphs.set(graph, (hash = createHash("sha256").update(graphToJson(graph)).digest("hex")));
    let split = splits.get(data);
    if (split === undefined) splits.set(data, (split = count++));
    return `${what} ${hash} ${split}`;
  };
  const once = <T>(key: string, compute: () => Promise<T>): Promise<T> => {
    if (!known.has(key)) known.set(key, compute());
    return known.get(key) as Promise<T>;
  };
  return {
    ...engine,
    evaluate: (graph, data) => once(keyOf(graph, data, "evaluate"), () => engine.evaluate(graph, data)),
    predict: (graph, data) => once(keyOf(graph, data, "predict"), () => engine.predict(graph, data)),
    gradients: (graph, data, samples) =>
      once(keyOf(graph, data, `gradients ${samples}`), () => engine.gradients(graph, data, samples)),
  };
}
