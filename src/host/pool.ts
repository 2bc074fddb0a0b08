/** Worker threads that run one plan on chunk after chunk. */
import type { Words } from "../model/words.js";
import type { Plan } from "./plan.js";
import { startWorker, type HostWorker } from "./workers.js";

interface Job {
  readonly inputs: readonly Words[];
  readonly resolve: (outputs: Words[]) => void;
  readonly reject: (error: unknown) => void;
}

export class Pool {
  private readonly workers: HostWorker[];
  private readonly idle: HostWorker[];
  private readonly queue: Job[] = [];

  constructor(module: WebAssembly.Module, plan: Plan, threads: number) {
    this.workers = Array.from({ length: threads }, () => startWorker({ module, plan }));
    this.idle = [...this.workers];
  }

  run(inputs: readonly Words[]): Promise<Words[]> {
    return new Promise((resolve, reject) => {
      this.queue.push({ inputs, resolve, reject });
      this.next();
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
  }

  private next(): void {
    while (this.idle.length > 0 && this.queue.length > 0) {
      const worker = this.idle.pop()!;
      const job = this.queue.shift()!;
      worker
        .ask({ kind: "infer", inputs: job.inputs })
        .then((answer) => job.resolve(answer as Words[]), job.reject)
        .finally(() => {
          this.idle.push(worker);
          this.next();
        });
    }
  }
}
