export { folderStore, memoryStore, type RunStore } from "./checkpoint.js";
export { PRUNE_DEFAULTS } from "./defaults.js";
export { hostEngine, type Engine } from "./engine.js";
export {
  describeEntry,
  type FilterEntry,
  type Figures,
  type FinalEntry,
  type LayerEntry,
  type LedgerEntry,
} from "./ledger.js";
export { resolveOptions, type PruneOptions, type PruneTarget, type ResolvedOptions } from "./options.js";
export { prune, type PruneData, type PruneHooks, type PruneResult } from "./prune.js";
