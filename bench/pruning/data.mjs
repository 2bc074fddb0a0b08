// The data sets of the bench. Splits are those of one seed for all runs: a seed of a run varies the pruning alone.
import { existsSync } from "node:fs";
import path from "node:path";
import { FEATURES, standardised, writeSpokenDigits } from "./spoken-digits.mjs";

const SPLIT_SEED = 1;

/** @param folder the shared data; @param cache where sounds are kept as files */
export async function loadNamed({ loadData }, name, folder, cache) {
  const source = path.join(folder, name);
  if (!existsSync(source)) throw new Error(`there is no ${source}; say with --data where the data sets are`);
  if (name !== "fsdd") return loadData(source, { seed: SPLIT_SEED, normalize: { kind: "unit" } });
  const sounds = path.join(cache, "fsdd-wav");
  writeSpokenDigits(source, sounds);
  const options = { seed: SPLIT_SEED, features: FEATURES };
  const { train } = await loadData(sounds, options);
  return loadData(sounds, { ...options, normalize: standardised(train) });
}
