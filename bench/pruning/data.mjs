// The data sets of the bench. Splits are those of one seed for all runs: a seed of a run varies the pruning alone.
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { writeSpokenDigits } from "./spoken-digits.mjs";

const SPLIT_SEED = 1;

/** @param folder the shared data; @param cache where features are kept */
export async function loadNamed({ loadData }, name, folder, cache) {
  const source = path.join(folder, name);
  if (!existsSync(source)) throw new Error(`there is no ${source}; say with --data where the data sets are`);
  if (name !== "fsdd") return loadData(source, { seed: SPLIT_SEED, normalize: { kind: "unit" } });
  const features = path.join(cache, "fsdd-features");
  if (!existsSync(path.join(features, "idap-data.json"))) {
    mkdirSync(features, { recursive: true });
    writeSpokenDigits(source, features);
  }
  return loadData(features, { seed: SPLIT_SEED });
}
