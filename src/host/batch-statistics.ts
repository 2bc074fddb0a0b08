/** Batch norms that learn: they normalise with the statistics of the batch, and report them. */
import { isConstant } from "../model/graph.js";
import type { Graph, Node, Tensor } from "../model/types.js";

/** One batch norm in training form. */
export interface LearningNorm {
  readonly node: string;
  /** Tensors with the statistics of a batch. */
  readonly mean: string;
  readonly invStd: string;
  readonly epsilon: number;
  /** Constants with the running statistics. */
  readonly runningMean: string;
  readonly runningVariance: string;
}

/** The graph with batch_norm_train in place of each batch_norm that `learns`; other outputs and names stay. */
export function withBatchStatistics(
  graph: Graph,
  learns: (norm: Node) => boolean,
): { graph: Graph; norms: LearningNorm[] } {
  const norms: LearningNorm[] = [];
  const tensors = new Map<string, Tensor>(graph.tensors);
  const nodes = graph.nodes.map((node) => {
    if (node.op !== "batch_norm" || !node.inputs.slice(1).every((name) => isConstant(graph, name)) || !learns(node))
      return node;
    const [x, gamma, beta, runningMean, runningVariance] = node.inputs as [string, string, string, string, string];
    const [mean, invStd] = [`${node.name}/batch_mean`, `${node.name}/batch_inv_std`];
    const type = { ...graph.tensors.get(gamma)!.type };
    tensors.set(mean, { name: mean, type });
    tensors.set(invStd, { name: invStd, type });
    norms.push({ node: node.name, mean, invStd, epsilon: node.attrs.epsilon as number, runningMean, runningVariance });
    return { ...node, op: "batch_norm_train", inputs: [x, gamma, beta], outputs: [node.outputs[0]!, mean, invStd] };
  });
  return { graph: { ...graph, tensors, nodes }, norms };
}

/** Biased variance from 1 / sqrt(variance + epsilon). */
export function varianceOf(invStd: number, epsilon: number): number {
  return Math.max(0, 1 / (invStd * invStd) - epsilon);
}

/** Running means and variances, in f64 until they are read. */
export class RunningStatistics {
  private readonly values = new Map<string, Float64Array>();

  constructor(
    private readonly norms: readonly LearningNorm[],
    graph: Graph,
    private readonly momentum: number,
  ) {
    for (const { runningMean, runningVariance } of norms) {
      for (const name of [runningMean, runningVariance]) {
        this.values.set(name, Float64Array.from(graph.tensors.get(name)!.data as Float32Array));
      }
    }
  }

  /** `read(tensor, shard)`: that shard's batch statistics. The mean over the shards moves the running values. */
  update(shards: number, read: (tensor: string, shard: number) => Float32Array): void {
    for (const norm of this.norms) {
      const mean = this.values.get(norm.runningMean)!;
      const variance = this.values.get(norm.runningVariance)!;
      const batch = Array.from({ length: shards }, (_, s) => [read(norm.mean, s), read(norm.invStd, s)] as const);
      for (let c = 0; c < mean.length; c++) {
        let m = 0;
        let v = 0;
        for (const [means, invs] of batch) {
          m += means[c]! / shards;
          v += varianceOf(invs[c]!, norm.epsilon) / shards;
        }
        mean[c] = this.momentum * mean[c]! + (1 - this.momentum) * m;
        variance[c] = this.momentum * variance[c]! + (1 - this.momentum) * v;
      }
    }
  }

  /** The running statistics by constant name. */
  read(): Map<string, Float32Array> {
    return new Map([...this.values].map(([name, data]) => [name, Float32Array.from(data)]));
  }
}
