import { z } from "zod";
import type { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import type { Attrs, TensorType } from "../../model/types.js";
import type { Names } from "../shared/names.js";
import { samePadding } from "../shared/window.js";
import type { Weight } from "./manifest.js";

/** How one class of Keras layers is read. Adding a layer: one of these, listed in `layers/index.ts`. */
export interface LayerReader<C = any> {
  readonly config: z.ZodType<C>;
  /** Completes "Layer with ..." when these options cannot be read; null when they can. */
  refuse?(config: NoInfer<C>): string | null;
  /** Adds the nodes of one application and returns the result's tensor. */
  read(call: LayerCall, config: C): string;
}

export function defineLayer<C>(reader: LayerReader<C>): LayerReader<C> {
  return reader;
}

/** A number or a list of them, as Keras writes window sizes: always [vertical, horizontal]. */
export const pairOf = z.union([
  z
    .int()
    .positive()
    .transform((n): [number, number] => [n, n]),
  z.tuple([z.int().positive(), z.int().positive()]),
]);

/** What convolutions and pools share. */
export const layout = {
  padding: z.string().default("valid"),
  data_format: z.string().nullish(),
};

const ACTIVATIONS: Readonly<Record<string, string | null>> = {
  linear: null,
  relu: "relu",
  relu6: "relu6",
  sigmoid: "sigmoid",
  softmax: "softmax",
};

/** Name of an activation function. */
export const activation = z
  .string()
  .nullish()
  .transform((name) => name ?? "linear");

export function refuseActivation(name: string): string | null {
  return Object.hasOwn(ACTIVATIONS, name) ? null : `the activation ${name}`;
}

export function refuseLayout(c: { padding?: string; data_format?: string | null | undefined }): string | null {
  if (c.data_format === "channels_first") return "data_format channels_first";
  return c.padding === undefined || ["same", "valid"].includes(c.padding) ? null : `padding ${c.padding}`;
}

/** One application of a layer while it is being read. */
export class LayerCall {
  constructor(
    private readonly builder: GraphBuilder,
    private readonly names: Names,
    private readonly weights: WeightTable,
    readonly file: string,
    readonly layer: string,
    readonly inputs: readonly string[],
  ) {}

  get where(): string {
    return `${this.file}: layer "${this.layer}"`;
  }

  get x(): string {
    const [x] = this.inputs;
    if (x === undefined) throw new IdapError("E_FORMAT", `${this.where} has no input`);
    return x;
  }

  type(tensor = this.x): TensorType {
    return this.builder.typeOf(tensor);
  }

  /** The NHWC shape of the operand. */
  image(): readonly [number, number, number, number] {
    const { shape } = this.type();
    if (shape.length !== 4) {
      throw new IdapError("E_RANK", `${this.where} needs an operand of rank 4, got [${shape}]`);
    }
    return shape as unknown as readonly [number, number, number, number];
  }

  /** Padding of a window over the operand: top, left, bottom, right. */
  pads(
    padding: string,
    kernel: readonly number[],
    strides: readonly number[],
    dilations: readonly number[] = [1, 1],
  ): [number, number, number, number] {
    const [, h, w] = this.image();
    if (padding !== "same") return [0, 0, 0, 0];
    const [top, bottom] = samePadding(h, kernel[0]!, strides[0]!, dilations[0]!);
    const [left, right] = samePadding(w, kernel[1]!, strides[1]!, dilations[1]!);
    return [top, left, bottom, right];
  }

  /** A weight of this layer of the given rank, as a constant; applications of one layer share it. */
  weight(kind: string, rank: number): { tensor: string; shape: readonly number[] } {
    const { shape } = this.weights.get(this.layer, kind, this.where);
    if (shape.length !== rank) {
      throw new IdapError("E_RANK", `${this.where}: weight "${kind}" must have rank ${rank}, got [${shape}]`);
    }
    return { tensor: this.weights.constant(this.layer, kind, this.where, this.builder, this.names), shape };
  }

  /** A constant vector that the file leaves out. */
  filled(kind: string, length: number, value: number): string {
    const name = this.names.fresh(`${this.layer}/${kind}`);
    return this.builder.constant(name, "f32", [length], new Float32Array(length).fill(value));
  }

  /** A node inside the layer; `suffix` completes its name. */
  step(suffix: string, op: string, inputs: readonly string[], attrs: Attrs = {}): string {
    return this.add(`${this.layer}/${suffix}`, op, inputs, attrs);
  }

  /** The node that gives the layer's result, followed by its activation. */
  emit(op: string, inputs: readonly string[], attrs: Attrs = {}, activationName = "linear"): string {
    const fused = ACTIVATIONS[activationName] ?? null;
    if (fused === null) return this.add(this.layer, op, inputs, attrs);
    return this.activate(activationName, this.step(op, op, inputs, attrs));
  }

  /** The activation as the layer's result; the operand itself for "linear". */
  activate(name: string, x: string): string {
    const op = ACTIVATIONS[name] ?? null;
    if (op === null) return x;
    return this.add(this.layer, op, [x], op === "softmax" ? { axis: this.type(x).shape.length - 1 } : {});
  }

  private add(wanted: string, op: string, inputs: readonly string[], attrs: Attrs): string {
    const name = this.names.fresh(wanted);
    return this.builder.node(op, inputs, attrs, { name, outputs: [name] })[0]!;
  }
}

/** Finds weights by layer: writers prefix them with model or scope names, or end them in ":0". */
export class WeightTable {
  private readonly index = new Map<string, string | null>();
  private readonly made = new Map<string, string>();

  constructor(private readonly weights: ReadonlyMap<string, Weight>) {
    for (const full of weights.keys()) {
      const path = full.replace(/:\d+$/, "").split("/");
      const kind = path.pop()!;
      for (const layer of new Set([...path, path.join("/")])) {
        const key = `${layer}/${kind}`;
        this.index.set(key, this.index.has(key) && key !== full ? null : full);
      }
    }
    for (const full of weights.keys()) this.index.set(full.replace(/:\d+$/, ""), full);
  }

  get(layer: string, kind: string, where: string): Weight {
    return this.weights.get(this.find(layer, kind, where))!;
  }

  constant(layer: string, kind: string, where: string, builder: GraphBuilder, names: Names): string {
    const full = this.find(layer, kind, where);
    const known = this.made.get(full);
    if (known !== undefined) return known;
    const { shape, data } = this.weights.get(full)!;
    const name = builder.constant(names.fresh(`${layer}/${kind}`), "f32", shape, data);
    this.made.set(full, name);
    return name;
  }

  private find(layer: string, kind: string, where: string): string {
    const full = this.index.get(`${layer}/${kind}`);
    if (full) return full;
    throw new IdapError(
      "E_FORMAT",
      full === null
        ? `${where}: several weights could be its "${kind}"`
        : `${where}: the file holds no weight "${layer}/${kind}"`,
    );
  }
}
