/**
 * One training run on worker threads.
 *
 * A batch is cut into shards. Workers run shards of the same plan and leave gradients in shared memory; then every worker
 * adds the gradients of all shards, in their order, and updates its own copy of the weights. Nothing depends on how many
 * workers there are.
 */
import { typeOf } from "../model/graph.js";
import { sizeOf } from "../model/types.js";
import { TARGET } from "./losses.js";
import { loadHostModule } from "./module.js";
import { planGraph } from "./planner.js";
import { pad4, type Plan } from "./plan.js";
import type { Optimizer } from "./train-types.js";
import type { Training } from "./training-graph.js";
import { startWorker, type HostWorker, type OptimizerSettings, type TrainingShare } from "./workers.js";

export interface TrainerSettings {
  readonly batch: number;
  readonly shards: number;
  readonly threads: number;
  readonly fast: boolean;
  readonly optimizer: Optimizer;
}

export class Trainer {
  private readonly powers: [number, number] = [1, 1];

  private constructor(
    private readonly training: Training,
    private readonly optimizer: OptimizerSettings,
    private readonly share: Omit<TrainingShare, "shards">,
    private readonly places: ReadonlyMap<string, number>,
    private readonly workers: readonly HostWorker[],
  ) {}

  static async start(training: Training, settings: TrainerSettings): Promise<Trainer> {
    const { batch, shards, threads } = settings;
    const optimizer = optimizerSettings(settings.optimizer);
    const statistics = training.norms.flatMap(({ mean, invStd }) => [mean, invStd]);
    const collect = [...training.gradients, ...statistics, training.loss];
    const plan = planGraph(training.graph, {
      batch: batch / shards,
      mutable: training.parameters,
      collect,
      states: optimizer.kind === "sgd" ? 1 : 2,
    });
    const share = shareMemory(training, plan, shards, optimizer);
    const module = await loadHostModule(settings.fast);
    const workers = Array.from({ length: threads }, (_, t) => {
      const own = Array.from({ length: shards }, (_, s) => s).filter((s) => s % threads === t);
      return startWorker({ module, plan, training: { ...share, shards: own } });
    });
    const places = new Map(collect.map((name, i) => [name, plan.collected.offsets[i]!]));
    return new Trainer(training, optimizer, share, places, workers);
  }

  /** Where the samples of each shard go, for one of two slots. */
  images(slot: number): readonly Float32Array[] {
    return this.share.inputs[slot]![0]!;
  }

  /** Where the target probabilities go; null when the loss needs none. */
  targets(slot: number): readonly Float32Array[] | null {
    return this.training.needsTarget ? this.share.inputs[slot]![1]! : null;
  }

  /**
   * One step on the samples of `slot`; `meanwhile` runs while the workers do.
   * @returns the loss before the step, the mean over the shards; NaN when a gradient was not finite
   */
  async step(slot: number, rate: number, meanwhile: () => void): Promise<number> {
    const gradients = this.workers.map((worker) => worker.ask({ kind: "gradients", slot }));
    const all = Promise.all(gradients);
    // Should `meanwhile` throw, the workers' answers still have someone who waits for them.
    all.catch(() => undefined);
    meanwhile();
    await all;
    const { shardCount } = this.share;
    let loss = 0;
    for (let s = 0; s < shardCount; s++) loss += this.collected(this.training.loss, s)[0]! / shardCount;
    if (!Number.isFinite(loss)) return NaN;
    const corrections = this.corrections();
    const finite = await Promise.all(this.workers.map((worker) => worker.ask({ kind: "update", rate, corrections })));
    return finite.every(Boolean) ? loss : NaN;
  }

  /** A collected tensor of one shard, from the last step. */
  collected(tensor: string, shard: number): Float32Array {
    const at = this.places.get(tensor)!;
    return this.share.collected[shard]!.subarray(at, at + sizeOf(typeOf(this.training.graph, tensor).shape));
  }

  /** The parameters as they are now. */
  async weights(): Promise<Map<string, Float32Array>> {
    await this.workers[0]!.ask({ kind: "weights" });
    return new Map(
      this.training.parameters.map((name, i) => {
        const at = this.share.updates[i]!.offset;
        const size = sizeOf(typeOf(this.training.graph, name).shape);
        return [name, Float32Array.from(this.share.weights.subarray(at, at + size))];
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
  }

  /** 1 - beta^t of Adam, by repeated multiplication. */
  private corrections(): [number, number] {
    if (this.optimizer.kind === "sgd") return [1, 1];
    this.powers[0] *= this.optimizer.beta1;
    this.powers[1] *= this.optimizer.beta2;
    return [1 - this.powers[0], 1 - this.powers[1]];
  }
}

function optimizerSettings(optimizer: Optimizer): OptimizerSettings {
  if (optimizer.kind === "sgd") return { ...optimizer, nesterov: optimizer.nesterov ?? false };
  return { ...optimizer, beta1: optimizer.beta1 ?? 0.9, beta2: optimizer.beta2 ?? 0.999 };
}

function shareMemory(
  training: Training,
  plan: Plan,
  shards: number,
  optimizer: OptimizerSettings,
): Omit<TrainingShare, "shards"> {
  const floats = (length: number): Float32Array => new Float32Array(new SharedArrayBuffer(4 * length));
  const perShard = (length: number): Float32Array[] => Array.from({ length: shards }, () => floats(length));
  const size = (tensor: string): number => sizeOf(typeOf(training.graph, tensor).shape) * plan.batch;
  const [image] = training.graph.inputs;
  const tensors = training.needsTarget ? [image!.tensor, TARGET] : [image!.tensor];
  return {
    shardCount: shards,
    inputs: [0, 1].map(() => tensors.map((tensor) => perShard(size(tensor)))),
    collected: perShard(plan.collected.length),
    weights: floats(plan.mutable.length),
    gradients: plan.mutable.length,
    updates: training.parameters.map((name, i) => {
      const { shape } = typeOf(training.graph, name);
      // Weights decay; biases, scales and shifts do not.
      return { offset: plan.mutable.offsets[i]!, length: pad4(sizeOf(shape)), decay: shape.length > 1 };
    }),
    optimizer,
  };
}
