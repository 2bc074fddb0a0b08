import { IdapError } from "../../model/errors.js";

/** What to do about operators that are often met and not read; other operators get the general advice. */
const ADVICE: Readonly<Record<string, string>> = {
  tanh: "sigmoid is read: tanh(x) = 2 * sigmoid(2x) - 1",
  elu: "relu or relu6 trains to the same accuracy in most small networks",
  leakyrelu: "relu or relu6 trains to the same accuracy in most small networks",
  prelu: "relu or relu6 trains to the same accuracy in most small networks",
  hardswish: "relu6 is read: x * relu6(x + 3) / 6",
  batchmatmul: "products of two computed tensors of rank above 2 are not read yet",
  lstm: "recurrent layers are not read yet",
  gru: "recurrent layers are not read yet",
  resize: "resampling is not read yet; cut the model before it",
  upsampling2d: "resampling is not read yet; cut the model before it",
  resizebilinear: "resampling is not read yet; cut the model before it",
  resizenearestneighbor: "resampling is not read yet; cut the model before it",
  shape: "export with a fixed batch of 1, so that shapes become constants (for ONNX, onnxsim folds them too)",
  gather: "export with a fixed batch of 1, so that shapes become constants",
  argmax: "leave the arg max to the caller: end the model at the scores",
  topk: "leave the selection to the caller: end the model at the scores",
  nonmaxsuppression: "leave the selection to the caller: end the model at the scores",
  quantizelinear: "give the float model; quantised ones are not read yet",
  dequantizelinear: "give the float model; quantised ones are not read yet",
  custom: "custom operators have no public meaning; export without them",
};

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
    const advice = [
      ...new Set([...groups.values()].map((g) => ADVICE[keyOf(g.operator)]).filter((a) => a !== undefined)),
    ];
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

/** One key for the spellings of the formats: RESIZE_BILINEAR, ResizeBilinear, UNIDIRECTIONAL_SEQUENCE_LSTM. */
function keyOf(operator: string): string {
  return operator
    .toLowerCase()
    .replaceAll("_", "")
    .replace(/^(uni|bi)directionalsequence/, "")
    .replace(/v\d$/, "");
}
