import { COMMON_OPTIONS, type CommandSpec, type OptionSpec } from "./spec.js";

const WIDTH = 100;

/** `--max-drop <points>` */
export function optionUsage(o: OptionSpec): string {
  return o.kind === "flag" ? `--${o.name}` : `--${o.name} <${o.value ?? o.name}>`;
}

/** What an option defaults to, in words; empty for flags and where there is none. */
export function optionDefault(o: OptionSpec): string {
  if (o.defaultText !== undefined) return o.defaultText;
  return o.default === undefined || o.kind === "flag" ? "" : String(o.default);
}

export function usage(spec: CommandSpec): string {
  return ["idap", spec.name, ...spec.args.map((a) => `<${a.name}>`), "[options]"].join(" ");
}

/** Help of one command. */
export function commandHelp(spec: CommandSpec): string {
  const rows = [...spec.options, ...COMMON_OPTIONS].map((o): [string, string] => {
    const fallback = optionDefault(o);
    return [optionUsage(o), fallback === "" ? o.summary : `${o.summary} (default: ${fallback})`];
  });
  return [
    wrap(spec.about, 0),
    "",
    `Usage: ${usage(spec)}`,
    ...(spec.args.length === 0 ? [] : ["", ...columns(spec.args.map((a) => [`<${a.name}>`, a.summary]))]),
    "",
    "Options:",
    ...columns(rows),
    "",
    "Examples:",
    ...spec.examples.map((e) => `  ${e}`),
  ].join("\n");
}

/** Help of the program. */
export function programHelp(version: string, commands: readonly CommandSpec[]): string {
  return [
    `idap ${version}: prunes a trained network and compiles it to WebAssembly, measured faster or refused.`,
    "",
    "Usage: idap <command> [options]",
    "",
    "Commands:",
    ...columns(commands.map((c) => [[c.name, ...c.args.map((a) => `<${a.name}>`)].join(" "), c.summary])),
    "",
    "idap <command> --help says more. Exit codes: 0 done, 1 wrong input, 2 refused, 3 a fault of idap.",
  ].join("\n");
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([a]) => a.length)) + 4;
  return rows.map(([a, b]) => `  ${a}`.padEnd(width) + wrap(b, width));
}

function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}
