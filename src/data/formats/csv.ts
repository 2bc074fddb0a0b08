import { checkSize } from "../bytes.js";
import { classIndex, short } from "../classes.js";
import { csvRecords, type CsvRecord } from "../csv-records.js";
import { checkLabels, countClasses } from "../labels.js";
import { sizeOf } from "../../model/types.js";
import { IdapError } from "../../model/errors.js";
import type { DataFile, FileFormat, ReadOptions, Samples } from "../types.js";

/** Values are gathered in blocks of this many. */
const BLOCK = 2 ** 18;

const isCsv = (f: DataFile): boolean => /\.(csv|tsv)$/i.test(f.name);
const isTest = (f: DataFile): boolean => /^(t10k|test)/i.test(f.name);

/**
 * CSV files with one sample on a line: a label and numbers. Files whose names begin with `test` are the test part.
 *
 * The separator is the one of comma, semicolon and tab that the first line has most of. The first line is a header when
 * it has a field that is no number in a place where the second line has one, or when the label is asked for by name. The
 * label is the last column, or what the option says; labels are whole numbers, or names, which are numbered in their
 * sorted order. Values that are all whole numbers from 0 to 255 are kept as bytes. Files are read line by line.
 */
export const csv: FileFormat = {
  name: "csv",
  summary: "CSV files with one sample on a line (train.csv, test.csv, .gz too), the label in the last column",
  secondary: true,
  detect: (files) => files.filter(isCsv),
  async read(files, options) {
    const train = await readPart(
      files.filter((f) => !isTest(f)),
      options,
    );
    const test = await readPart(files.filter(isTest), options);
    if (train && test && train.width !== test.width) {
      throw new IdapError(
        "E_DATA_FORMAT",
        `${train.file} has ${train.width} values in a sample but ${test.file} has ${test.width}`,
        "Are they from the same data set?",
      );
    }
    const parts = [train, test].filter((p) => p !== null);
    const { classes, classNames, numbers } = numberLabels(parts, options);
    const bytes = parts.every((p) => p.bytes);
    const samples = (part: Part | null): Samples | null =>
      part && {
        count: part.count,
        shape: shapeOf(part, options.sampleShape),
        values: bytes ? Uint8Array.from(part.values) : part.values,
        labels: numbers(part),
      };
    return {
      train: samples(train),
      test: samples(test),
      classes,
      ...(classNames && { classNames }),
      scale: 1,
      zeroPoint: 0,
    };
  },
};

interface Part {
  readonly file: string;
  readonly count: number;
  readonly width: number;
  readonly values: Float32Array;
  /** Whether all values are whole numbers from 0 to 255. */
  readonly bytes: boolean;
  /** As written; null without labels. */
  readonly labels: readonly string[] | null;
  /** Line of each sample's record. */
  readonly lines: readonly number[];
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?$/;
/** Whole numbers, as pandas writes them too. */
const WHOLE = /^\d{1,9}(\.0*)?$/;
const isNumber = (text: string): boolean => NUMBER.test(text.trim());

async function readPart(files: readonly DataFile[], options: ReadOptions): Promise<Part | null> {
  const [file, other] = files;
  if (file === undefined) return null;
  if (other !== undefined) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `there are two files for one part, ${file.name} and ${other.name}`,
      "Put each data set in a folder of its own; files whose names begin with test are the test part.",
    );
  }
  const reader = new RowReader(file.name, options.label ?? "last");
  for await (const record of csvRecords(file.path, file.path.endsWith(".gz"), separatorOf(file))) reader.push(record);
  return reader.end();
}

/** The separator that the first line has most of, a comma if none. */
function separatorOf(file: DataFile): string {
  const first = new TextDecoder().decode(file.head).split(/[\r\n]/)[0]!;
  const count = (c: string): number => first.split(c).length;
  return [",", ";", "\t"].reduce((best, c) => (count(c) > count(best) ? c : best));
}

/** Turns records into values and labels, one after another. */
class RowReader {
  /** The first record, while it is not known whether it is a header. */
  private first: CsvRecord | null = null;
  private started = false;
  private fields = 0;
  /** Column of the label; -1 for none. */
  private column = -1;
  private readonly blocks: Float32Array[] = [];
  private used = BLOCK;
  private total = 0;
  private bytes = true;
  private readonly labels: string[] = [];
  /** One string for each label, however often it occurs. */
  private readonly known = new Map<string, string>();
  private readonly lines: number[] = [];

  constructor(
    private readonly file: string,
    private readonly label: string,
  ) {}

  push(record: CsvRecord): void {
    if (this.started) return this.row(record);
    if (this.first === null) {
      this.first = record;
      return;
    }
    this.begin(this.first, record);
    this.row(record);
  }

  end(): Part {
    if (!this.started && this.first) this.begin(this.first, null);
    if (this.lines.length === 0) throw new IdapError("E_DATA_EMPTY", `${this.file} holds no samples`);
    const values = new Float32Array(this.total);
    this.blocks.forEach((block, i) =>
      values.set(i === this.blocks.length - 1 ? block.subarray(0, this.used) : block, i * BLOCK),
    );
    return {
      file: this.file,
      count: this.lines.length,
      width: this.total / this.lines.length,
      values,
      bytes: this.bytes,
      labels: this.column < 0 ? null : this.labels,
      lines: this.lines,
    };
  }

