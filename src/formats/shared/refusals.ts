import { IdapError } from "../../model/errors.js";

const BRANCH = "fix the branch in the source network: a package runs the same steps for every input";
const LOOP = "unroll the loop in the source network: a package runs the same steps for every input";
const SELECTION = "leave the selection to the caller: end the model at the scores";
const OPEN_SIZE =
  "its result has as many rows as the values say: end the model before it, or mask instead of selecting";
const RANDOM = "give what is random as an input, or take it out of the exported network";
const TEXT = "turn text into numbers before the model";

/** What to do about operators that are often met and not read; other operators get the general advice. */
const ADVICE: Readonly<Record<string, string>> = {
  if: BRANCH,
  statelessif: BRANCH,
  switch: BRANCH,
  merge: BRANCH,
  loop: LOOP,
  scan: LOOP,
  while: LOOP,
  statelesswhile: LOOP,
  enter: LOOP,
  exit: LOOP,
  nextiteration: LOOP,
  loopcond: LOOP,
  nonmaxsuppression: SELECTION,
  tflitedetectionpostprocess: SELECTION,
  compress: OPEN_SIZE,
  nonzero: OPEN_SIZE,
  unique: OPEN_SIZE,
  where: OPEN_SIZE,
  randomnormal: RANDOM,
  randomuniform: RANDOM,
  multinomial: RANDOM,
  stringnormalizer: TEXT,
  tfidfvectorizer: TEXT,
  hashtable: TEXT,
  fft: "compute the spectrum before the model; products with constant matrices are read too",
  rfft2d: "compute the spectrum before the model; products with constant matrices are read too",
  stft: "compute the spectrum before the model; products with constant matrices are read too",
  conv3d: "convolve depth by depth in two dimensions, or make depth part of the batch or the channels",
  convlstm2d: "export its cell with convolutions and gates of their own, step by step",
};

const CUSTOM = "custom operators have no public meaning; export without them";

/** Nodes that are named for each operator before the rest is only counted. */
const MOST_NODES = 8;

const GENERAL = "Replace these in the source network, or export only the part before them.";

interface Refusal {
  readonly operator: string;
  readonly node: string;
  readonly reason: string | null;
}

/** Collects every use of an operator that a reader has to refuse, so that the user sees all of them at once. */
export class Refusals {
  private readonly list: Refusal[] = [];

  constructor(private readonly file: string) {}

  add(operator: string, node: string, reason: string | null = null): void {
    this.list.push({ operator, node, reason });
  }

  /** Throws one E_UNSUPPORTED that names every refused operator with its nodes; does nothing when there are none. */
  throwIfAny(): void {
    if (this.list.length === 0) return;
    const groups = new Map<string, { operator: string; reason: string | null; nodes: string[] }>();
    for (const { operator, node, reason } of this.list) {
      const key = `${operator}\n${reason}`;
      const group = groups.get(key) ?? { operator, reason, nodes: [] };
      group.nodes.push(node);
      groups.set(key, group);
    }
    const parts = [...groups.values()].map(
      ({ operator, reason, nodes }) => `${operator}${reason ? ` with ${reason}` : ""} (${shown(nodes)})`,
    );
    const advice = [...new Set([...groups.values()].map((g) => adviceOn(g.operator)).filter((a) => a !== undefined))];
    throw new IdapError(
      "E_UNSUPPORTED",
      `${this.file} uses ${parts.length === 1 ? "an operator" : `${parts.length} operators`} that cannot be read: ${parts.join("; ")}`,
      [GENERAL, ...advice.map((a) => `${a[0]!.toUpperCase()}${a.slice(1)}.`)].join(" "),
    );
  }
}

function shown(nodes: readonly string[]): string {
  const rest = nodes.length - MOST_NODES;
  return nodes.slice(0, MOST_NODES).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** Custom operators are `CUSTOM name` in TFLite and `domain.name` in ONNX. */
function adviceOn(operator: string): string | undefined {
  const key = keyOf(operator);
  return Object.hasOwn(ADVICE, key) ? ADVICE[key] : /^CUSTOM |\./.test(operator) ? CUSTOM : undefined;
}

/** One key for the spellings of the formats: NON_MAX_SUPPRESSION_V4, NonMaxSuppression, NonMaxSuppressionV3. */
function keyOf(operator: string): string {
  return operator
    .toLowerCase()
    .replaceAll("_", "")
    .replace(/v\d$/, "")
    .replace(/^custom /, "");
}
