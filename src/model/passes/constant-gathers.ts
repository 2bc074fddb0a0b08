import { isConstant, uniqueName } from "../graph.js";
import { gatherIndex } from "../ops/gather.js";
import { reshapeTarget } from "../ops/shared/broadcast.js";
import { runsOf, type Run } from "../ops/shared/runs.js";
import type { Attrs, Graph, Node, Tensor, TensorType } from "../types.js";
import { inferNode, verify } from "../verify.js";
import { removeDeadNodes } from "./dead-nodes.js";

/** Above this many pieces one gather is cheaper than the slices. */
const MOST_SLICES = 8;

/**
 * Gathers by fixed indices become slices and their concatenation, where those are few: channels can be cut through
 * them, and they move with transposes.
 */
export function sliceConstantGathers(graph: Graph): Graph {
  const tensors = new Map(graph.tensors);
  const names = new Set(graph.nodes.map((node) => node.name));
  let changed = false;
  const nodes = graph.nodes.flatMap((node) => {
    const runs = node.op === "gather" ? fixedRuns(node, graph) : null;
    if (!runs) return [node];
    changed = true;
    return slicesOf(node, runs, tensors, names);
  });
  return changed ? removeDeadNodes(verify({ ...graph, nodes, tensors })) : graph;
}

/** The runs that a gather takes, if they are known and few. */
function fixedRuns(node: Node, graph: Graph): Run[] | null {
  const [x, indices] = node.inputs.map((name) => graph.tensors.get(name)!) as [Tensor, Tensor];
  if (!indices.data || isConstant(graph, x.name) || indices.type.shape.length > 1) return null;
  const extent = x.type.shape[node.attrs.axis as number]!;
  const runs = runsOf(Array.from(indices.data as ArrayLike<number | bigint>, (i) => gatherIndex(Number(i), extent)));
  return runs.length <= MOST_SLICES && runs.every((run) => run.step !== 0) ? runs : null;
}

function slicesOf(node: Node, runs: readonly Run[], tensors: Map<string, Tensor>, names: Set<string>): Node[] {
  const [x, indices] = node.inputs as [string, string];
  const axis = node.attrs.axis as number;
  const { shape } = tensors.get(x)!.type;
  const along = <T>(there: T, elsewhere: T): T[] => shape.map((_, k) => (k === axis ? there : elsewhere));
  const attrsOf = ({ from, step, count }: Run): Attrs => ({
    begin: along(from, 0),
    size: along(count, -1),
    ...(step !== 1 && { steps: along(step, 1) }),
  });
  const scalar = tensors.get(indices)!.type.shape.length === 0;
  if (runs.length === 1 && !scalar) return [{ ...node, op: "slice", inputs: [x], attrs: attrsOf(runs[0]!) }];
  const slices = runs.map((run): Node => {
    const draft = { name: uniqueName(names, `${node.name}/slice`), op: "slice", inputs: [x], outputs: [], attrs: attrsOf(run) }; // prettier-ignore
    const [type] = inferNode(draft, (name) => tensors.get(name)?.type) as [TensorType];
    const output = uniqueName(tensors, draft.name);
    names.add(draft.name);
    tensors.set(output, { name: output, type });
    return { ...draft, outputs: [output] };
  });
  const inputs = slices.flatMap((slice) => slice.outputs);
  const result = tensors.get(node.outputs[0]!)!.type;
  const last = scalar ? { op: "reshape", attrs: { shape: reshapeTarget(result) } } : { op: "concat", attrs: { axis } };
  return [...slices, { ...node, ...last, inputs }];
}
