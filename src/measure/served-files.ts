/** Everything that a device may fetch: the page, and of each package the files that its passport names and timing needs. */
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { IdapError } from "../model/errors.js";
import { hasWeightsInside, type LocalPackage } from "./job.js";

/** The page's own files are small and kept; a package's are read when they are asked for. */
export type ServedFile = { readonly type: string } & (
  { readonly content: Buffer } | { readonly file: string; readonly bytes: number }
);

/** A file of ours that runs on devices. */
export const deviceFile = (name: string): URL => new URL(`./device/${name}`, import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
  ".bin": "application/octet-stream",
};

const typeOf = (name: string): string => TYPES[path.extname(name)]!;

/** Addresses below the token of what is in the folder `device`, beside this module. */
const PAGE = ["page.css", "page.mjs", "chart.mjs", "worker.mjs", "browser-host.mjs", "timing.mjs"];

export function servedFiles(
  groups: readonly (readonly LocalPackage[])[],
  at: (group: number, index: number) => string,
): Map<string, ServedFile> {
  const files = new Map<string, ServedFile>();
  const own = (name: string): ServedFile => ({ type: typeOf(name), content: readFileSync(deviceFile(name)) });
  files.set("", own("index.html"));
  for (const name of PAGE) files.set(name, own(name));
  for (const [g, group] of groups.entries()) {
    for (const [i, pkg] of group.entries()) {
      const weights = hasWeightsInside(pkg) ? [] : ["weights.bin"];
      for (const name of [...pkg.variants.map((v) => `model.${v}.wasm`), ...weights]) {
        files.set(`${at(g, i)}/${name}`, packageFile(pkg, name));
      }
    }
  }
  return files;
}

function packageFile({ dir, passport }: LocalPackage, name: string): ServedFile {
  const wrong = (why: string): IdapError =>
    new IdapError("E_VERIFY", `${dir}: ${name} ${why}`, "Build the package again.");
  if (passport.files?.[name] === undefined) throw wrong("is not named in the passport, so it is not served");
  const file = path.resolve(dir, name);
  if (!existsSync(file)) throw wrong("is missing");
  return { type: typeOf(name), file, bytes: statSync(file).size };
}
