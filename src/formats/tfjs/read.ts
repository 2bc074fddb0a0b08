import { z } from "zod";
import { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import type { Graph, TensorType } from "../../model/types.js";
import { withTracedBatch } from "../shared/batch.js";
import { checkShape } from "../shared/check.js";
import { Names } from "../shared/names.js";
import { Refusals } from "../shared/refusals.js";
import { LayerCall, WeightTable, type LayerReader } from "./layer.js";
import { layers } from "./layers/index.js";
import { decodeWeights, weightsManifest, type Weight } from "./manifest.js";
import {
  functionalConfig,
  modelJson,
  sequentialConfig,
  type FunctionalConfig,
  type LayerJson,
  type Reference,
  type SequentialConfig,
} from "./topology.js";

/** Models inside models deeper than this are damage. */
const MAX_DEPTH = 16;

/**
 * Reads a TensorFlow.js layers model (Keras JSON with weights beside it). Input ports are named as the input layers,
 * output ports as the layers that give them.
 *
 * @param json the parsed model.json
 * @param name name of the graph
 * @param file name for messages
 * @param readShard gives the bytes of a path of the weights manifest
 */
export function readTfjs(
  json: unknown,
  name: string,
  file: string,
  readShard: (path: string) => Uint8Array,
  batch = 1,
): Graph {
  if (typeof json === "object" && json !== null && "format" in json && json.format === "graph-model") {
    throw new IdapError(
      "E_FORMAT",
      `${file} is a TensorFlow.js graph model; only layers models are read yet`,
      "Convert the original Keras model with tensorflowjs_converter --output_format tfjs_layers_model, or give the .tflite or .onnx file.",
    );
  }
  const model = parse(modelJson, json, file, "a TensorFlow.js layers model");
  const topology = parseModel(model.modelTopology.class_name, model.modelTopology.config, file, 0);
  const refusals = new Refusals(file);
  refuseLayers(topology, refusals);
  refusals.throwIfAny();
  const manifest = parse(weightsManifest, model.weightsManifest, file, "the weights manifest");
  const weights = decodeWeights(manifest, file, readShard);
  return withTracedBatch((traced) => new Reader(name, file, weights, batch, traced).read(topology));
}

function parse<T>(schema: z.ZodType<T>, value: unknown, file: string, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new IdapError(
    "E_FORMAT",
    `${file}: ${what} is malformed at ${issue.path.join(".") || "its root"}: ${issue.message}`,
  );
}

/** A layer with its options checked, or a model in its place. */
interface Layer {
  readonly kind: string;
  readonly name: string;
  readonly options: unknown;
  readonly reader: LayerReader | null;
  readonly model: Topology | null;
  readonly inputShape: readonly (number | null)[] | null;
  readonly inbound: readonly (readonly Reference[])[];
}

interface Topology {
  readonly layers: readonly Layer[];
  /** Null for a sequential model: a chain in the order of `layers`. */
  readonly ports: { readonly inputs: readonly Reference[]; readonly outputs: readonly Reference[] } | null;
}

const inputShape = z.array(z.int().positive().nullable()).min(1).max(8);

function parseModel(kind: string, config: unknown, file: string, depth: number): Topology {
  if (depth > MAX_DEPTH) throw new IdapError("E_FORMAT", `${file} nests models deeper than ${MAX_DEPTH}`);
  if (kind === "Sequential") {
    const { layers: list }: SequentialConfig = parse(sequentialConfig, config, file, "a sequential model");
    return { layers: list.map((l, i) => parseLayer(l, i, file, depth)), ports: null };
  }
  if (!isModel(kind)) {
    throw new IdapError("E_FORMAT", `${file} holds a ${kind}; a Sequential, Functional or Model is read`);
  }
  const parsed: FunctionalConfig = parse(functionalConfig, config, file, "a functional model");
  return {
    layers: parsed.layers.map((l, i) => parseLayer(l, i, file, depth)),
    ports: { inputs: parsed.input_layers, outputs: parsed.output_layers },
  };
}

function isModel(kind: string): boolean {
  return ["Sequential", "Functional", "Model"].includes(kind);
}

function parseLayer(json: LayerJson, index: number, file: string, depth: number): Layer {
  const { class_name: kind, config } = json;
  const name = json.name ?? (typeof config.name === "string" ? config.name : `${kind.toLowerCase()}_${index}`);
  const reader = Object.hasOwn(layers, kind) ? layers[kind]! : null;
  const shape = config.batch_input_shape ?? config.batch_shape ?? null;
  return {
    kind,
    name,
    options: reader ? parse(reader.config, config, file, `layer "${name}" (${kind})`) : null,
    reader,
    model: isModel(kind) ? parseModel(kind, config, file, depth + 1) : null,
    inputShape: shape === null ? null : parse(inputShape, shape, file, `the input shape of layer "${name}"`),
    inbound: json.inbound_nodes ?? [],
  };
}

function refuseLayers(topology: Topology, refusals: Refusals): void {
  for (const { kind, name, reader, options, model } of topology.layers) {
    if (model) refuseLayers(model, refusals);
    else if (reader) {
      const reason = reader.refuse?.(options) ?? null;
      if (reason !== null) refusals.add(kind, name, reason);
    } else if (kind !== "InputLayer") refusals.add(kind, name);
  }
}

/**
 * Number of the first call of each layer. A model inside a model has counted its own making as call 0, so references
 * to it start at 1; that shows where one refers to as many calls as it has, or more.
 */
function firstCalls(list: readonly Layer[], outputs: readonly Reference[]): (layer: Layer) => number {
  const highest = new Map<string, number>();
  for (const [name, node] of [...list.flatMap((l) => l.inbound.flat()), ...outputs]) {
    highest.set(name, Math.max(highest.get(name) ?? 0, node));
  }
  return ({ model, name, inbound }) => (model !== null && (highest.get(name) ?? 0) >= inbound.length ? 1 : 0);
}

class Reader {
  private readonly builder: GraphBuilder;
  private readonly names = new Names();
  private readonly weights: WeightTable;

  constructor(
    name: string,
    private readonly file: string,
    weights: ReadonlyMap<string, Weight>,
    private readonly batch: number,
    private readonly traced: boolean,
  ) {
    this.builder = new GraphBuilder(name);
    this.weights = new WeightTable(weights);
  }

  read(topology: Topology): Graph {
    const ports = new Names();
    for (const { name, tensor } of this.model(topology, null)) this.builder.output(tensor, ports.fresh(name));
    return this.builder.build();
  }

  /** Adds a model; `inputs` are the operands of a nested one, null at the top. */
  private model(topology: Topology, inputs: readonly string[] | null): { name: string; tensor: string }[] {
    return topology.ports
      ? this.functional(topology.layers, topology.ports, inputs)
      : this.sequential(topology.layers, inputs);
  }

  private sequential(list: readonly Layer[], inputs: readonly string[] | null): { name: string; tensor: string }[] {
    let values = inputs;
    for (const [i, layer] of list.entries()) {
      // The first layer, or the first one of a nested first model, states the shape of the input.
      if (values === null && layer.model === null) {
        if (!layer.inputShape) {
          throw new IdapError("E_FORMAT", `${this.file}: layer "${layer.name}" comes first but states no input shape`);
        }
        values = [this.input(layer.kind === "InputLayer" ? layer.name : `${layer.name}_input`, layer.inputShape)];
      }
      if (layer.kind === "InputLayer") {
        if (i > 0) throw new IdapError("E_FORMAT", `${this.file}: input layer "${layer.name}" does not come first`);
        continue;
      }
      values = this.apply(layer, values);
    }
    return values!.map((tensor) => ({ name: list.at(-1)!.name, tensor }));
  }

  private functional(
    list: readonly Layer[],
    ports: { inputs: readonly Reference[]; outputs: readonly Reference[] },
    inputs: readonly string[] | null,
  ): { name: string; tensor: string }[] {
    const byName = new Map(list.map((layer) => [layer.name, layer]));
    const values = new Map<string, readonly string[]>();
    ports.inputs.forEach(([name], i) => {
      const layer = byName.get(name);
      if (!layer?.inputShape || layer.kind !== "InputLayer") {
        throw new IdapError("E_FORMAT", `${this.file}: "${name}" is listed as an input but is no input layer`);
      }
      const tensor = inputs ? inputs[i] : this.input(name, layer.inputShape);
      if (tensor === undefined) throw new IdapError("E_FORMAT", `${this.file}: a model has no operand for "${name}"`);
      values.set(`${name} 0`, [tensor]);
    });
    const firstCall = firstCalls(list, ports.outputs);
    const get = ([name, node, index]: Reference): string | undefined => values.get(`${name} ${node}`)?.[index];

    // Applications run as soon as their operands exist; files list them nearly in that order already.
    let pending = list
      .filter((layer) => layer.kind !== "InputLayer")
      .flatMap((layer) => layer.inbound.map((refs, node) => ({ layer, refs, node })));
    while (pending.length > 0) {
      const waiting: typeof pending = [];
      for (const call of pending) {
        const operands = call.refs.map(get);
        if (operands.includes(undefined)) waiting.push(call);
        else
          values.set(
            `${call.layer.name} ${call.node + firstCall(call.layer)}`,
            this.apply(call.layer, operands as string[]),
          );
      }
      if (waiting.length === pending.length) {
        throw new IdapError(
          "E_FORMAT",
          `${this.file}: layer "${waiting[0]!.layer.name}" takes ${JSON.stringify(waiting[0]!.refs)}, which nothing gives`,
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

  private apply(layer: Layer, operands: readonly string[] | null): readonly string[] {
    if (layer.model) return this.model(layer.model, operands).map((o) => o.tensor);
    const call = new LayerCall(this.builder, this.names, this.weights, this.file, layer.name, operands ?? []);
    return [layer.reader!.read(call, layer.options)];
  }

  /** Axis 0 is the batch when it is null or has the extent that stands for the batch. */
  private input(port: string, shape: readonly (number | null)[]): string {
    const free = shape.findIndex((d, i) => i > 0 && d === null);
    if (free > 0) {
      throw new IdapError(
        "E_SHAPE",
        `${this.file}: axis ${free} of input "${port}" has no fixed extent; only axis 0, the batch, may be free`,
        "Build the model with a fixed input size.",
      );
    }
    const [first, ...rest] = checkShape(
      shape.map((d) => d ?? 1),
      `${this.file}: input "${port}"`,
    );
    const batched = this.traced && (shape[0] === null || first === this.batch);
    const type: TensorType = { dtype: "f32", shape: [batched ? 1 : first!, ...rest], batchAxis: batched ? 0 : null };
    return this.builder.input(this.names.fresh(port), type);
  }
}
