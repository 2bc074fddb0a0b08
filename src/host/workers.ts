/** Starting and talking to worker threads. They end when closed, and never keep the process alive while idle. */
import { Worker } from "node:worker_threads";
import type { Words } from "../model/words.js";
import type { Plan } from "./plan.js";

/** What a worker gets when it starts. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly plan: Plan;
  /** For training: see trainer.ts. */
  readonly training?: TrainingShare;
}

/** Memory that all workers of a training run share, and a worker's part of the work. */
export interface TrainingShare {
  /** Which shards of each batch this worker runs. */
  readonly shards: readonly number[];
  readonly shardCount: number;
  /** Input tensors: [slot][input][shard]; one slot is filled while the other runs. */
  readonly inputs: readonly (readonly (readonly Float32Array[])[])[];
  /** Collected tensors of each shard. */
  readonly collected: readonly Float32Array[];
  /** Weights, written when asked for. */
  readonly weights: Float32Array;
  /** How many of the collected floats are gradients: they come first. */
  readonly gradients: number;
  readonly updates: readonly Update[];
  readonly optimizer: OptimizerSettings;
}

/** One parameter tensor: where it lies in `mutable` and `collected`, and whether it decays. */
export interface Update {
  readonly offset: number;
  readonly length: number;
  readonly decay: boolean;
}

export type OptimizerSettings =
  | { readonly kind: "sgd"; readonly momentum: number; readonly nesterov: boolean; readonly weightDecay: number }
  | { readonly kind: "adamw"; readonly beta1: number; readonly beta2: number; readonly weightDecay: number };

export type Request =
  | { readonly kind: "infer"; readonly inputs: readonly Words[] }
  | { readonly kind: "gradients"; readonly slot: number }
  | { readonly kind: "update"; readonly rate: number; readonly corrections: readonly [number, number] }
  | { readonly kind: "weights" };

export interface HostWorker {
  /** Sends a request and waits for its answer. One at a time. Rejects when the worker fails or has ended. */
  ask(request: Request): Promise<unknown>;
  close(): Promise<void>;
}

export function startWorker(start: WorkerStart): HostWorker {
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), { workerData: start });
  let waiting: { resolve: (value: unknown) => void; reject: (error: unknown) => void } | null = null;
  let failure: Error | null = null;
  const fail = (error: Error): void => {
    failure ??= error;
    waiting?.reject(error);
    waiting = null;
  };
  // Idle workers must not keep the process alive; a request that is under way must.
  worker.unref();
  worker.on("error", fail);
  worker.on("exit", (code) => fail(new Error(`internal: a worker thread ended with code ${code}`)));
  worker.on("message", ({ value, error }: { value?: unknown; error?: string }) => {
    const asked = waiting;
    waiting = null;
    worker.unref();
    if (error !== undefined) asked?.reject(new Error(error));
    else asked?.resolve(value);
  });
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        if (failure !== null) {
          reject(failure);
          return;
        }
        waiting = { resolve, reject };
        worker.ref();
        worker.postMessage(request);
      }),
    close: async () => {
      failure ??= new Error("internal: the worker thread was closed");
      waiting?.reject(failure);
      waiting = null;
      await worker.terminate();
    },
  };
}
