/** The default executor: our own kernels in WebAssembly, on a static plan for each batch size. */
import { fromWords, isInteger, toWords, type Words } from "../model/words.js";
import { IdapError } from "../model/errors.js";
import { typeOf } from "../model/graph.js";
import { shapeAt, sizeOf, type Dtype, type Graph, type TensorRecord, type TensorValue } from "../model/types.js";
import { copySamples, samplesAreIndependent } from "./chunks.js";
import type { Executor, ExecutorOptions } from "./executor-types.js";
import { batchOf } from "./inputs.js";
import { createMachine } from "./machine.mjs";
import { loadHostModule } from "./module.js";
import { planGraph } from "./planner.js";
import type { Plan } from "./plan.js";
import { Pool } from "./pool.js";

/** Samples that run at once unless the caller says otherwise. */
const DEFAULT_BATCH = 64;
/** Plans kept: the usual batch, and one for the odd small call. */
const KEPT = 2;

/** One plan and what runs it: a machine in this thread, or one in each worker. */
interface Session {
  readonly plan: Plan;
  run(inputs: readonly Words[]): Promise<Words[]>;
  close(): Promise<void>;
}

export class WasmExecutor implements Executor {
  readonly id = "wasm";
  private readonly sessions = new Map<string, Promise<Session>>();
  private readonly independent: boolean;
  private closed = false;

  constructor(
    private readonly graph: Graph,
    private readonly options: ExecutorOptions = {},
  ) {
    for (const name of ["batch", "threads"] as const) {
      const value = options[name];
      if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
        throw new IdapError("E_OPTION", `executor option "${name}" must be a positive whole number, got ${value}`);
      }
    }
    this.independent = samplesAreIndependent(graph);
  }

  async run(inputs: TensorRecord): Promise<TensorRecord> {
    const values = await this.compute(inputs, []);
    return Object.fromEntries(this.graph.outputs.map((port) => [port.name, values.get(port.tensor)!]));
  }

  async observe(inputs: TensorRecord, tensors: readonly string[]): Promise<Map<string, TensorValue>> {
    const unknown = tensors.find((name) => !this.graph.tensors.has(name));
    if (unknown !== undefined)
      throw new IdapError("E_TENSOR", `"${this.graph.name}" has no tensor "${unknown}" to observe`);
    return this.compute(inputs, tensors);
  }

  async close(): Promise<void> {
    this.closed = true;
    const sessions = [...this.sessions.values()];
    this.sessions.clear();
    await Promise.all(sessions.map(async (session) => (await session).close()));
  }

  private async compute(inputs: TensorRecord, observed: readonly string[]): Promise<Map<string, TensorValue>> {
    if (this.closed) throw new IdapError("E_CLOSED", `the executor of "${this.graph.name}" was closed before this run`);
    const batch = batchOf(this.graph, inputs);
    const chunk = this.independent ? Math.min(batch, this.options.batch ?? DEFAULT_BATCH) : batch;
    const session = await this.session(chunk, observed);
    const given = this.graph.inputs.map(({ name }) => toWords(inputs[name]!.data, `the input "${name}"`));
    const results = new Map<string, Words>();
    for (const { name } of session.plan.results) {
      const type = typeOf(this.graph, name);
      results.set(name, wordsOf(type.dtype, sizeOf(shapeAt(type, batch))));
    }
    const jobs: Promise<void>[] = [];
    for (let first = 0; first < batch; first += chunk) {
      const count = Math.min(chunk, batch - first);
      const parts = this.graph.inputs.map((port, i) => {
        const type = typeOf(this.graph, port.tensor);
        const whole = given[i]!;
        if (chunk === batch) return whole;
        // A last chunk that is not full is filled up with zeros: samples do not see one another.
        const part = wordsOf(type.dtype, sizeOf(shapeAt(type, chunk)));
        copySamples(type, whole, batch, part, chunk, first, count, true);
        return part;
      });
      const job = session.run(parts).then((values) => {
        session.plan.results.forEach(({ name }, i) => {
          const type = typeOf(this.graph, name);
          const whole = results.get(name)!;
          if (chunk === batch || type.batchAxis === null) whole.set(values[i]!);
          else copySamples(type, whole, batch, values[i]!, chunk, first, count, false);
        });
      });
      // One machine: one chunk after another, so that only one is in memory. Workers take as many as there are.
      if (this.threads === 1) await job;
      else jobs.push(job);
    }
    await Promise.all(jobs);
    return new Map(
      [...results].map(([name, data]) => {
        const type = typeOf(this.graph, name);
        const { dtype } = type;
        return [name, { data: fromWords(data, dtype), shape: shapeAt(type, batch), dtype }];
      }),
    );
  }

  private get threads(): number {
    return this.options.threads ?? 1;
  }

  private session(batch: number, observe: readonly string[]): Promise<Session> {
    const key = JSON.stringify([batch, observe]);
    const known = this.sessions.get(key);
    if (known) return known;
    for (const [old, session] of this.sessions) {
      if (this.sessions.size < KEPT) break;
      this.sessions.delete(old);
      void session.then(
        (s) => s.close(),
        () => undefined,
      );
    }
    const session = this.open(batch, observe);
    this.sessions.set(key, session);
    session.catch(() => this.sessions.delete(key));
    return session;
  }

  private async open(batch: number, observe: readonly string[]): Promise<Session> {
    const plan = planGraph(this.graph, { batch, observe });
    const module = await loadHostModule(this.options.fast);
    if (this.threads > 1) {
      const pool = new Pool(module, plan, this.threads);
      return { plan, run: (inputs) => pool.run(inputs), close: () => pool.close() };
    }
    const machine = createMachine(module, plan);
    return {
      plan,
      run: async (inputs) => {
        plan.inputs.forEach((place, i) => machine.write(place, inputs[i]!, 0, rowsOf(place.shape)));
        machine.run();
        return plan.results.map((place) => {
          const out = new (place.integer ? Int32Array : Float32Array)(sizeOf(place.shape));
          machine.read(place, out, 0, rowsOf(place.shape));
          return out;
        });
      },
      close: async () => {},
    };
  }
}

function wordsOf(dtype: Dtype, length: number): Words {
  return isInteger(dtype) ? new Int32Array(length) : new Float32Array(length);
}

function rowsOf(shape: readonly number[]): number {
  return sizeOf(shape.slice(0, -1));
}
