import { z } from "zod";
import { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import { removeDeadNodes } from "../../model/passes/dead-nodes.js";
import { cancelTransposes } from "../../model/passes/transposes.js";
import type { Dtype, Graph, TensorType } from "../../model/types.js";
import { withTracedBatch } from "../shared/batch.js";
import { checkShape } from "../shared/check.js";
import { Names } from "../shared/names.js";
import { Refusals } from "../shared/refusals.js";
import { LayerCall, type Dialect, type LayerReader } from "./layer.js";
import { layers } from "./layers/index.js";
import {
  callsOf,
  functionalConfig,
  parse,
  portsOf,
  sequentialConfig,
  type Argument,
  type Call,
  type LayerJson,
  type ModelConfig,
  type Reference,
} from "./topology.js";
import { WeightTable, type LayerPlace, type WeightStore } from "./weights.js";

/** Models inside models deeper than this are damage. */
const MAX_DEPTH = 16;

/** Calls of layers beyond this are damage: models in models multiply. */
const MAX_CALLS = 100_000;

export interface KerasModel {
  readonly name: string;
  /** For messages. */
  readonly file: string;
  readonly config: ModelConfig;
  readonly dialect: Dialect;
  /** Extent of axis 0 of the inputs that stands for the batch. */
  readonly batch: number;
  /** Shapes of inputs, by name, whose extents the file leaves open. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Called once all layers are known to be readable. */
  weights(): WeightStore;
}

/**
 * Reads a Keras model from its configuration. Input ports are named as the input layers, output ports as the layers
 * that give them.
 */
export function readKerasConfig(model: KerasModel): Graph {
  const topology = parseModel(model.config.class_name, model.config.config, model.file, 0);
  const refusals = new Refusals(model.file);
  refuseLayers(topology, refusals);
  refusals.throwIfAny();
  const weights = model.weights();
  const graph = removeDeadNodes(withTracedBatch((traced) => new Reader(model, weights, traced).read(topology)));
  // Layers with channels first leave transposes between them.
  return graph.nodes.some((n) => n.op === "transpose") ? cancelTransposes(graph) : graph;
}

/** A layer with its options checked, or a model in its place. */
interface Layer {
  readonly kind: string;
  readonly name: string;
  /** Its folder in a `.keras` file, below the model's. */
  readonly folder: string;
  readonly options: unknown;
  readonly reader: LayerReader | null;
  readonly model: Topology | null;
  readonly inputShape: readonly (number | null)[] | null;
  readonly dtype: string;
  readonly calls: readonly Call[];
  /** Why the layer cannot be read, where its configuration as such says so. */
  readonly refusal: string | null;
}

interface Topology {
  readonly layers: readonly Layer[];
  /** Null for a sequential model: a chain in the order of `layers`. */
  readonly ports: { readonly inputs: readonly Reference[]; readonly outputs: readonly Reference[] } | null;
  /** What a sequential model says of its input. */
  readonly buildShape: readonly (number | null)[] | null;
}

const inputShape = z.array(z.int().positive().nullable()).min(1).max(8);

function parseModel(kind: string, config: unknown, file: string, depth: number): Topology {
  if (depth > MAX_DEPTH) throw new IdapError("E_FORMAT", `${file} nests models deeper than ${MAX_DEPTH}`);
  if (kind === "Sequential") {
    const parsed = parse(sequentialConfig, config, file, "a sequential model");
    const shape = inputShape.safeParse(parsed.build_input_shape);
    return { layers: parseLayers(parsed.layers, file, depth), ports: null, buildShape: shape.data ?? null };
  }
  if (!isModel(kind)) {
    throw new IdapError("E_FORMAT", `${file} holds a ${kind}; a Sequential, Functional or Model is read`);
  }
  const parsed = parse(functionalConfig, config, file, "a functional model");
  return {
    layers: parseLayers(parsed.layers, file, depth),
    ports: {
      inputs: portsOf(parsed.input_layers, file, "input_layers"),
      outputs: portsOf(parsed.output_layers, file, "output_layers"),
    },
    buildShape: null,
  };
}

function isModel(kind: string): boolean {
  return ["Sequential", "Functional", "Model"].includes(kind);
}

/** `.keras` files number the layers of one class: dense, dense_1, ... */
function parseLayers(list: readonly LayerJson[], file: string, depth: number): Layer[] {
  const used = new Map<string, number>();
  return list.map((json, i) => {
    const stem = snakeCase(json.class_name);
    const count = used.get(stem) ?? 0;
    used.set(stem, count + 1);
    return parseLayer(json, i, count === 0 ? stem : `${stem}_${count}`, file, depth);
  });
}

/** As Keras turns class names into names: "Conv2D" -> "conv2d", "ReLU" -> "re_lu". */
function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/** Operations of `keras.ops` are called as layers are; some files leave out the package that tells them apart. */
function readerOf({ class_name: kind, module }: LayerJson): LayerReader | null {
  const plain = kind.slice(kind.lastIndexOf(">") + 1);
  const names = module?.includes(".ops.") ? [`ops.${kind}`] : [plain, `ops.${plain}`];
  const known = names.find((name) => Object.hasOwn(layers, name));
  return known === undefined ? null : layers[known]!;
}

function parseLayer(json: LayerJson, index: number, folder: string, file: string, depth: number): Layer {
  const { class_name: kind, config } = json;
  const name = json.name ?? (typeof config.name === "string" ? config.name : `${kind.toLowerCase()}_${index}`);
  const reader = readerOf(json);
  const shape = config.batch_input_shape ?? config.batch_shape ?? null;
  return {
    kind,
    name,
    folder,
    options: reader ? parse(reader.config, config, file, `layer "${name}" (${kind})`) : null,
    reader,
    model: isModel(kind) ? parseModel(kind, config, file, depth + 1) : null,
    inputShape: shape === null ? null : parse(inputShape, shape, file, `the input shape of layer "${name}"`),
    dtype: typeof config.dtype === "string" ? config.dtype : "float32",
    calls: callsOf(json.inbound_nodes, file, name),
    refusal: quantised(config.dtype),
  };
}

function quantised(dtype: unknown): string | null {
  const policy = typeof dtype === "object" && dtype !== null && "class_name" in dtype ? String(dtype.class_name) : "";
  return policy.startsWith("Quantized") ? "quantised weights" : null;
}

function refuseLayers(topology: Topology, refusals: Refusals): void {
  for (const { kind, name, reader, options, model, refusal } of topology.layers) {
    if (refusal !== null) refusals.add(kind, name, refusal);
    else if (model) refuseLayers(model, refusals);
    else if (reader) {
      const reason = reader.refuse?.(options) ?? null;
      if (reason !== null) refusals.add(kind, name, reason);
    } else if (kind !== "InputLayer") refusals.add(kind, name);
  }
}

function referencesOf({ args, named }: Call): Reference[] {
  return [...args, ...named.values()].flatMap((a) => ("from" in a ? [a.from] : []));
}

/**
 * Number of the first call of each layer. A model inside a model has counted its own making as call 0, so references
 * to it start at 1; that shows where one refers to as many calls as it has, or more.
 */
function firstCalls(list: readonly Layer[], outputs: readonly Reference[]): (layer: Layer) => number {
  const highest = new Map<string, number>();
  for (const [name, node] of [...list.flatMap((l) => l.calls.flatMap(referencesOf)), ...outputs]) {
    highest.set(name, Math.max(highest.get(name) ?? 0, node));
  }
  return ({ model, name, calls }) => (model !== null && (highest.get(name) ?? 0) >= calls.length ? 1 : 0);
}

/** Element types of input layers; computing is in f32. */
const DTYPES: Readonly<Record<string, Dtype>> = {
  float32: "f32",
  float16: "f32",
  bfloat16: "f32",
  float64: "f32",
  int32: "i32",
  int64: "i64",
  int8: "i8",
  uint8: "u8",
  bool: "bool",
};

/** Operands of a call: by position, by the name of the argument, and values that are no operands. */
interface Operands {
  readonly args: readonly string[];
  readonly named: ReadonlyMap<string, string>;
  readonly values: ReadonlyMap<string, unknown>;
}

class Reader {
  private readonly builder: GraphBuilder;
  private readonly names = new Names();
  private readonly weights: WeightTable;
  private calls = 0;

  constructor(
    private readonly source: KerasModel,
    store: WeightStore,
    private readonly traced: boolean,
  ) {
    this.builder = new GraphBuilder(source.name);
    this.weights = new WeightTable(store);
  }

  private get file(): string {
    return this.source.file;
  }

  read(topology: Topology): Graph {
    const ports = new Names();
    const outputs = this.model(topology, null, { names: [], folder: "" });
    for (const { name, tensor } of outputs) this.builder.output(tensor, ports.fresh(name));
    return this.builder.build();
  }

  /** Adds a model; `inputs` are the operands of a nested one, null at the top. */
  private model(
    topology: Topology,
    inputs: readonly string[] | null,
    place: LayerPlace,
  ): { name: string; tensor: string }[] {
    return topology.ports
      ? this.functional(topology.layers, topology.ports, inputs, place)
      : this.sequential(topology, inputs, place);
  }

  private sequential(
    { layers: list, buildShape }: Topology,
    inputs: readonly string[] | null,
    place: LayerPlace,
  ): { name: string; tensor: string }[] {
    let values = inputs;
    for (const [i, layer] of list.entries()) {
      // The first layer, or the first one of a nested first model, states the shape of the input.
      if (values === null && (layer.model === null || buildShape !== null)) {
        const shape = layer.inputShape ?? buildShape;
        if (!shape) {
          throw new IdapError("E_FORMAT", `${this.file}: layer "${layer.name}" comes first but states no input shape`);
        }
        values = [this.input(layer, layer.kind === "InputLayer" ? layer.name : `${layer.name}_input`, shape)];
      }
      if (layer.kind === "InputLayer") {
        if (i > 0) throw new IdapError("E_FORMAT", `${this.file}: input layer "${layer.name}" does not come first`);
        continue;
      }
      values = this.apply(layer, values && { args: values, named: new Map(), values: new Map() }, place);
    }
    return values!.map((tensor) => ({ name: list.at(-1)!.name, tensor }));
  }

  private functional(
    list: readonly Layer[],
    ports: { inputs: readonly Reference[]; outputs: readonly Reference[] },
    inputs: readonly string[] | null,
    place: LayerPlace,
  ): { name: string; tensor: string }[] {
    const byName = new Map(list.map((layer) => [layer.name, layer]));
    const values = new Map<string, readonly string[]>();
    ports.inputs.forEach(([name], i) => {
      const layer = byName.get(name);
      if (!layer?.inputShape || layer.kind !== "InputLayer") {
        throw new IdapError("E_FORMAT", `${this.file}: "${name}" is listed as an input but is no input layer`);
      }
      const tensor = inputs ? inputs[i] : this.input(layer, name, layer.inputShape);
      if (tensor === undefined) throw new IdapError("E_FORMAT", `${this.file}: a model has no operand for "${name}"`);
      values.set(`${name} 0`, [tensor]);
    });
    const firstCall = firstCalls(list, ports.outputs);
    const get = ([name, node, index]: Reference): string | undefined => values.get(`${name} ${node}`)?.[index];

    // Calls run as soon as their operands exist; files list them nearly in that order already.
    let pending = list
      .filter((layer) => layer.kind !== "InputLayer")
      .flatMap((layer) => layer.calls.map((call, node) => ({ layer, call, node })));
    while (pending.length > 0) {
      const waiting: typeof pending = [];
      for (const next of pending) {
        if (referencesOf(next.call).some((r) => get(r) === undefined)) {
          waiting.push(next);
          continue;
        }
        const { layer, call, node } = next;
        const operands = this.operands(call, (r) => get(r)!, layer.name);
        values.set(`${layer.name} ${node + firstCall(layer)}`, this.apply(layer, operands, place));
      }
      if (waiting.length === pending.length) {
        const { layer, call } = waiting[0]!;
        throw new IdapError(
          "E_FORMAT",
          `${this.file}: layer "${layer.name}" takes ${JSON.stringify(referencesOf(call))}, which nothing gives`,
        );
      }
      pending = waiting;
    }
    return ports.outputs.map((reference) => {
      const tensor = get(reference);
      if (tensor === undefined) {
        throw new IdapError("E_FORMAT", `${this.file}: the output "${reference[0]}" is given by no layer`);
      }
      return { name: reference[0], tensor };
    });
  }

  /** Tensors and values of a call; numbers among the operands become constants. */
  private operands({ args, named }: Call, get: (r: Reference) => string, layer: string): Operands {
    const tensors = new Map<string, string>();
    const values = new Map<string, unknown>();
    for (const [name, a] of named) {
      if ("from" in a) tensors.set(name, get(a.from));
      else values.set(name, a.value);
    }
    const tensor = (a: Argument): string[] => {
      if ("from" in a) return [get(a.from)];
      if (typeof a.value !== "number") return [];
      return [this.builder.constant(this.names.fresh(`${layer}/constant`), "f32", [], Float32Array.of(a.value))];
    };
    return { args: args.flatMap(tensor), named: tensors, values };
  }

  private apply(layer: Layer, operands: Operands | null, { names, folder }: LayerPlace): readonly string[] {
    if (++this.calls > MAX_CALLS) throw new IdapError("E_FORMAT", `${this.file} calls more than ${MAX_CALLS} layers`);
    const place = { names: [...names, layer.name], folder: folder ? `${folder}/layers/${layer.folder}` : layer.folder };
    if (layer.model) return this.model(layer.model, operands && operands.args, place).map((o) => o.tensor);
    const { builder, weights } = this;
    const call = new LayerCall(
      { builder, names: this.names, weights },
      this.file,
      this.source.dialect,
      place,
      operands?.args ?? [],
      layer.reader!.variables?.(layer.options) ?? {},
      operands?.named,
      operands?.values,
    );
    const result = layer.reader!.read(call, layer.options);
    return typeof result === "string" ? [result] : result;
  }

  /** Axis 0 is the batch when it is null or has the extent that stands for the batch. */
  private input(layer: Layer, port: string, stated: readonly (number | null)[]): string {
    const shape = stated.map((d, axis) => d ?? (axis === 0 ? null : (this.source.shapes?.[port]?.[axis] ?? null)));
    const free = shape.findIndex((d, i) => i > 0 && d === null);
    if (free > 0) {
      throw new IdapError(
        "E_SHAPE",
        `${this.file}: axis ${free} of input "${port}" has no fixed extent; only axis 0, the batch, may be free`,
        "Build the model with a fixed input size.",
      );
    }
    const dtype = Object.hasOwn(DTYPES, layer.dtype) ? DTYPES[layer.dtype]! : "f32";
    const [first, ...rest] = checkShape(
      shape.map((d) => d ?? 1),
      `${this.file}: input "${port}"`,
    );
    const batched = this.traced && (shape[0] === null || first === this.source.batch);
    const type: TensorType = { dtype, shape: [batched ? 1 : first!, ...rest], batchAxis: batched ? 0 : null };
    return this.builder.input(this.names.fresh(port), type);
  }
}
