import type { DataSet, GivenData } from "../data/index.js";

/** What a loader is told: the seed of the build, for whatever it draws itself. */
export interface LoaderContext {
  readonly seed: number;
}

/** A user's own loader: samples in memory, or a data set with splits of its own. */
export type DataLoader = (context: LoaderContext) => GivenData | DataSet | Promise<GivenData | DataSet>;

/**
 * What `idap.config.ts` exports: options of the command line by their names in camel case, and the data, as a path or as
 * code. The command line goes before it. Each command takes the options it has.
 */
export interface IdapConfig {
  /** A folder or file as for `--data`, or a function that reads the samples. */
  readonly data?: string | DataLoader;
  readonly format?: string;
  readonly normalize?: string;
  readonly classes?: number;
  readonly classNames?: string;
  readonly label?: string;
  readonly labelFrom?: string;
  readonly testFiles?: string;
  readonly sampleShape?: string;
  readonly features?: string;
  readonly validation?: number;
  readonly batch?: number;
  readonly shape?: string | readonly string[];
  readonly target?: string;
  /** `idap build` takes several, with budgets; `idap compare` takes one. */
  readonly device?: string | readonly string[];
  /** A share for `idap build`, shares for `idap compare`. */
  readonly macs?: number | readonly number[];
  readonly sweep?: boolean;
  readonly maxDrop?: number;
  readonly oneShot?: boolean;
  readonly criterion?: string;
  readonly criteria?: string;
  readonly stages?: "filters" | "layers" | "both";
  readonly seeds?: number;
  readonly noPrune?: boolean;
  readonly singleFile?: boolean;
  readonly winograd?: "auto" | "off";
  readonly executor?: string;
  readonly threads?: number;
  readonly fast?: boolean;
  readonly seed?: number;
  readonly epochs?: number;
  /** A number or `auto`, as a text as on the command line. */
  readonly learningRate?: string;
  readonly runs?: number;
  readonly noMeasure?: boolean;
  readonly resume?: boolean;
  readonly out?: string;
}

/** Gives the configuration its type; returns it as it is. */
export function defineConfig(config: IdapConfig): IdapConfig {
  return config;
}
