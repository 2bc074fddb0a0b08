/**
 * From a graph to a plan: fuse nodes into steps, choose layouts, give every tensor an address, list the kernel calls.
 *
 * The lowering of a step is run twice: first with made-up addresses, to learn how much scratch and packed memory it takes,
 * then, after memory is assigned, for its calls.
 */
import { IdapError, invariant } from "../model/errors.js";
import { tensorOf } from "../model/graph.js";
import { shapeAt, sizeOf, type Dtype, type Graph, type Shape, type TensorData } from "../model/types.js";
import { align, assignOffsets, type Lifetime } from "./arena.js";
import { fuseGraph, type Step } from "./fuse.js";
import {
  NO_HALO,
  paddedLayout,
  place,
  placeOf,
  plainLayout,
  sameBytes,
  type Halo,
  type Layout,
  type View,
} from "./layout.js";
import { isInteger, toWords, type Words } from "../model/words.js";
import type { LowerContext } from "./lower/context.js";
import { expandOps } from "../model/passes/index.js";
import { haloWish, isLowered, loweringOf } from "./lower/index.js";
import { copyStrided } from "../kernels/strided.js";
import { FIRST_ADDRESS, pad4, type Call, type Place, type Plan, type PlanOptions, type Region } from "./plan.js";

const PAGE = 65536;
const LAST_BYTE = 65536 * PAGE - PAGE;

const PLAIN_OPS = new Set(["conv2d_grad_weight", "depthwise_conv2d_grad_weight"]);

export function planGraph(graph: Graph, options: PlanOptions): Plan {
  return new Planner(
    expandOps(graph, ({ op }) => isLowered(op)),
    options,
  ).plan();
}

class Planner {
  private readonly steps: Step[];
  private readonly results: string[];
  private readonly layouts = new Map<string, Layout>();
  private readonly fixed = new Set<string>();
  private readonly bases = new Map<string, number>();
  private top = FIRST_ADDRESS;

  constructor(
    private readonly graph: Graph,
    private readonly options: PlanOptions,
  ) {
    const { observe = [], collect = [] } = options;
    for (const name of [...observe, ...collect]) tensorOf(graph, name);
    this.results = [...new Set([...graph.outputs.map((port) => port.tensor), ...observe])];
    const kept = new Set([...this.results, ...collect]);
    this.steps = withoutDead(fuseGraph(graph, kept), kept);
    const changing = new Set(options.mutable);
    for (const [name, { data }] of graph.tensors) if (data && !changing.has(name)) this.fixed.add(name);
  }

  plan(): Plan {
    this.chooseLayouts();
    const { constants, mutable } = this.placeConstants();
    const sizes = (this.options.collect ?? []).map((name) => pad4(sizeOf(this.shape(name))));
    const collected = this.reserve(sizes);
    const states = Array.from({ length: this.options.states ?? 0 }, () => this.region(mutable.length));

    const packedAt = new Map<string, number>();
    const tables: number[][] = [];
    const scratch = this.steps.map((step, i) => {
      const own: number[] = (tables[i] = []);
      const table = (data: Words): void => {
        const { address } = this.region(pad4(data.length));
        constants.push({ address, data });
        own.push(address);
      };
      return this.isAlias(step) ? [] : this.measure(step, packedAt, table);
    });
    const { arena, temps } = this.assign(scratch);

    const calls: Call[] = [];
    const setup: Call[] = [];
    const done = new Set<string>();
    for (const port of this.graph.inputs) this.clearBorder(port.tensor, calls);
    this.steps.forEach((step, i) => {
      if (this.isAlias(step)) return;
      for (const name of step.outputs) this.clearBorder(name, calls);
      this.lower(step, temps[i]!, tables[i]!, packedAt, done, calls, setup);
    });
    (this.options.collect ?? []).forEach((name, i) => {
      const to = {
        address: collected.address + 4 * collected.offsets[i]!,
        strides: plainLayout(this.shape(name)).strides,
      };
      copyStrided((...call) => calls.push(call), this.view(name), to, this.shape(name));
    });
    return {
      batch: this.options.batch,
      firstAddress: FIRST_ADDRESS,
      bytes: Math.ceil(this.top / PAGE) * PAGE,
      constants,
      setup,
      calls,
      arena,
      inputs: this.graph.inputs.map((port) => this.place(port.tensor)),
      results: this.results.map((name) => this.place(name)),
      mutable,
      collected,
      states,
    };
  }

