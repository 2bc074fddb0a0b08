/**
 * Graph to steps: batch norm folded into weights, bias, residual addition, activation and padding fused into the
 * convolution they belong to, shapes that only rename values turned into aliases. Nothing here knows an address.
 */
import { IdapError } from "../model/errors.js";
import { getOp } from "../model/ops/index.js";
import {
  cancelTransposes,
  expandOps,
  foldBatchNorm,
  foldConstants,
  multiplyComputedWeights,
  removeDeadNodes,
  removeIdentities,
} from "../model/passes/index.js";
import { GraphPatch } from "../model/patch.js";
import { sameShape, type Dtype, type Graph, type Node, type Shape } from "../model/types.js";
import { lowerPlain, plainForm, PLAIN_OPS, type StepSink } from "./lower-plain.js";
import { stepInputs, stepOutputs, type Activation, type Lowered, type LoweredPort, type Step } from "./steps.js";

const WEIGHTED = new Set(["conv2d", "depthwise_conv2d", "dense"]);

/** Operators that the emitter has a kernel for. */
export const EMITTED_OPS: readonly string[] = [...WEIGHTED, ...PLAIN_OPS].sort();

type Pads = [number, number, number, number];

/** What follows a weighted node and is computed by it. */
interface Epilogue {
  y: string;
  bias: Float32Array | null;
  residual: string | null;
  act: Activation;
  nodes: string[];
  /** Position of the last node that it took in: the step runs there, when the residual is ready. */
  position: number;
}

/** Steps for `graph`; throws E_NOT_EMITTED naming every node that no kernel implements. */
export function lower(graph: Graph): Lowered {
  return new Lowering(prepare(graph)).run();
}

/** The passes every emission starts with. */
export function prepare(graph: Graph): Graph {
  const plain = expandOps(foldBatchNorm(graph), ({ op }) => EMITTED_OPS.includes(op));
  const folded = foldConstants(computedOutputs(cancelTransposes(removeIdentities(plain))));
  return removeDeadNodes(multiplyComputedWeights(folded));
}

/**
 * Outputs whose values are fixed are copied into the memory that callers read, as any other step writes there; what they
 * are computed from is folded then.
 */
function computedOutputs(graph: Graph): Graph {
  const fixed = new Set([...graph.tensors].flatMap(([name, { data }]) => (data ? [name] : [])));
  for (const { inputs, outputs } of graph.nodes) {
    if (inputs.every((name) => fixed.has(name))) outputs.forEach((name) => fixed.add(name));
  }
  if (!graph.outputs.some((p) => fixed.has(p.tensor))) return graph;
  const patch = new GraphPatch(graph);
  const outputs = graph.outputs.map((p) => {
    if (!fixed.has(p.tensor)) return p;
    const { shape } = graph.tensors.get(p.tensor)!.type;
    return { ...p, tensor: patch.node("reshape", [p.tensor], { shape }, `${p.tensor}/copy`)[0]! };
  });
  return { ...patch.apply(), outputs };
}

class Lowering {
  private readonly producer = new Map<string, { node: Node; position: number }>();
  private readonly uses = new Map<string, number>();
  private readonly user = new Map<string, { node: Node; position: number }>();
  private readonly taken = new Set<string>();
  private readonly placed: { position: number; step: Step }[] = [];
  private readonly shapes = new Map<string, Shape>();

  constructor(private readonly graph: Graph) {
    graph.nodes.forEach((node, position) => {
      for (const name of node.outputs) this.producer.set(name, { node, position });
      for (const name of node.inputs) {
        this.uses.set(name, (this.uses.get(name) ?? 0) + 1);
        this.user.set(name, { node, position });
      }
    });
    for (const port of graph.outputs) this.uses.set(port.tensor, (this.uses.get(port.tensor) ?? 0) + 1);
    for (const [name, tensor] of graph.tensors) if (!tensor.data) this.shapes.set(name, tensor.type.shape);
  }

