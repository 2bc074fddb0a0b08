import { parseArgs } from "node:util";
import { IdapError } from "../model/errors.js";
import { COMMON_OPTIONS, type AnyValues, type CommandSpec, type OptionSpec } from "./spec.js";
import { nearest } from "./suggest.js";

export interface Parsed {
  readonly args: readonly string[];
  readonly values: AnyValues;
  /** Names of the options that were written. */
  readonly given: ReadonlySet<string>;
}

/**
 * Reads the words after a command's name by its table. Values are taken as they stand (`--max-drop -1` is a value of
 * -1, `--out 007` is "007"), then checked; unknown options, missing and superfluous words are told with what exists.
 */
export function parseCommand(spec: CommandSpec, words: readonly string[]): Parsed {
  const options: readonly OptionSpec[] = [...spec.options, ...COMMON_OPTIONS];
  const byName = new Map(options.map((o) => [o.name, o]));
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(options.map((o) => [o.name, { type: o.kind === "flag" ? "boolean" : "string" }])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const args: string[] = [];
  const values: Record<string, boolean | string | number | string[] | undefined> = {};
  for (const o of options) values[o.name] = o.kind === "flag" ? false : o.kind === "strings" ? [] : o.default;
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind === "positional") args.push(token.value);
    if (token.kind !== "option") continue;
    const option = token.rawName === "-h" ? byName.get("help") : byName.get(token.name);
    if (option === undefined || (token.rawName !== "-h" && !token.rawName.startsWith("--"))) {
      throw unknownOption(token.rawName, spec, [...byName.keys()]);
    }
    // `--out --json` has forgotten a value; who means one that begins with two dashes writes `--out=--json`.
    const forgotten = token.inlineValue === false && token.value.startsWith("--");
    values[option.name] = readValue(option, forgotten ? undefined : token.value, values[option.name]);
    if (given.has(option.name) && option.kind !== "strings" && option.kind !== "flag") {
      throw new IdapError("E_OPTION", `--${option.name} is given twice`, "Give it once.");
    }
    given.add(option.name);
  }
  if (values.help !== true) checkArgs(spec, args);
  return { args, values, given };
}

/** One value as it was written, checked; `strings` add up. */
export function readValue(
  option: OptionSpec,
  text: string | undefined,
  before: boolean | string | number | string[] | undefined,
): boolean | string | number | string[] {
  const name = `--${option.name}`;
  if (option.kind === "flag") {
    // `--fast=false` undoes what a configuration says.
    if (text === "true" || text === "false") return text === "true";
    if (text !== undefined) throw new IdapError("E_OPTION", `${name} takes no value, got "${text}"`);
    return true;
  }
  if (text === undefined || text === "") {
    throw new IdapError("E_OPTION", `${name} needs a value: ${name} <${option.value ?? option.name}>`);
  }
  if (option.choices !== undefined && !option.choices.includes(text)) {
    const meant = nearest(text, option.choices);
    throw new IdapError(
      "E_OPTION",
      `${name} must be one of ${option.choices.join(", ")}, got "${text}"`,
      meant === null ? undefined : `Did you mean ${meant}?`,
    );
  }
  if (option.kind === "strings") return [...(before as string[]), text];
  if (option.kind === "string") return text;
  return readNumber(option, text);
}

function readNumber(option: OptionSpec, text: string): number {
  const n = text.trim() === "" ? NaN : Number(text);
  const kind = option.kind === "integer" ? "a whole number" : "a number";
  const limits = [
    option.min === undefined ? "" : `of at least ${option.min}`,
    option.above === undefined ? "" : `above ${option.above}`,
    option.max === undefined ? "" : `of at most ${option.max}`,
    option.below === undefined ? "" : `below ${option.below}`,
  ].filter((s) => s !== "");
  if (
    !Number.isFinite(n) ||
    (option.kind === "integer" && !Number.isInteger(n)) ||
    n < (option.min ?? -Infinity) ||
    n > (option.max ?? Infinity) ||
    n <= (option.above ?? -Infinity) ||
    n >= (option.below ?? Infinity)
  ) {
    throw new IdapError(
      "E_OPTION",
      `--${option.name} needs ${[kind, limits.join(" and ")].join(" ").trim()}, got ${text}`,
    );
  }
  return n;
}

function unknownOption(raw: string, spec: CommandSpec, names: readonly string[]): IdapError {
  const meant = nearest(raw.replace(/^-+/, ""), names);
  return new IdapError(
    "E_OPTION",
    `idap ${spec.name} has no option ${raw}`,
    meant === null ? `See idap ${spec.name} --help.` : `Did you mean --${meant}?`,
  );
}

function checkArgs(spec: CommandSpec, args: readonly string[]): void {
  const missing = spec.args[args.length];
  if (missing !== undefined) {
    throw new IdapError(
      "E_OPTION",
      `idap ${spec.name} needs ${missing.summary} as its <${missing.name}>`,
      `For example: ${spec.examples[0]}`,
    );
  }
  if (args.length > spec.args.length) {
    const extra = args.slice(spec.args.length);
    throw new IdapError(
      "E_OPTION",
      `idap ${spec.name} takes ${spec.args.length === 0 ? "no argument" : `only <${spec.args.map((a) => a.name).join("> <")}>`}, got also ${extra.join(" ")}`,
      `See idap ${spec.name} --help.`,
    );
  }
}