  /** Settles header and column from the first two records, and takes the first one when it is no header. */
  private begin(first: CsvRecord, second: CsvRecord | null): void {
    this.started = true;
    this.fields = first.fields.length;
    const names = first.fields.map((f) => f.trim());
    const special = ["first", "last", "none"].includes(this.label) || /^\d+$/.test(this.label);
    const byName = names.includes(this.label);
    const header =
      byName || (second !== null && first.fields.some((f, i) => !isNumber(f) && isNumber(second.fields[i] ?? "")));
    if (byName) this.column = names.indexOf(this.label);
    else if (this.label === "last") this.column = this.fields - 1;
    else if (this.label === "first") this.column = 0;
    else if (special && this.label !== "none") this.column = Number(this.label);
    if (this.column >= this.fields || (!special && !byName)) {
      throw new IdapError(
        "E_OPTION",
        `${this.file} has no column ${this.label}${header ? `; it has ${names.map(short).slice(0, 20).join(", ")}` : `: it has ${this.fields} columns and no header`}`,
        "--label takes a name of the header, first, last, none, or the number of a column from 0.",
      );
    }
    if (this.fields - (this.column < 0 ? 0 : 1) === 0) {
      throw new IdapError("E_DATA_FORMAT", `${this.file} has a label in each line and no values`, "Use --label none.");
    }
    if (!header) this.row(first);
  }

  private row({ line, fields }: CsvRecord): void {
    if (fields.length !== this.fields) {
      throw new IdapError(
        "E_DATA_FORMAT",
        `${this.file} line ${line}: has ${fields.length} fields where the first line has ${this.fields}`,
        "Is a separator missing, or a text with commas not in quotes?",
      );
    }
    for (let i = 0; i < fields.length; i++) {
      if (i === this.column) continue;
      const text = fields[i]!.trim();
      const value = isNumber(text) ? Number(text) : NaN;
      if (!Number.isFinite(Math.fround(value))) throw this.notANumber(line, i, text);
      this.add(value);
    }
    if (this.column >= 0) {
      const text = fields[this.column]!.trim();
      if (text === "") throw new IdapError("E_DATA_LABEL", `${this.file} line ${line}: the label is missing`);
      if (!this.known.has(text)) this.known.set(text, text);
      this.labels.push(this.known.get(text)!);
    }
    this.lines.push(line);
  }

  private notANumber(line: number, column: number, text: string): IdapError {
    return new IdapError(
      "E_DATA_FORMAT",
      `${this.file} line ${line}, column ${column + 1}: ${text === "" ? "the value is missing" : `"${short(text)}" is no number that f32 holds`}`,
      this.column < 0
        ? "Every column must be a number."
        : `Every column but that of the label (now column ${this.column + 1}) must be a number; say which it is with --label.`,
    );
  }

  private add(value: number): void {
    if (this.used === BLOCK) {
      checkSize(4 * (this.total + BLOCK), this.file);
      this.blocks.push(new Float32Array(BLOCK));
      this.used = 0;
    }
    this.blocks[this.blocks.length - 1]![this.used++] = value;
    this.total++;
    if (!(Number.isInteger(value) && value >= 0 && value <= 255)) this.bytes = false;
  }
}

/** Labels as numbers: those that are written when all are whole numbers and no names are given, else places of names. */
function numberLabels(
  parts: readonly Part[],
  options: ReadOptions,
): { classes: number; classNames?: readonly string[]; numbers(part: Part): Int32Array | null } {
  const all = parts.flatMap((p) => (p.labels === null ? [] : [p.labels]));
  const whole = options.classNames === undefined && all.every((list) => list.every((t) => WHOLE.test(t)));
  if (whole) {
    const numbers = (part: Part): Int32Array | null => part.labels && Int32Array.from(part.labels, Number);
    const classes = options.classes ?? countClasses(...parts.map(numbers));
    for (const part of parts) if (part.labels) checkLabels(numbers(part)!, classes, part.file);
    return { classes, numbers };
  }
  const names = function* (): Generator<string> {
    for (const list of all) yield* list;
  };
  const index = classIndex(names(), options.classNames);
  const numbers = (part: Part): Int32Array | null =>
    part.labels &&
    Int32Array.from(part.labels, (name, i) => index.of(name, () => `${part.file} line ${part.lines[i]}`));
  const classes = options.classes ?? index.names.length;
  for (const part of parts) if (part.labels) checkLabels(numbers(part)!, classes, part.file);
  return { classes, classNames: index.names, numbers };
}

/** A row of numbers is a sample of the wanted shape when it has as many values. */
function shapeOf(part: Part, wanted: readonly number[] | undefined): readonly number[] {
  return wanted !== undefined && sizeOf(wanted) === part.width ? wanted : [part.width];
}