  run(): Lowered {
    this.refuseUnsupported();
    this.graph.nodes.forEach((node, position) => {
      if (this.taken.has(node.name)) return;
      if (WEIGHTED.has(node.op)) this.weighted(node, position);
      else lowerPlain(node, this.sink(node, position));
    });
    const steps = this.placed.map((p, i) => ({ ...p, i })).sort((a, b) => a.position - b.position || a.i - b.i);
    const outputs = this.graph.outputs.map((p) => this.port(p));
    return {
      name: this.graph.name,
      inputs: this.graph.inputs.map((p) => this.port(p)),
      outputs,
      shapes: this.shapes,
      steps: withoutDead(
        steps.map((s) => s.step),
        outputs.map((p) => p.tensor),
      ),
    };
  }

  private refuseUnsupported(): void {
    const { graph } = this;
    const faults: string[] = [];
    for (const node of graph.nodes) {
      if (!WEIGHTED.has(node.op)) {
        if (plainForm(node, this.sink(node, 0))) continue;
        const dtypes = [...new Set([...node.inputs, ...node.outputs].map((name) => this.dtype(name)))];
        faults.push(`${node.op} on ${dtypes.join(" and ")} ("${node.name}")`);
      } else if (!node.inputs.slice(1).every((name) => graph.tensors.get(name)!.data)) {
        faults.push(`${node.op} with computed weights ("${node.name}")`);
      }
    }
    if (faults.length > 0) {
      throw new IdapError(
        "E_NOT_EMITTED",
        `the emitter has no kernel for ${faults.length} part(s) of "${graph.name}": ${faults.join(", ")}`,
        `It emits networks of ${EMITTED_OPS.join(", ")}. \`idap inspect\` lists the operators of a model.`,
      );
    }
  }

  private port(p: { name: string; tensor: string }): LoweredPort {
    return { name: p.name, tensor: p.tensor, shape: this.shapes.get(p.tensor)!, dtype: this.dtype(p.tensor) };
  }

  private shape(name: string): Shape {
    return this.shapes.get(name) ?? this.graph.tensors.get(name)!.type.shape;
  }

  private dtype(name: string): Dtype {
    return this.graph.tensors.get(name)!.type.dtype;
  }

  private constant(name: string): Float32Array {
    return this.graph.tensors.get(name)!.data as Float32Array;
  }

  private macs(node: Node): number {
    const types = (names: readonly string[]) => names.map((n) => this.graph.tensors.get(n)!.type);
    return getOp(node.op).cost(types(node.inputs), types(node.outputs), node.attrs).macs;
  }

  private sink(node: Node, position: number): StepSink {
    return {
      shape: (name) => this.shape(name),
      dtype: (name) => this.dtype(name),
      constant: (name) => this.graph.tensors.get(name)!.data ?? null,
      temporary: (name, shape) => this.temporary(name, shape),
      macs: this.macs(node),
      push: (step) => this.placed.push({ position, step }),
    };
  }

  private temporary(name: string, shape: Shape): string {
    let unique = name;
    for (let i = 1; this.shapes.has(unique) || this.graph.tensors.has(unique); i++) unique = `${name}.${i}`;
    this.shapes.set(unique, shape);
    return unique;
  }

