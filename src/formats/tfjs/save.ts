import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { IdapError } from "../../model/errors.js";

/** What an earlier writing left in a folder, and nothing else. */
const OURS = /^(model\.json|group1-shard\d+of\d+\.bin)$/;

/**
 * Writes the files of a model into a folder, whole or not at all: into a folder beside it, which then takes its name. A
 * model that is there already is replaced; a folder that holds other things is left alone.
 *
 * @param target the folder, or the path of its model.json
 */
export async function saveFolder(files: ReadonlyMap<string, Uint8Array>, target: string): Promise<void> {
  const folder = path.resolve(path.basename(target) === "model.json" ? path.dirname(target) : target);
  const others = (await namesIn(folder)).filter((name) => !OURS.test(name));
  if (others.length > 0) {
    throw new IdapError(
      "E_FILE",
      `cannot write the model to ${target}: the folder holds other files (${others[0]!})`,
      "Give a new or an empty folder.",
    );
  }
  const [temporary, old] = [`${folder}.partial`, `${folder}.replaced`];
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    for (const [name, bytes] of files) await writeFile(path.join(temporary, name), bytes);
    await rm(old, { recursive: true, force: true });
    await rename(folder, old).catch(ignoreAbsent);
    await rename(temporary, folder);
    await rm(old, { recursive: true, force: true });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    await rename(old, folder).catch(() => {});
    throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    ignoreAbsent(error);
    return [];
  }
}

function ignoreAbsent(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}
