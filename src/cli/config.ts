import { stat } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { DataLoader } from "../build/config.js";
import { dataSetFrom, type DataSet, type GivenData, type LoadOptions } from "../data/index.js";
import { IdapError } from "../model/errors.js";
import { readValue } from "./parse.js";
import { COMMON_OPTIONS, type AnyValues, type CommandSpec, type OptionSpec } from "./spec.js";
import { nearest } from "./suggest.js";
import { enableTypeScript } from "./typescript-loader.js";

/** The option of every command that reads a configuration. */
export const CONFIG_OPTION = {
  name: "config",
  kind: "string",
  value: "file",
  summary: "A module whose default export gives options and a data loader (see defineConfig); none: read no file",
  defaultText: "idap.config.ts, .mts, .mjs or .js where the command runs",
} as const satisfies OptionSpec;

const DEFAULT_FILES = ["ts", "mts", "mjs", "js"].map((extension) => `idap.config.${extension}`);

/** What a configuration gives one command. */
export interface Configuration {
  readonly file: string;
  /** Options by their names on the command line, checked like those. */
  readonly values: AnyValues;
  /** The data as code. */
  readonly loader: DataLoader | null;
}

const camel = (name: string): string => name.replace(/-([a-z])/g, (_, c: string) => c.toUpperCase());

/** Reads the file that `--config` names, or the one that lies in the current folder; null where there is none. */
export async function readConfiguration(
  named: string | undefined,
  spec: CommandSpec,
  all: readonly CommandSpec[],
): Promise<Configuration | null> {
  const file = await findFile(named);
  return file === null ? null : checked(file, await importDefault(file), spec, all);
}

async function findFile(named: string | undefined): Promise<string | null> {
  if (named === "none") return null;
  const isFile = async (file: string): Promise<boolean> => (await stat(file).catch(() => null))?.isFile() === true;
  if (named !== undefined) {
    if (await isFile(named)) return path.resolve(named);
    throw new IdapError("E_CONFIG", `there is no configuration at ${named}`, "Give --config the path of a file.");
  }
  for (const file of DEFAULT_FILES) if (await isFile(file)) return path.resolve(file);
  return null;
}

async function importDefault(file: string): Promise<unknown> {
  if (/\.m?ts$/.test(file)) enableTypeScript(file);
  let loaded: { readonly default?: unknown };
  try {
    loaded = (await import(pathToFileURL(file).href)) as typeof loaded;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new IdapError(
      "E_CONFIG",
      `${path.basename(file)} cannot be loaded: ${message}`,
      code === "ERR_MODULE_NOT_FOUND" && /'idap'/.test(message)
        ? "Install idap in the project, or export a plain object: defineConfig only gives it a type."
        : undefined,
    );
  }
  return loaded.default;
}

/** The values of a configuration for one command; what only other commands have is left out, what none has is told. */
function checked(file: string, config: unknown, spec: CommandSpec, all: readonly CommandSpec[]): Configuration {
  const name = path.basename(file);
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new IdapError(
      "E_CONFIG",
      `${name} has ${config === undefined ? "no default export" : `a default export that is no object but ${typeof config}`}`,
      "Write: export default { maxDrop: 1, ... }",
    );
  }
  const own = new Map(configurable(spec).map((o) => [camel(o.name), o]));
  const known = new Set(all.flatMap((s) => configurable(s).map((o) => camel(o.name))));
  const values: Record<string, AnyValues[string]> = {};
  let loader: DataLoader | null = null;
  for (const [key, value] of Object.entries(config)) {
    if (!known.has(key)) {
      const meant = nearest(key, [...known]);
      throw new IdapError(
        "E_CONFIG",
        `${name} has an option ${key}, which idap does not know`,
        meant === null ? `There are ${[...known].sort().join(", ")}.` : `Did you mean ${meant}?`,
      );
    }
    const option = own.get(key);
    if (option === undefined || value === undefined) continue;
    if (key === "data" && typeof value === "function") loader = value as DataLoader;
    else values[option.name] = valueOf(option, value, `${name}: ${key}`);
  }
  return { file, values, loader };
}

/** Options that a file may give: all but those of every command and the file itself. */
function configurable(spec: CommandSpec): readonly OptionSpec[] {
  if (!spec.options.some((o) => o.name === CONFIG_OPTION.name)) return [];
  const not = new Set<string>([CONFIG_OPTION.name, ...COMMON_OPTIONS.map((o) => o.name)]);
  return spec.options.filter((o) => !not.has(o.name));
}

/** A value as if it had been written on the command line, so that the same checks apply. */
function valueOf(option: OptionSpec, value: unknown, where: string): AnyValues[string] {
  const wrong = (need: string): IdapError =>
    new IdapError("E_CONFIG", `${where} must be ${need}, got ${value === null ? "null" : typeof value}`);
  if (option.kind === "flag") {
    if (typeof value !== "boolean") throw wrong("true or false");
    return value;
  }
  const text = (one: unknown): string => {
    const want = option.kind === "number" || option.kind === "integer" ? "number" : "string";
    if (typeof one === want || (option.kind === "strings" && typeof one === "number")) return String(one);
    throw wrong(`a ${want}`);
  };
  if (option.kind !== "strings") return readValue(option, text(value), undefined);
  const list = Array.isArray(value) ? (value as unknown[]) : [value];
  return list.reduce<string[]>((before, one) => readValue(option, text(one), before) as string[], []);
}

/** Options of the command line before those of the file, and both before the defaults. */
export function merged(values: AnyValues, given: ReadonlySet<string>, config: Configuration | null): AnyValues {
  if (config === null) return values;
  const own = Object.entries(config.values).filter(([name]) => !given.has(name));
  return { ...values, ...Object.fromEntries(own) };
}

/** Samples of the user's own loader, checked and split; what it throws is told as its own. */
export async function runLoader(loader: DataLoader, options: LoadOptions): Promise<DataSet> {
  let found: GivenData | DataSet;
  try {
    found = await loader({ seed: options.seed });
  } catch (error) {
    if (error instanceof IdapError) throw error;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new IdapError("E_CONFIG", `the data loader of the configuration failed: ${text}`);
  }
  if (typeof found !== "object" || found === null) {
    throw new IdapError(
      "E_CONFIG",
      `the data loader of the configuration returned ${found === null ? "null" : typeof found}`,
      "Return { train: { shape, values, labels }, test: ... }.",
    );
  }
  return isDataSet(found) ? found : dataSetFrom(found, options);
}

function isDataSet(found: GivenData | DataSet): found is DataSet {
  return "hash" in found && typeof (found.train as { read?: unknown } | undefined)?.read === "function";
}