  /** conv2d, depthwise_conv2d and dense with everything that can be computed on the way. */
  private weighted(node: Node, position: number): void {
    const [, wName, bName] = node.inputs as [string, string, string?];
    const e = this.epilogue(node, position, bName ? this.constant(bName) : null);
    const base = { name: node.name, y: e.y, macs: this.macs(node) };
    const weights = this.constant(wName);
    const place = (step: Step): void => {
      this.placed.push({ position: e.position, step });
    };
    const tail = { bias: e.bias, act: e.act };
    if (node.op === "dense") {
      const flat = this.throughFlatten(node.inputs[0]!);
      const [k, n] = this.shape(wName) as [number, number];
      place({
        ...base,
        ...tail,
        kind: "conv",
        nodes: [...flat.nodes, ...e.nodes],
        x: flat.x,
        residual: e.residual,
        weights,
        kernel: flat.kernel,
        ci: k / (flat.kernel[0] * flat.kernel[1]),
        co: n,
        strides: [1, 1],
        dilations: [1, 1],
        pads: [0, 0, 0, 0],
        groups: 1,
      });
      return;
    }
    const a = node.attrs as unknown as {
      strides: [number, number];
      dilations: [number, number];
      pads: Pads;
      groups?: number;
    };
    const padded = this.throughPad(node.inputs[0]!, a.pads);
    const [kh, kw, ci, last] = this.shape(wName) as [number, number, number, number];
    const channels = this.shape(padded.x)[3]!;
    const window = {
      kernel: [kh, kw] as [number, number],
      strides: a.strides,
      dilations: a.dilations,
      pads: padded.pads,
    };
    const nodes = [...padded.nodes, ...e.nodes];
    const depthwise = node.op === "depthwise_conv2d" || (a.groups === channels && ci === 1);
    const co = node.op === "depthwise_conv2d" ? ci * last : last;
    if (depthwise && channels > 1 && e.residual === null) {
      // Both [kh, kw, c, m] and [kh, kw, 1, c * m] are [kh, kw, c * m] in memory.
      const x = co === channels ? padded.x : this.repeated(padded.x, co / channels, e.position, node.name);
      place({ ...base, ...tail, ...window, kind: "depthwise", nodes, x, weights, channels: co });
      return;
    }
    const groups = node.op === "depthwise_conv2d" ? channels : a.groups!;
    // Tiles store 4 channels at a time, so a group's outputs must be a multiple of 4; other groups are one block matrix.
    const split = groups === 1 || (co / groups) % 4 === 0;
    place({
      ...base,
      ...tail,
      ...window,
      kind: "conv",
      nodes,
      x: padded.x,
      residual: e.residual,
      weights: split ? weights : blockDiagonal(weights, kh * kw, channels, co, groups),
      ci: split ? channels / groups : channels,
      co,
      groups: split ? groups : 1,
    });
  }

  /** Follows the only user of the output as long as it is something the kernel does on the way. */
  private epilogue(node: Node, position: number, bias: Float32Array | null): Epilogue {
    const e: Epilogue = { y: node.outputs[0]!, bias, residual: null, act: "none", nodes: [node.name], position };
    const co = this.shape(e.y).at(-1)!;
    const canAdd =
      node.op !== "depthwise_conv2d" &&
      !(node.op === "conv2d" && node.attrs["groups"] === this.shape(node.inputs[0]!)[3]);
    const taps = node.op === "dense" ? 1 : this.shape(node.inputs[1]!)[0]! * this.shape(node.inputs[1]!)[1]!;
    while (e.act === "none" && this.uses.get(e.y) === 1) {
      const next = this.user.get(e.y);
      // The one use is an output port, or a sum that another convolution computes.
      if (!next || this.taken.has(next.node.name)) break;
      const { op, inputs, outputs, name } = next.node;
      if (op === "relu" || op === "relu6") {
        e.act = op;
      } else if (op === "gelu" && canAdd && taps === 1) {
        // The same function of the same sums as by itself, so the same bits.
        e.act = next.node.attrs["approximate"] === "none" ? "gelu" : "gelu_tanh";
      } else if (op === "add" && sameShape(this.shape(outputs[0]!), this.shape(e.y))) {
        const other = inputs[0] === e.y ? inputs[1]! : inputs[0]!;
        const values = this.graph.tensors.get(other)!.data as Float32Array | undefined;
        if (values) {
          const perChannel = values.length === co && this.shape(other).at(-1) === co;
          if (e.residual !== null || !(perChannel || values.length === 1)) break;
          e.bias = Float32Array.from({ length: co }, (_, i) => (e.bias?.[i] ?? 0) + values[perChannel ? i : 0]!);
        } else {
          if (!canAdd || e.residual !== null || !sameShape(this.shape(other), this.shape(e.y))) break;
          e.residual = other;
        }
      } else {
        break;
      }
      this.taken.add(name);
      e.nodes.push(name);
      e.y = outputs[0]!;
      e.position = next.position;
    }
    return e;
  }

