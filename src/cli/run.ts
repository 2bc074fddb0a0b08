import { readFileSync } from "node:fs";
import { IdapError } from "../model/errors.js";
import { EXIT, type Command } from "./command.js";
import { CONFIG_OPTION, merged, readConfiguration, type Configuration } from "./config.js";
import { commandHelp, programHelp } from "./help.js";
import { parseCommand } from "./parse.js";
import { Progress } from "./progress.js";
import type { AnyValues } from "./spec.js";
import { nearest } from "./suggest.js";

/** The version of this package. */
export function version(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

interface Streams {
  readonly out: { write(text: string): unknown };
  readonly err: { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown };
}

/** Runs one command line and returns the exit code. With `--json` exactly one document goes to `out`. */
export async function runCli(words: readonly string[], commands: readonly Command[], io: Streams): Promise<number> {
  const json = words.includes("--json");
  let progress: Progress | null = null;
  try {
    const [name, ...rest] = words;
    if (name === undefined || name === "--help" || name === "-h" || name === "help") {
      io.out.write(
        `${programHelp(
          version(),
          commands.map((c) => c.spec),
        )}\n`,
      );
      return EXIT.done;
    }
    if (name === "--version" || name === "-v") {
      io.out.write(`${version()}\n`);
      return EXIT.done;
    }
    const command = findCommand(name, commands);
    const { args, values: written, given } = parseCommand(command.spec, rest);
    if (written.help === true) {
      io.out.write(`${commandHelp(command.spec)}\n`);
      return EXIT.done;
    }
    progress = new Progress(io.err, written.quiet === true);
    const config = await configurationOf(command, written, commands);
    if (config) progress.say(`options of ${config.file}`);
    const values = merged(written, given, config);
    const loader = given.has("data") ? null : (config?.loader ?? null);
    const outcome = await command.run({ args, values, progress, loader });
    progress.end();
    io.out.write(json ? `${JSON.stringify(outcome.json, null, 2)}\n` : `${outcome.text}\n`);
    return outcome.exit ?? EXIT.done;
  } catch (error) {
    progress?.end();
    return reportError(error, json, io);
  }
}

async function configurationOf(
  { spec }: Command,
  values: AnyValues,
  commands: readonly Command[],
): Promise<Configuration | null> {
  if (!spec.options.some((o) => o.name === CONFIG_OPTION.name)) return null;
  const all = commands.map((c) => c.spec);
  return readConfiguration(values.config as string | undefined, spec, all);
}

function findCommand(name: string, commands: readonly Command[]): Command {
  const command = commands.find((c) => c.spec.name === name);
  if (command !== undefined) return command;
  const names = commands.map((c) => c.spec.name);
  const meant = nearest(name, names);
  throw new IdapError(
    "E_COMMAND",
    name.startsWith("-") ? `the first word must be a command, got ${name}` : `idap has no command ${name}`,
    meant === null ? `There are ${names.join(", ")}.` : `Did you mean ${meant}?`,
  );
}

function reportError(error: unknown, json: boolean, io: Streams): number {
  if (error instanceof IdapError) {
    io.err.write(`error: ${error.message}\n${error.hint === undefined ? "" : `hint: ${error.hint}\n`}`);
    if (json) {
      const { code, message, hint } = error;
      io.out.write(`${JSON.stringify({ error: { code, message, hint } }, null, 2)}\n`);
    }
    return EXIT.userError;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.err.write(
    `error: something went wrong inside idap. This is a fault of ours: please report it with the command line and\n` +
      `the lines below (idap ${version()}, Node ${process.version}, ${process.platform} ${process.arch}).\n${stack}\n`,
  );
  if (json) {
    const message = error instanceof Error ? error.message : String(error);
    io.out.write(`${JSON.stringify({ error: { code: "E_INTERNAL", message } }, null, 2)}\n`);
  }
  return EXIT.internalError;
}
