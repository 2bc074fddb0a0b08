import { createReadStream } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { IdapError } from "../model/errors.js";
import { MOST_BYTES } from "./bytes.js";

/** One record and the line where it begins, from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** Characters of one field, and fields of one record: more mean a quote that was never closed, or no CSV at all. */
const MOST_CHARACTERS = 2 ** 16;
const MOST_FIELDS = 2 ** 18;

/**
 * The records of a CSV file (RFC 4180), read in pieces: fields between separators; a field in double quotes may hold
 * separators, line ends and doubled quotes; empty lines are skipped; UTF-8, with or without a byte-order mark.
 */
export async function* csvRecords(file: string, gzip: boolean, separator: string): AsyncGenerator<CsvRecord> {
  const name = path.basename(file);
  const parser = new Parser(name, separator);
  for await (const text of textOf(file, gzip)) {
    for (const record of parser.push(text)) yield record;
  }
  for (const record of parser.end()) yield record;
}

async function* textOf(file: string, gzip: boolean): AsyncGenerator<string> {
  const source = createReadStream(file);
  const bytes: Readable = gzip ? source.pipe(createGunzip()) : source;
  source.on("error", (error) => bytes.destroy(error));
  const decoder = new TextDecoder(); // takes the byte-order mark away
  let read = 0;
  try {
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      read += chunk.length;
      if (read > MOST_BYTES) {
        throw new IdapError(
          "E_DATA_SIZE",
          `${path.basename(file)} is longer than ${MOST_BYTES} bytes`,
          "Use a part of it.",
        );
      }
      yield decoder.decode(chunk, { stream: true });
    }
  } catch (error) {
    if (error instanceof IdapError) throw error;
    throw new IdapError(
      "E_DATA_TRUNCATED",
      `${path.basename(file)} cannot be read to its end: ${(error as Error).message}`,
      "The download is probably incomplete: fetch the file again.",
    );
  } finally {
    source.destroy();
    bytes.destroy();
  }
  yield decoder.decode();
}

/** Where the parser stands: before a field, in a plain or quoted one, or behind a quote in a quoted one. */
type Place = "start" | "plain" | "quoted" | "closing";

class Parser {
  private place: Place = "start";
  private line = 1;
  private begins = 1;
  private field = "";
  private fields: string[] = [];
  private afterReturn = false;
  private done: CsvRecord[] = [];

  constructor(
    private readonly file: string,
    private readonly separator: string,
  ) {}

  push(text: string): CsvRecord[] {
    for (let i = 0; i < text.length; i++) {
      if (this.place === "plain" || this.place === "quoted") i = this.run(text, i);
      if (i < text.length) this.step(text[i]!);
    }
    return this.take();
  }

  end(): CsvRecord[] {
    if (this.place === "quoted") throw this.wrong(`the quote of field ${this.fields.length + 1} is never closed`);
    if (this.place !== "start" || this.fields.length > 0) this.endRecord();
    return this.take();
  }

  /** Takes the characters from `i` on that say nothing; returns the place of the next one that does. */
  private run(text: string, i: number): number {
    let end = i;
    if (this.place === "quoted") {
      while (end < text.length && text[end] !== '"' && text[end] !== "\n" && text[end] !== "\r") end++;
    } else {
      while (end < text.length && text[end] !== this.separator && text[end] !== "\n" && text[end] !== "\r") end++;
    }
    if (end > i) this.add(text.slice(i, end));
    return end;
  }

  private step(c: string): void {
    const second = c === "\n" && this.afterReturn;
    this.afterReturn = c === "\r";
    if ((c === "\n" && !second) || c === "\r") this.line++;
    if (this.place === "quoted") {
      if (c === '"') this.place = "closing";
      else this.add(c);
    } else if (second) {
      this.begins = this.line; // the second half of a line end
    } else if (c === "\n" || c === "\r") {
      if (this.place !== "start" || this.fields.length > 0) this.endRecord();
      this.begins = this.line;
    } else if (c === this.separator) {
      this.endField();
    } else if (this.place === "closing") {
      if (c === '"') {
        this.add(c);
        this.place = "quoted";
      } else if (c !== " ") {
        throw this.wrong(`field ${this.fields.length + 1} goes on behind its closing quote`);
      }
    } else if (c === '"' && this.place === "start") {
      this.place = "quoted";
    } else {
      this.place = "plain";
      this.add(c);
    }
  }

  private add(text: string): void {
    this.field += text;
    if (this.field.length > MOST_CHARACTERS) {
      throw this.wrong(
        `field ${this.fields.length + 1} is longer than ${MOST_CHARACTERS} characters; is a quote not closed?`,
      );
    }
  }

  private endField(): void {
    this.fields.push(this.field);
    this.field = "";
    this.place = "start";
    if (this.fields.length > MOST_FIELDS) throw this.wrong(`there are more than ${MOST_FIELDS} fields in one record`);
  }

  private endRecord(): void {
    this.endField();
    const { fields, begins } = this;
    this.fields = [];
    if (fields.length > 1 || fields[0]!.trim() !== "") this.done.push({ line: begins, fields });
  }

  private take(): CsvRecord[] {
    const { done } = this;
    this.done = [];
    return done;
  }

  private wrong(what: string): IdapError {
    return new IdapError("E_DATA_FORMAT", `${this.file} line ${this.begins}: ${what}`);
  }
}
