import { z } from "zod";
import type { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import type { Attrs, Shape, TensorType } from "../../model/types.js";
import { insertAxis, dropAxis, transposed, type Emitter } from "../shared/decompose/emit.js";
import type { Names } from "../shared/names.js";
import { permute } from "../shared/permute.js";
import { samePadding } from "../shared/window.js";
import { activate, type Activation } from "./activations.js";
import { floatsOfWeight, type LayerPlace, type Variables, type Weight, type WeightTable } from "./weights.js";

/** Who wrote the file: some layers mean different things. */
export type Dialect = "tfjs" | "keras2" | "keras3";

/** How one class of Keras layers is read. Adding a layer: one of these, listed in `layers/index.ts`. */
export interface LayerReader<C = any> {
  readonly config: z.ZodType<C>;
  /** Completes "Layer with ..." when these options cannot be read; null when they can. */
  refuse?(config: NoInfer<C>): string | null;
  /** Its variables in the order in which `.keras` files number them. Default: none. */
  variables?(config: NoInfer<C>): Variables;
  /** Adds the nodes of one application and returns the result's tensor, or several. */
  read(call: LayerCall, config: C): string | readonly string[];
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

/** The same for one axis: a number or a list of one. */
export const singleOf = z.union([z.int().positive(), z.tuple([z.int().positive()]).transform(([n]) => n)]);

/** What convolutions and pools share. */
export const layout = {
  padding: z.string().default("valid"),
  data_format: z.string().nullish(),
};

/** Refusal of a padding; images with channels first are transposed. */
export function refusePadding({ padding }: { padding?: string }): string | null {
  return padding === undefined || ["same", "valid"].includes(padding) ? null : `padding ${padding}`;
}

type Image = readonly [n: number, h: number, w: number, c: number];

/** One application of a layer while it is being read. */
export class LayerCall implements Emitter {
  constructor(
    private readonly graph: { readonly builder: GraphBuilder; readonly names: Names; readonly weights: WeightTable },
    readonly file: string,
    readonly dialect: Dialect,
    readonly place: LayerPlace,
    readonly inputs: readonly string[],
    private readonly variables: Variables,
    /** Operands by the name of the argument, as far as the file gives them by name. */
    readonly named: ReadonlyMap<string, string> = new Map(),
    /** Arguments that are no tensors, by name. */
    readonly values: ReadonlyMap<string, unknown> = new Map(),
  ) {}

  get layer(): string {
    return this.place.names[this.place.names.length - 1]!;
  }

  get where(): string {
    return `${this.file}: layer "${this.layer}"`;
  }

  get x(): string {
    const [x] = this.inputs;
    if (x === undefined) throw new IdapError("E_FORMAT", `${this.where} has no input`);
    return x;
  }

  /** The operand as f32: layers compute in floats whatever they are given. */
  get floats(): string {
    return this.asFloats(this.x);
  }

  asFloats(x: string): string {
    return this.typeOf(x).dtype === "f32" ? x : this.emit("cast", [x], { to: "f32" });
  }

  /** The same call with other operands, for layers that contain layers. */
  within(inputs: readonly string[], variables: Variables = this.variables): LayerCall {
    return new LayerCall(this.graph, this.file, this.dialect, this.place, inputs, variables);
  }

  typeOf(tensor: string): TensorType {
    return this.graph.builder.typeOf(tensor);
  }

  rank(tensor = this.x): number {
    return this.typeOf(tensor).shape.length;
  }

  needRank(rank: number, tensor = this.x): void {
    const { shape } = this.typeOf(tensor);
    if (shape.length !== rank) {
      throw new IdapError("E_RANK", `${this.where} needs an operand of rank ${rank}, got [${shape}]`);
    }
  }

  /** A node; the layer's last one should be `result`, which has the layer's name. */
  readonly emit = (op: string, inputs: readonly string[], attrs: Attrs = {}): string =>
    this.add(`${this.layer}/${op}`, op, inputs, attrs);

  /** The node that gives the layer's result, followed by its activation. */
  result(op: string, inputs: readonly string[], attrs: Attrs = {}, activation: Activation = "linear"): string {
    if (activation === "linear") return this.add(this.layer, op, inputs, attrs);
    return this.activate(activation, this.emit(op, inputs, attrs));
  }

  activate(activation: Activation, x: string): string {
    return activate(this, activation, x);
  }

  constant(shape: Shape, data: Float32Array | Int32Array): string {
    const { builder, names } = this.graph;
    const dtype = data instanceof Int32Array ? "i32" : "f32";
    return builder.constant(names.fresh(`${this.layer}/constant`), dtype, shape, data);
  }

  scalar(value: number): string {
    return this.constant([], Float32Array.of(value));
  }

  /** A constant vector that the file leaves out. */
  filled(kind: string, length: number, value: number): string {
    const { builder, names } = this.graph;
    return builder.constant(
      names.fresh(`${this.layer}/${kind}`),
      "f32",
      [length],
      new Float32Array(length).fill(value),
    );
  }

  /** A weight of this layer of the given rank, as a constant; applications of one layer share it. */
  weight(kind: string, rank: number): { tensor: string; shape: readonly number[] } {
    const { shape } = this.weightData(kind, rank);
    return { tensor: this.weightAs(kind, "as it is", (w) => ({ shape: w.shape, data: floatsOfWeight(w) })), shape };
  }

  /** The same under a shape of as many values. */
  weightShaped(kind: string, shape: Shape): string {
    return this.weightAs(kind, `shape ${shape}`, (w) => ({ shape, data: floatsOfWeight(w) }));
  }

  /** The same with its axes in another order, then under a shape of as many values. */
  weightPermuted(kind: string, perm: readonly number[], shape?: Shape): string {
    return this.weightAs(kind, `perm ${perm} ${shape}`, (w) => ({
      shape: shape ?? perm.map((p) => w.shape[p]!),
      data: permute(floatsOfWeight(w), w.shape, perm),
    }));
  }

  weightAs(
    kind: string,
    called: string,
    form: (weight: Weight) => { shape: readonly number[]; data: Float32Array },
  ): string {
    const { place, variables, where } = this;
    return this.graph.weights.constant({ place, kind, variables, where }, called, form, this.graph);
  }

  /** A weight without making a constant of it. */
  weightData(kind: string, rank: number): Weight {
    const weight = this.graph.weights.get(this.place, kind, this.variables, this.where);
    if (weight.shape.length !== rank) {
      throw new IdapError("E_RANK", `${this.where}: weight "${kind}" must have rank ${rank}, got [${weight.shape}]`);
    }
    return weight;
  }

  /** The NHWC shape of an operand. */
  image(tensor = this.x): Image {
    this.needRank(4, tensor);
    return this.typeOf(tensor).shape as unknown as Image;
  }

  /** Padding of a window over an image: top, left, bottom, right. */
  pads(
    image: string,
    padding: string,
    kernel: readonly number[],
    strides: readonly number[],
    dilations: readonly number[] = [1, 1],
  ): [number, number, number, number] {
    const [, h, w] = this.image(image);
    if (padding === "causal") return [0, dilations[1]! * (kernel[1]! - 1), 0, 0];
    if (padding !== "same") return [0, 0, 0, 0];
    const [top, bottom] = samePadding(h, kernel[0]!, strides[0]!, dilations[0]!);
    const [left, right] = samePadding(w, kernel[1]!, strides[1]!, dilations[1]!);
    return [top, left, bottom, right];
  }

  /**
   * Does `work` on an image of `axes` spatial axes with channels last: transposes where the layer has them first, and
   * lets one spatial axis be the columns of an image of one row.
   */
  asImage(axes: 1 | 2, dataFormat: string | null | undefined, work: (image: string) => string): string {
    this.needRank(axes + 2);
    const first = dataFormat === "channels_first";
    const last = first ? transposed(this, this.floats, axes === 2 ? [0, 2, 3, 1] : [0, 2, 1]) : this.floats;
    const done = work(axes === 1 ? insertAxis(this, last, 1) : last);
    const back = axes === 1 ? dropAxis(this, done, 1) : done;
    return first ? transposed(this, back, axes === 2 ? [0, 3, 1, 2] : [0, 2, 1]) : back;
  }

  private add(wanted: string, op: string, inputs: readonly string[], attrs: Attrs): string {
    return this.addAll(wanted, op, inputs, attrs)[0]!;
  }

  /** A node with several outputs. */
  addAll(wanted: string, op: string, inputs: readonly string[], attrs: Attrs): string[] {
    const { builder, names } = this.graph;
    const name = names.fresh(wanted);
    return builder.node(op, inputs, attrs, { name, outputs: [name] });
  }
}
