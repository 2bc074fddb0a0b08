/** A folder that appears whole: written beside its destination, then renamed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { IdapError } from "../model/errors.js";

/** Whether `dir` is a package that we wrote. */
function isOurs(dir: string): boolean {
  try {
    const passport = JSON.parse(readFileSync(path.join(dir, "passport.json"), "utf8")) as { idap?: unknown };
    return passport.idap === 1;
  } catch {
    return false;
  }
}

/** Throws E_OUT_NOT_OURS unless `out` is free, empty, or a package of ours that may be replaced. */
export function checkOutput(out: string, overwrite = true): void {
  if (!existsSync(out)) return;
  let entries: string[];
  try {
    entries = readdirSync(out);
  } catch {
    throw new IdapError("E_OUT_NOT_OURS", `"${out}" is a file; the package needs a folder`, "Choose another --out.");
  }
  if (entries.length === 0) return;
  if (!isOurs(out)) {
    throw new IdapError(
      "E_OUT_NOT_OURS",
      `the folder "${out}" is not empty and holds no package of ours, so it is not overwritten`,
      "Choose another --out, or empty the folder yourself.",
    );
  }
  if (!overwrite) throw new IdapError("E_OUT_EXISTS", `"${out}" already holds a package`, "Choose another --out.");
}

export function writePackage(out: string, files: ReadonlyMap<string, Uint8Array>, overwrite: boolean): void {
  checkOutput(out, overwrite);
  const target = path.resolve(out);
  const fresh = `${target}.${process.pid}.new`;
  const old = `${target}.${process.pid}.old`;
  rmSync(fresh, { recursive: true, force: true });
  try {
    for (const [name, content] of files) {
      const file = path.join(fresh, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
    if (existsSync(target)) renameSync(target, old);
    renameSync(fresh, target);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  rmSync(old, { recursive: true, force: true });
}
