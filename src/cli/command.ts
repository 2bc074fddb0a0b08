import type { DataLoader } from "../build/config.js";
import type { Progress } from "./progress.js";
import type { AnyValues, CommandSpec, OptionSpec, Values } from "./spec.js";

/** Exit codes of the program. */
export const EXIT = { done: 0, userError: 1, refused: 2, internalError: 3 } as const;

/** What a command hands back: the document for `--json`, the text for people, and the exit code. */
export interface Outcome {
  readonly json: unknown;
  readonly text: string;
  readonly exit?: number;
}

export interface Context<V = AnyValues> {
  readonly args: readonly string[];
  readonly values: V;
  readonly progress: Progress;
  /** The data as code, from a configuration; null where `values.data` says where it is. */
  readonly loader?: DataLoader | null;
}

export interface Command {
  readonly spec: CommandSpec;
  run(context: Context): Promise<Outcome>;
}

/** Ties a command's code to its table of options, so that values have the types the table says. */
export function defineCommand<const O extends readonly OptionSpec[]>(
  spec: Omit<CommandSpec, "options"> & { readonly options: O },
  run: (context: Context<Values<O>>) => Promise<Outcome>,
): Command {
  // parseCommand fills every key of the table with a value of the kind the table states.
  return { spec, run: (context) => run(context as unknown as Context<Values<O>>) };
}