  private place(name: string): Place {
    return placeOf(name, this.view(name), isInteger(this.dtype(name)));
  }

  private dtype(name: string): Dtype {
    return tensorOf(this.graph, name).type.dtype;
  }

  private constant(name: string): TensorData | null {
    return this.fixed.has(name) ? tensorOf(this.graph, name).data! : null;
  }

  private shape(name: string): Shape {
    return shapeAt(tensorOf(this.graph, name).type, this.options.batch);
  }

  /** Plain for constants and what comes of them alone; else padded, images with the widest border anyone wants. */
  private chooseLayouts(): void {
    const halos = new Map<string, Halo>();
    for (const step of this.steps) {
      const wish = haloWish(step, (name) => this.shape(name));
      if (!wish) continue;
      const old = halos.get(wish.tensor) ?? NO_HALO;
      halos.set(wish.tensor, wish.halo.map((d, i) => Math.max(d, old[i]!)) as unknown as Halo);
    }
    for (const [name, { data }] of this.graph.tensors) {
      if (data) this.layouts.set(name, plainLayout(this.shape(name)));
    }
    const padded = (name: string): Layout => paddedLayout(this.shape(name), halos.get(name));
    for (const { tensor } of this.graph.inputs) this.layouts.set(tensor, padded(tensor));
    for (const step of this.steps) {
      const plain = PLAIN_OPS.has(step.op) || readsOf(step).every((name) => this.layouts.get(name)?.plain);
      for (const name of step.outputs) this.layouts.set(name, plain ? plainLayout(this.shape(name)) : padded(name));
    }
  }

  private region(length: number): Region {
    const address = this.top;
    this.top = align(address + 4 * length);
    if (this.top > LAST_BYTE) {
      throw new IdapError(
        "E_MEMORY",
        `"${this.graph.name}" at batch ${this.options.batch} needs more than the 4 GiB of one WebAssembly memory`,
        "Use a smaller batch.",
      );
    }
    return { address, length };
  }

  /** A region of several arrays, each `sizes[i]` floats. */
  private reserve(sizes: readonly number[]): Region & { offsets: number[] } {
    let length = 0;
    const offsets = sizes.map((size) => {
      const offset = length;
      length += size;
      return offset;
    });
    return { ...this.region(length), offsets };
  }

  private placeConstants(): { constants: { address: number; data: Words }[] } & Pick<Plan, "mutable"> {
    const constants: { address: number; data: Words }[] = [];
    const put = (name: string, address: number): void => {
      this.bases.set(name, address);
      constants.push({ address, data: toWords(tensorOf(this.graph, name).data!, `the constant "${name}"`) });
    };
    const names = this.options.mutable ?? [];
    const mutable = this.reserve(names.map((name) => pad4(sizeOf(this.shape(name)))));
    names.forEach((name, i) => put(name, mutable.address + 4 * mutable.offsets[i]!));
    const used = new Set([...this.steps.flatMap(readsOf), ...this.results, ...(this.options.collect ?? [])]);
    for (const [name, { data }] of this.graph.tensors) {
      if (data && used.has(name) && !this.bases.has(name)) put(name, this.region(data.length).address);
    }
    return { constants, mutable };
  }

  /** Scratch buffers that a step asks for; packed memory and tables are reserved on the way. */
  private measure(step: Step, packedAt: Map<string, number>, table: (data: Words) => void): number[] {
    const sizes: number[] = [];
    this.lowering(step)(step, {
      view: (name) => place(this.layout(name), this.bases.get(name) ?? FIRST_ADDRESS),
      temp: (bytes) => {
        sizes.push(bytes);
        return FIRST_ADDRESS;
      },
      dtype: (name) => this.dtype(name),
      constant: (name) => this.constant(name),
      table: (data) => {
        table(data);
        return FIRST_ADDRESS;
      },
      call: () => {},
      packed: (key, bytes, sources) => {
        if (!this.areFixed(sources)) sizes.push(bytes);
        else if (!packedAt.has(key)) packedAt.set(key, this.region(bytes / 4).address);
        return FIRST_ADDRESS;
      },
    });
    return sizes;
  }

