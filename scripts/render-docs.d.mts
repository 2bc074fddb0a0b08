import type { CommandSpec, OptionSpec } from "../src/cli/spec.js";

export function renderOptions(
  specs: readonly CommandSpec[],
  common: readonly OptionSpec[],
  texts: {
    optionUsage(o: OptionSpec): string;
    optionDefault(o: OptionSpec): string;
    usage(spec: CommandSpec): string;
  },
): string;
export function renderErrors(errors: Readonly<Record<string, string>>): string;
export interface OperatorRow {
  readonly name: string;
  readonly summary: string;
  readonly host: boolean;
  readonly device: boolean;
  /** Emission makes it part of other operators. */
  readonly folded: boolean;
  readonly cuttable: boolean;
  readonly gradient: boolean;
}
export interface FormatTable {
  readonly title: string;
  /** Names in the format's own spelling. */
  readonly read: readonly string[];
  /** Operators of the IR; null where the format is not written. */
  readonly written: readonly string[] | null;
}
export function renderOperators(
  operators: readonly OperatorRow[],
  internal: readonly string[],
  formats: readonly FormatTable[],
): string;
/** The pages by file name, from modules of the library (its sources or its build). */
export function renderAll(load: (module: string) => Promise<any>): Promise<Record<string, string>>;
