import type { Split } from "../model/dataset.js";
import type { AudioFeatures } from "./audio/features.js";

/** What a build reads from a folder of samples. The four splits share one copy of the bytes. */
export interface DataSet {
  /** For fitting weights; disjoint from `validation` and `test`. */
  readonly train: Split;
  /** For accepting or rejecting steps; taken from the training files by seed, seen by no score and no gradient. */
  readonly validation: Split;
  /** For scores and statistics; a part of `train`. */
  readonly calibration: Split;
  /** The data set's own test files, touched once at the end; null when it has none. */
  readonly test: Split | null;
  /** One line for people: format, counts, shape, classes, normalisation. */
  readonly description: string;
  /** The name of each class, where the data has names. */
  readonly classNames?: readonly string[];
  /** sha-256 (hex) of all samples and labels, uncompressed: the same data in other files has the same hash. */
  readonly hash: string;
}

/** Samples of one part (train or test) as stored: C order, channels last for images. */
export interface Samples {
  readonly count: number;
  /** Shape of one sample. */
  readonly shape: readonly number[];
  readonly values: Uint8Array | Int8Array | Float32Array;
  readonly labels: Int32Array | null;
}

/** What a format reader returns. */
export interface RawData {
  /** Null when there are only test samples. */
  readonly train: Samples | null;
  readonly test: Samples | null;
  /** Number of classes; 0 for unlabelled data. */
  readonly classes: number;
  /** Where the data has names: the name of each class. */
  readonly classNames?: readonly string[];
  /** real = scale * (stored - zeroPoint), applied before any normalisation; 1 and 0 for plain values. */
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * How stored values become the model's input, per channel (the last axis): (value - mean) * scale.
 * `none`: as stored (bytes are 0..255); `unit`: bytes to 0..1; `affine`: lists of one entry or one for each channel.
 */
export type Normalisation =
  | { readonly kind: "none" }
  | { readonly kind: "unit" }
  | { readonly kind: "affine"; readonly mean: readonly number[]; readonly std: readonly number[] };

export interface LoadOptions {
  /** Decides which training samples become the validation and calibration splits. */
  readonly seed: number;
  /** Share of each class's training samples that goes to `validation`; default 0.2. */
  readonly validationFraction?: number;
  /** Samples in `calibration`, as evenly over the classes as the training split is; default 1,024. */
  readonly calibrationCount?: number;
  /** Name of a format; default: found from the content. */
  readonly format?: string;
  readonly normalize?: Normalisation;
  /** Number of classes where the data does not say; default: largest label + 1. */
  readonly classes?: number;
  /** Names of the classes in the order of the model's outputs, for data with names; default: sorted. */
  readonly classNames?: readonly string[];
  /** CSV: the column of the label: `last` (default), `first`, `none`, a name, or a number from 0. */
  readonly label?: string;
  /** Folders of files: the label is the first group of this in the file's path; default: its sub-folder. */
  readonly labelFrom?: RegExp;
  /** Folders of files: those whose path matches are the test part; default: those below `test`. */
  readonly testFiles?: RegExp;
  /** Shape of one sample, where files leave it open: of a picture, or of a row of numbers. Default: the files' own. */
  readonly sampleShape?: readonly number[];
  /** What a sound becomes; defaults in `audio/features.ts`. */
  readonly features?: Partial<AudioFeatures>;
}

/** A file of the folder that was given, with its first bytes (uncompressed). */
export interface DataFile {
  readonly path: string;
  /** Base name without `.gz`. */
  readonly name: string;
  readonly head: Uint8Array;
}

/** A file at any depth; its first bytes are not read. */
export interface NestedFile {
  readonly path: string;
  readonly name: string;
  /** The folders between the folder that was given and the file. */
  readonly folders: readonly string[];
}

/** The options that readers look at. */
export type ReadOptions = Omit<
  LoadOptions,
  "seed" | "validationFraction" | "calibrationCount" | "format" | "normalize"
>;

/** One way of storing samples: how to tell it, how to read it. One format, one file in `formats/`. */
export type DataFormat = FileFormat | FolderFormat;

interface FormatFacts {
  readonly name: string;
  /** What such a folder holds; used in the message that says what would be understood. */
  readonly summary: string;
  /** True when such a folder says itself what it is, so that other files in it do not matter. */
  readonly explicit?: boolean;
  /** True when such files often only accompany data of another format; they are then not taken for data. */
  readonly secondary?: boolean;
}

/** Some files that hold many samples each, all in one folder. */
export interface FileFormat extends FormatFacts {
  readonly nested?: false;
  /** The files of this format among `files`; empty when the folder is not of this format. */
  detect(files: readonly DataFile[]): DataFile[];
  read(files: readonly DataFile[], options: ReadOptions): Promise<RawData>;
}

/** Many files with one sample each, in sub-folders or not. Looked for where no other format is found. */
export interface FolderFormat extends FormatFacts {
  readonly nested: true;
  detect(files: readonly NestedFile[]): NestedFile[];
  read(files: readonly NestedFile[], options: ReadOptions): Promise<RawData>;
}
