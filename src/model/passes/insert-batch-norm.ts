import { IdapError } from "../errors.js";
import { constantTensor, producerOf, tensorOf, uniqueName } from "../graph.js";
import type { Graph, Node, Tensor } from "../types.js";
import { inferTypes, verify } from "../verify.js";

/** Biased statistics of a tensor's last axis. */
export interface ChannelStatistics {
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/**
 * Puts a batch_norm behind each named tensor whose parameters undo its statistics: gamma = sqrt(variance + epsilon),
 * beta = mean. The function stays the same (up to rounding), and recovery gets a normalised network to train;
 * `foldBatchNorm` takes it out again. The tensor's name moves to the batch norm's output, so that consumers, ports
 * and callers do not notice.
 * @param stats output tensors of conv2d, depthwise_conv2d or dense nodes → statistics on calibration data
 */
export function insertBatchNorm(
  graph: Graph,
  stats: ReadonlyMap<string, ChannelStatistics>,
  options: { readonly epsilon?: number } = {},
): Graph {
  const epsilon = options.epsilon ?? 1e-3;
  const producers = producerOf(graph);
  const tensors = new Map<string, Tensor>(graph.tensors);
  const nodeNames = new Set(graph.nodes.map((n) => n.name));
  const after = new Map<string, { node: Node; raw: string; tensor: string }>();

  for (const [tensor, { mean, variance }] of stats) {
    const { type } = tensorOf(graph, tensor);
    const producer = producers.get(tensor);
    if (!producer)
      throw new IdapError("E_TENSOR", `a batch norm can stand only behind a node's output, not behind "${tensor}"`);
    const channels = type.shape[type.shape.length - 1] ?? 0;
    if (mean.length !== channels || variance.length !== channels) {
      throw new IdapError(
        "E_SHAPE",
        `"${tensor}" has ${channels} channels, its statistics ${mean.length} and ${variance.length}`,
      );
    }
    const constant = (name: string, data: Float32Array): string => {
      const unique = uniqueName(tensors, `${tensor}/${name}`);
      tensors.set(unique, constantTensor(unique, [channels], data));
      return unique;
    };
    const raw = uniqueName(tensors, `${tensor}/raw`);
    tensors.set(raw, { name: raw, type });
    const name = uniqueName(nodeNames, `${producer.name}/batch_norm`);
    nodeNames.add(name);
    const parameters = [
      constant(
        "gamma",
        Float32Array.from(variance, (v) => Math.sqrt(v + epsilon)),
      ),
      constant("beta", Float32Array.from(mean)),
      constant("mean", Float32Array.from(mean)),
      constant("variance", Float32Array.from(variance)),
    ];
    const node = { name, op: "batch_norm", inputs: [raw, ...parameters], outputs: [tensor], attrs: { epsilon } };
    after.set(tensor, { node, raw, tensor });
  }
  const nodes = graph.nodes.flatMap((node) => {
    const inserted = node.outputs.map((name) => after.get(name)).filter((entry) => entry !== undefined);
    if (inserted.length === 0) return [node];
    const outputs = node.outputs.map((name) => after.get(name)?.raw ?? name);
    return [{ ...node, outputs }, ...inserted.map((entry) => entry.node)];
  });
  return verify(inferTypes({ ...graph, nodes, tensors }));
}
