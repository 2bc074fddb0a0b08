import path from "node:path";
import { checkOutput } from "../emit/index.js";

/** Where a build writes: the package, and beside it the folders of the run and of unfinished work. */
export interface BuildPaths {
  readonly out: string;
  readonly name: string;
  /** Checkpoints; kept after the build. */
  readonly run: string;
  /** Unfinished packages; gone after the build, whatever became of it. */
  readonly work: string;
}

/** Paths of a build; refuses an output folder that holds anything but a package of ours. */
export function buildPaths(out: string): BuildPaths {
  checkOutput(out);
  const full = path.resolve(out);
  const name = path.basename(full);
  const beside = path.dirname(full);
  return {
    out: full,
    name,
    run: path.join(beside, `.idap-run-${name}`),
    work: path.join(beside, `.idap-work-${name}`),
  };
}
