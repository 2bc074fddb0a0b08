import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { IdapError } from "../model/errors.js";
import { loadGraph, saveGraph, writeAtomically } from "../model/serialize.js";
import type { Graph } from "../model/types.js";
import type { PruneState } from "./state.js";

/**
 * Where a run keeps what it would be sorry to lose. `graph(name)` files are written before the state that names them,
 * each to a temporary name and renamed, so that a kill at any moment leaves the last complete step.
 */
export interface RunStore {
  load(): Promise<PruneState | null>;
  save(state: PruneState): Promise<void>;
  putGraph(name: string, graph: Graph): Promise<void>;
  getGraph(name: string): Promise<Graph>;
}

/** Keeps everything in memory: for callers that do not want files. */
export function memoryStore(): RunStore {
  let state: PruneState | null = null;
  const graphs = new Map<string, Graph>();
  return {
    load: () => Promise.resolve(state),
    save: (s) => {
      state = s;
      return Promise.resolve();
    },
    putGraph: (name, graph) => {
      graphs.set(name, graph);
      return Promise.resolve();
    },
    getGraph: (name) => Promise.resolve(graphs.get(name)!),
  };
}

/** Tells a run folder from one that is not ours to empty. */
const MARKER = "README.idap-run";

/** A folder: `state.json` and one pair of files (`.json`, `.safetensors`) for each graph. */
export async function folderStore(folder: string, options: { resume: boolean }): Promise<RunStore> {
  const stateFile = path.join(folder, "state.json");
  const present: string[] = await readdir(folder).catch(() => []);
  if (present.length > 0 && !present.includes(MARKER)) {
    throw new IdapError(
      "E_RUN_FOLDER",
      `${folder} is where the run would be kept, but it holds files that are not ours`,
      "Move them, or choose another --out.",
    );
  }
  if (!options.resume) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeAtomically(
    path.join(folder, MARKER),
    "Checkpoints of `idap build`; may be deleted when the build is done.\n",
  );
  const base = (name: string): string => path.join(folder, name);
  return {
    async load() {
      let text: string;
      try {
        text = await readFile(stateFile, "utf8");
      } catch {
        return null;
      }
      try {
        return JSON.parse(text) as PruneState;
      } catch {
        throw new IdapError("E_RESUME", `${stateFile} is not the state of a run`, "Run again without --resume.");
      }
    },
    async save(state) {
      await writeAtomically(stateFile, `${JSON.stringify(state, null, 1)}\n`);
    },
    putGraph: (name, graph) => saveGraph(graph, base(name)),
    getGraph: (name) => loadGraph(base(name)),
  };
}
