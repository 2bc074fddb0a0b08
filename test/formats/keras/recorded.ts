import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** Bytes of the recording: where they begin and how many there are. */
type Range = readonly [begin: number, length: number];

interface RecordedTensor {
  readonly shape: number[];
  readonly at: Range;
}

interface RecordedCase {
  readonly inputs: RecordedTensor[];
  readonly outputs: RecordedTensor[];
  readonly files: Readonly<Record<string, Range>>;
}

/**
 * Small models with random weights, saved by Keras 3.15.1 (numpy backend) as `.keras` and some as `.h5`, with inputs of
 * two samples and what that Keras computed. The file: length of the index (u32), the index (JSON), the bytes; gzipped.
 */
const bytes = gunzipSync(readFileSync(new URL("./recorded.bin.gz", import.meta.url)));
const length = bytes.readUInt32LE(0);
const index = JSON.parse(bytes.toString("utf8", 4, 4 + length)) as Record<string, RecordedCase>;

function at([begin, size]: Range): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.subarray(4 + length + begin, 4 + length + begin + size));
}

export interface Recorded {
  readonly name: string;
  /** "keras" or "h5". */
  readonly kind: string;
  readonly file: Uint8Array<ArrayBuffer>;
  readonly inputs: { shape: number[]; data: Float32Array }[];
  readonly outputs: { shape: number[]; data: Float32Array }[];
}

const tensor = ({ shape, at: range }: RecordedTensor): { shape: number[]; data: Float32Array } => ({
  shape,
  data: new Float32Array(at(range).buffer),
});

export const recorded: readonly Recorded[] = Object.entries(index).flatMap(([name, c]) =>
  Object.entries(c.files).map(([kind, range]) => ({
    name,
    kind,
    file: at(range),
    inputs: c.inputs.map(tensor),
    outputs: c.outputs.map(tensor),
  })),
);
