/**
 * Commands and options as data: parsing, checking, `--help` and docs/options.md all read these tables.
 */

export interface OptionSpec {
  readonly name: string;
  /** `flag` takes no value; `strings` may be given several times. */
  readonly kind: "flag" | "string" | "strings" | "number" | "integer";
  /** What stands for the value in help, for example `points`. */
  readonly value?: string;
  readonly summary: string;
  readonly default?: boolean | string | number;
  /** Text for the default where it is decided elsewhere. */
  readonly defaultText?: string;
  readonly choices?: readonly string[];
  /** Inclusive limits of a number. */
  readonly min?: number;
  readonly max?: number;
  /** The number must be larger than this. */
  readonly above?: number;
  /** The number must be smaller than this. */
  readonly below?: number;
}

export interface CommandSpec {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** A paragraph for help and docs. */
  readonly about: string;
  /** Positional arguments, all required. */
  readonly args: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
}

/** Options of every command. */
export const COMMON_OPTIONS = [
  { name: "json", kind: "flag", summary: "Print exactly one JSON document on stdout, also on error" },
  { name: "quiet", kind: "flag", summary: "Print no progress" },
  { name: "help", kind: "flag", summary: "Print what the command does and its options" },
] as const satisfies readonly OptionSpec[];

type Named<O extends OptionSpec, N> = Extract<O, { readonly name: N }>;

type ValueOf<O> = O extends { readonly kind: "flag" }
  ? boolean
  : O extends { readonly kind: "strings" }
    ? readonly string[]
    : | (O extends { readonly kind: "number" | "integer" } ? number : string)
      | (O extends { readonly default: unknown } ? never : undefined);

/** Parsed values of a table of options: kebab-case names as keys. */
export type Values<O extends readonly OptionSpec[]> = {
  readonly [N in (O[number] | (typeof COMMON_OPTIONS)[number])["name"]]: ValueOf<
    Named<O[number] | (typeof COMMON_OPTIONS)[number], N>
  >;
};

export type AnyValues = Readonly<Record<string, boolean | string | number | readonly string[] | undefined>>;