  /** Addresses of all tensors and scratch buffers: the arena, and the scratch of each step. */
  private assign(scratch: readonly number[][]): { arena: Region; temps: number[][] } {
    const buffers = new Map<string, Lifetime>();
    const end = this.steps.length;
    const born = (name: string, at: number): void => {
      buffers.set(name, { bytes: this.layout(name).bytes, from: at, to: at, offset: 0 });
    };
    for (const { tensor } of this.graph.inputs) born(tensor, -1);
    this.steps.forEach((step, i) => {
      for (const name of readsOf(step)) {
        const buffer = buffers.get(name);
        if (buffer) buffer.to = i;
      }
      if (this.isAlias(step)) buffers.set(step.outputs[0]!, buffers.get(step.inputs[0]!)!);
      else for (const name of step.outputs) born(name, i);
    });
    for (const name of [...this.results, ...(this.options.collect ?? [])]) {
      const buffer = buffers.get(name);
      if (buffer) buffer.to = end;
    }
    const temps = scratch.map((sizes, i) => sizes.map((bytes): Lifetime => ({ bytes, from: i, to: i, offset: 0 })));
    const arena = this.region(assignOffsets([...new Set(buffers.values()), ...temps.flat()]) / 4);
    for (const [name, { offset }] of buffers) this.bases.set(name, arena.address + offset);
    return { arena, temps: temps.map((list) => list.map(({ offset }) => arena.address + offset)) };
  }

  private lower(
    step: Step,
    temps: readonly number[],
    tables: readonly number[],
    packedAt: ReadonlyMap<string, number>,
    done: Set<string>,
    calls: Call[],
    setup: Call[],
  ): void {
    let next = 0;
    let nextTable = 0;
    const call = (...c: Call): void => void calls.push(c);
    const ctx: LowerContext = {
      view: (name) => this.view(name),
      dtype: (name) => this.dtype(name),
      constant: (name) => this.constant(name),
      table: () => tables[nextTable++]!,
      temp: () => temps[next++]!,
      call,
      packed: (key, _bytes, sources, fill) => {
        if (!this.areFixed(sources)) {
          const address = temps[next++]!;
          fill(address, call);
          return address;
        }
        const address = packedAt.get(key)!;
        if (!done.has(key)) fill(address, (...c) => void setup.push(c));
        done.add(key);
        return address;
      },
    };
    this.lowering(step)(step, ctx);
    invariant(
      next === temps.length && nextTable === tables.length,
      `the lowering of ${step.op} asks for the same scratch memory and tables both times`,
    );
  }

  private lowering(step: Step): (step: Step, ctx: LowerContext) => void {
    const lowering = loweringOf(
      step,
      [...readsOf(step), ...step.outputs].map((name) => this.dtype(name)),
    );
    if (!lowering) {
      throw new IdapError(
        "E_OP",
        `node "${step.name}": the wasm executor cannot run ${step.op}`,
        "Use the reference executor.",
      );
    }
    return lowering;
  }

  /** A reshape that changes nothing in memory: its output is its input under another name. */
  private isAlias(step: Step): boolean {
    if (step.op !== "reshape" || this.graph.tensors.get(step.inputs[0]!)?.data) return false;
    return sameBytes(this.layout(step.inputs[0]!), this.layout(step.outputs[0]!));
  }

  private areFixed(sources: readonly string[]): boolean {
    return sources.every((name) => this.fixed.has(name));
  }

  private layout(name: string): Layout {
    const layout = this.layouts.get(name);
    invariant(layout, `tensor "${name}" has a layout`);
    return layout;
  }

  private view(name: string): View {
    const base = this.bases.get(name);
    invariant(base !== undefined, `tensor "${name}" has an address`);
    return place(this.layout(name), base);
  }

  private clearBorder(name: string, calls: Call[]): void {
    const { halo, base, shape, strides } = this.view(name);
    if (halo.every((d) => d === 0)) return;
    const [n, h, w] = shape as [number, number, number, number];
    const [top, left, bottom, right] = halo;
    calls.push(["clear_borders", base, strides[0]!, n, h, w, strides[2]!, top, left, bottom, right]);
  }
}

/** Everything that a step reads. */
function readsOf(step: Step): string[] {
  const more = [step.addend, step.mask?.output].filter((name) => name !== undefined);
  return [...step.inputs, ...more];
}

/** Steps that lead to a tensor that is wanted. */
function withoutDead(steps: readonly Step[], wanted: ReadonlySet<string>): Step[] {
  const needed = new Set(wanted);
  const alive = [...steps].reverse().filter((step) => {
    if (!step.outputs.some((name) => needed.has(name))) return false;
    for (const name of readsOf(step)) needed.add(name);
    return true;
  });
  return alive.reverse();
}
