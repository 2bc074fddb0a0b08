import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { IdapError } from "../model/errors.js";

/** Where a build writes: the package, and beside it the folder of the run. */
export interface BuildPaths {
  readonly out: string;
  readonly name: string;
  readonly run: string;
}

/** Paths of a build; refuses an output folder that holds anything but a package of ours. */
export function buildPaths(out: string): BuildPaths {
  const full = path.resolve(out);
  if (existsSync(full)) {
    if (!statSync(full).isDirectory()) {
      throw new IdapError("E_OUTPUT", `${out} is a file; the package needs a folder`, "Choose another --out.");
    }
    const files = readdirSync(full);
    if (files.length > 0 && !files.includes("passport.json")) {
      throw new IdapError(
        "E_OUTPUT",
        `${out} exists and holds no package of ours (${files.slice(0, 3).join(", ")}${files.length > 3 ? ", …" : ""})`,
        "Choose another --out, or empty that folder yourself.",
      );
    }
  }
  const name = path.basename(full);
  return { out: full, name, run: path.join(path.dirname(full), `.idap-run-${name}`) };
}