  /** Reads what a zero padding of the spatial axes reads, and pads by itself. The pad node stays if others use it. */
  private throughPad(x: string, pads: Pads): { x: string; pads: Pads; nodes: string[] } {
    const nodes: string[] = [];
    for (;;) {
      const from = this.producer.get(x)?.node;
      if (from?.op !== "pad") return { x, pads, nodes };
      const { before, after, value } = from.attrs as unknown as { before: number[]; after: number[]; value: number };
      const spatial = [0, 3].every((axis) => before[axis] === 0 && after[axis] === 0);
      if (value !== 0 || before.length !== 4 || !spatial) return { x, pads, nodes };
      x = from.inputs[0]!;
      pads = [pads[0] + before[1]!, pads[1] + before[2]!, pads[2] + after[1]!, pads[3] + after[2]!];
      nodes.push(from.name);
    }
  }

  /** A dense layer on a flattened image is a convolution whose window is the image: no copy, any channel stride. */
  private throughFlatten(x: string): { x: string; kernel: [number, number]; nodes: string[] } {
    const from = this.producer.get(x)?.node;
    const image = from?.op === "reshape" ? this.shape(from.inputs[0]!) : null;
    const flat = this.shape(x);
    if (image?.length !== 4 || image[0] !== 1 || flat.length !== 2 || flat[0] !== 1 || image[1]! * image[2]! === 1) {
      return { x, kernel: [1, 1], nodes: [] };
    }
    return { x: from!.inputs[0]!, kernel: [image[1]!, image[2]!], nodes: [from!.name] };
  }

  /** Every channel m times, so that a channel multiplier is an ordinary depthwise convolution. */
  private repeated(x: string, m: number, position: number, name: string): string {
    const [n, h, w, c] = this.shape(x) as [number, number, number, number];
    const y = this.temporary(`${x}@repeat`, [n, h, w, c * m]);
    const along = (count: number, axis: number) => ({ count, x: { axis, step: 1 }, y: { axis, step: 1 } });
    this.placed.push({
      position,
      step: {
        kind: "move",
        name,
        nodes: [name],
        x,
        y,
        macs: 0,
        xBegin: [0, 0, 0, 0],
        yBegin: [0, 0, 0, 0],
        loops: [
          along(n, 0),
          along(h, 1),
          along(w, 2),
          { count: c, x: { axis: 3, step: 1 }, y: { axis: 3, step: m } },
          { count: m, x: null, y: { axis: 3, step: 1 } },
        ],
      },
    });
    return y;
  }
}

/** HWIO weights of a grouped convolution as those of an ordinary one: zeros between channels of different groups. */
function blockDiagonal(w: Float32Array, taps: number, ci: number, co: number, groups: number): Float32Array {
  const perIn = ci / groups;
  const perOut = co / groups;
  const out = new Float32Array(taps * ci * co);
  for (let t = 0; t < taps; t++) {
    for (let c = 0; c < perIn; c++) {
      for (let o = 0; o < co; o++) {
        const group = Math.floor(o / perOut);
        out[(t * ci + group * perIn + c) * co + o] = w[(t * perIn + c) * co + o]!;
      }
    }
  }
  return out;
}

/** Drops steps whose results nobody reads, such as paddings that every consumer took in. */
function withoutDead(steps: readonly Step[], outputs: readonly string[]): Step[] {
  const wanted = new Set(outputs);
  const kept: Step[] = [];
  for (let i = steps.length - 1; i >= 0; i--) {
    const step = steps[i]!;
    if (!stepOutputs(step).some((name) => wanted.has(name))) continue;
    for (const name of stepInputs(step)) wanted.add(name);
    kept.push(step);
  }
  return kept.reverse();
}
