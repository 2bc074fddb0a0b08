import { IdapError } from "../../../model/errors.js";
import {
  type Attrs,
  type Dtype,
  type Graph,
  type Node,
  type Shape,
  type TensorData,
  type TensorType,
} from "../../../model/types.js";
import { Names } from "../../shared/names.js";

/** What TF.js has for an element type: 32-bit integers only. */
export const TF_TYPE: Readonly<
  Record<Dtype, { readonly type: string; readonly weight: "float32" | "int32" | "bool" }>
> = {
  f32: { type: "DT_FLOAT", weight: "float32" },
  i32: { type: "DT_INT32", weight: "int32" },
  i8: { type: "DT_INT32", weight: "int32" },
  u8: { type: "DT_INT32", weight: "int32" },
  i64: { type: "DT_INT32", weight: "int32" },
  bool: { type: "DT_BOOL", weight: "bool" },
};

/** An attribute as JSON has it: integers are text, strings base64. */
export const attr = {
  int: (i: number) => ({ i: String(i) }),
  ints: (list: readonly number[]) => ({ list: { i: list.map(String) } }),
  float: (f: number) => ({ f }),
  bool: (b: boolean) => ({ b }),
  text: (s: string) => ({ s: Buffer.from(s, "latin1").toString("base64") }),
  texts: (list: readonly string[]) => ({ list: { s: list.map((s) => Buffer.from(s, "latin1").toString("base64")) } }),
  type: (type: string) => ({ type }),
  shape: (dims: readonly number[]) => ({ shape: { dim: dims.map((d) => ({ size: String(d) })) } }),
};

export interface TfNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr: Readonly<Record<string, object>>;
}

export interface TfWeight {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: string;
  readonly bytes: Uint8Array;
}

/** How one operator of the IR is written: adds nodes and gives the outputs as references. */
export type Writer = (w: TfjsWriter, node: Node, attrs: any) => string | readonly string[];

/** A colon separates a node from its output, a caret marks control dependencies. */
function plain(name: string): string {
  return name.replace(/:0$/, "").replace(/[:^\s]/g, "_");
}

/** State of writing one graph. */
export class TfjsWriter {
  readonly nodes: TfNode[] = [];
  readonly weights: TfWeight[] = [];
  readonly inputs: { port: string; node: string; type: TensorType }[] = [];
  readonly outputs: { port: string; node: string; type: TensorType }[] = [];
  private readonly names = new Names();
  /** References by tensor of the graph. */
  private readonly references = new Map<string, string>();
  private readonly constants = new Map<string, string>();

  constructor(readonly graph: Graph) {
    const ports = graph.inputs.map((p) => ({ ...p, node: this.names.fresh(plain(p.name)) }));
    for (const { name, tensor, node } of ports) {
      const { type } = graph.tensors.get(tensor)!;
      this.nodes.push({
        name: node,
        op: "Placeholder",
        attr: { dtype: attr.type(TF_TYPE[type.dtype].type), shape: attr.shape(openShape(type)) },
      });
      this.references.set(tensor, node);
      this.inputs.push({ port: name, node, type });
    }
    for (const { name, tensor } of graph.outputs) {
      this.outputs.push({ port: name, node: this.names.fresh(plain(name)), type: graph.tensors.get(tensor)!.type });
    }
  }

  typeOf(tensor: string): TensorType {
    return this.graph.tensors.get(tensor)!.type;
  }

  /** Data of a tensor where it is a constant. */
  data(tensor: string): TensorData | undefined {
    return this.graph.tensors.get(tensor)?.data;
  }

  /** Reference of a tensor of the graph; constants are added on first use. */
  ref(tensor: string): string {
    const known = this.references.get(tensor);
    if (known !== undefined) return known;
    const { data, type } = this.graph.tensors.get(tensor)!;
    const name = this.constant(tensor, type.dtype, type.shape, data!);
    this.references.set(tensor, name);
    return name;
  }

  bind(tensor: string, reference: string): void {
    this.references.set(tensor, reference);
  }

  constant(wanted: string, dtype: Dtype, shape: Shape, data: TensorData): string {
    const name = this.names.fresh(plain(wanted));
    const { type, weight } = TF_TYPE[dtype];
    const bytes =
      weight === "bool"
        ? new Uint8Array(data as Uint8Array)
        : weight === "float32"
          ? bytesOf(data as Float32Array)
          : bytesOf(Int32Array.from(data as Int32Array, Number));
    const value = { tensor: { dtype: type, tensorShape: attr.shape(shape).shape } };
    this.nodes.push({ name, op: "Const", attr: { dtype: attr.type(type), value } });
    this.weights.push({ name, shape, dtype: weight, bytes });
    return name;
  }

  /** Whole numbers that an operator takes as an operand: axes, shapes, paddings. Equal ones are one constant. */
  ints(values: readonly number[], shape: Shape = [values.length]): string {
    const key = `${shape.join()}|${values.join()}`;
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.constant(`ints/${values.join("_").slice(0, 40)}`, "i32", shape, Int32Array.from(values));
    this.constants.set(key, name);
    return name;
  }

  int(value: number): string {
    return this.ints([value], []);
  }

  /** A number of a tensor's element type. */
  scalar(value: number, dtype: Dtype = "f32"): string {
    if (dtype !== "f32") return this.int(value);
    const key = `f${Object.is(value, -0) ? "-0" : value}`;
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.constant("number", "f32", [], Float32Array.of(value));
    this.constants.set(key, name);
    return name;
  }

  /** Adds a node; `of` names it. */
  add(of: string, op: string, input: readonly string[], attrs: TfNode["attr"] = {}): string {
    const name = this.names.fresh(plain(of));
    this.nodes.push({ name, op, input, attr: { T: attr.type("DT_FLOAT"), ...attrs } });
    return name;
  }

  /** Joins what the outputs of the graph are to the nodes that are called after them. */
  finish(): void {
    this.graph.outputs.forEach(({ tensor }, i) => {
      const { node, type } = this.outputs[i]!;
      const input = [this.ref(tensor)];
      this.nodes.push({ name: node, op: "Identity", input, attr: { T: attr.type(TF_TYPE[type.dtype].type) } });
    });
  }

  unsupported(node: Node, what: string): IdapError {
    return new IdapError(
      "E_UNSUPPORTED",
      `graph "${this.graph.name}" cannot be written for TensorFlow.js: ${node.op} "${node.name}" ${what}`,
    );
  }
}

/** Extents with -1 for the batch. */
export function openShape({ shape, batchAxis }: TensorType): number[] {
  return shape.map((d, axis) => (axis === batchAxis ? -1 : d));
}

function bytesOf(data: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
}

export type { Attrs };
