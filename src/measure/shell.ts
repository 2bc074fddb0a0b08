/** Engines as child processes: found, started, listened to. */
import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { IdapError } from "../model/errors.js";

/** Calls `take` with every line of a stream, the last one even without a line break. */
export function onLines(stream: Readable, take: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    lines.forEach(take);
  });
  stream.on("end", () => rest !== "" && take(rest));
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The first of `names` on PATH, then the first of `places` that exists; null where there is none. */
export function findProgram(names: readonly string[], places: readonly string[] = []): string | null {
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter((dir) => dir !== "");
  const onPath = names.flatMap((name) => folders.map((dir) => path.join(dir, name)));
  return [...onPath, ...places].find(isProgram) ?? null;
}

/** A program that was named: a path, or a name on PATH. */
export function namedProgram(name: string, what: string): string {
  const file = name.includes(path.sep) ? (isProgram(name) ? name : null) : findProgram([name]);
  if (file !== null) return file;
  throw new IdapError("E_MEASURE", `${name}: no ${what} can be started from there`, "Name the path of its executable.");
}

export interface ShellResult {
  readonly code: number | null;
  readonly out: Buffer;
  /** The last line that it wrote to stderr. */
  readonly err: string;
}

/** Runs a program to its end; what it prints may be bytes. `onLine` gets the lines of stdout as they come. */
export function runShell(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly onLine?: (line: string) => void } = {},
): Promise<ShellResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], cwd: options.cwd });
    const out: Buffer[] = [];
    let err = "";
    if (options.onLine) onLines(child.stdout, options.onLine);
    else child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    onLines(child.stderr, (line) => line.trim() !== "" && (err = line.trim()));
    child.on("error", (e) =>
      reject(
        new IdapError("E_MEASURE", `${program} cannot be started: ${e.message}`, "Name the path of its executable."),
      ),
    );
    child.on("close", (code) => resolve({ code, out: Buffer.concat(out), err }));
  });
}
