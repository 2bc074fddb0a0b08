/** A timing program in a child process of its own: a request goes in as JSON, an answer comes back as JSON. */
import { spawn } from "node:child_process";
import process from "node:process";
import { IdapError } from "../model/errors.js";
import { onLines } from "./shell.js";
import type { TimingProgress } from "./device/timing.mjs";

/** Which Node to time in. */
export interface NodeChoice {
  /** Default: this one. */
  readonly nodePath?: string;
  /** Flags for that Node, for example `--experimental-wasm-relaxed-simd`. */
  readonly nodeFlags?: readonly string[];
}

/** The answer of a program that could not time a package. */
export interface Failure {
  readonly error: string;
  readonly dir: string | null;
}

export function cannotBeTimed({ error, dir }: Failure): IdapError {
  return new IdapError(
    "E_MEASURE",
    `${dir ?? "package"}: cannot be timed: ${error}`,
    "Run `idap verify` on the package; it says which file is wrong.",
  );
}

/** `onProgress` gets what the program writes to stderr as lines `progress <JSON>`. */
export function runProgram<Answer>(
  program: string,
  request: unknown,
  choice: NodeChoice,
  onProgress?: (progress: TimingProgress) => void,
): Promise<Answer> {
  const { nodePath = process.execPath, nodeFlags = [] } = choice;
  return new Promise((resolve, reject) => {
    const child = spawn(nodePath, [...nodeFlags, "--input-type=module", "--eval", program], {
      stdio: ["pipe", "pipe", "pipe"],
      // Flags that the caller's own process runs with (a debugger, a coverage tool) must not slow the child.
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (s: string) => (out += s));
    onLines(child.stderr, (line) => {
      if (line.startsWith("progress ")) onProgress?.(JSON.parse(line.slice(9)) as TimingProgress);
      else if (line !== "") err = line;
    });
    child.on("error", (e) =>
      reject(
        new IdapError("E_MEASURE", `${nodePath} cannot be started: ${e.message}`, "Name the path of a Node binary."),
      ),
    );
    child.on("close", (code, signal) => {
      try {
        resolve(JSON.parse(out) as Answer);
      } catch {
        reject(
          new IdapError(
            "E_MEASURE",
            `the timing process ended without an answer (${signal ?? `exit code ${code}`}): ${err.trim()}`,
          ),
        );
      }
    });
    child.stdin.on("error", () => {}); // reported by "close"
    child.stdin.end(JSON.stringify(request));
  });
}
