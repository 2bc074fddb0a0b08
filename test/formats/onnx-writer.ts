import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as A,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType as T,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
} from "../../src/formats/onnx/generated/onnx_pb.js";

/** Integers are numbers, floats `{ f }`, tensors typed arrays with a shape. */
export type TestAttribute =
  | number
  | string
  | number[]
  | { f: number }
  | { fs: number[] }
  | { strings: string[] }
  | { graph: Pick<TestOnnx, "nodes" | "constants" | "outputs"> }
  | TestConstant;

export interface TestConstant {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array | Int32Array | Int8Array | Uint8Array | Float64Array | Uint16Array;
  /** Element type where it is not that of the array: bool and half floats. */
  readonly type?: number;
  /** Values lie in another file. */
  readonly external?: Readonly<Record<string, string>>;
}

export interface TestNode {
  readonly op: string;
  readonly inputs: readonly string[];
  /** Several for an operator with several results; "" for one that is left out. */
  readonly output: string | readonly string[];
  readonly attributes?: Readonly<Record<string, TestAttribute>>;
  readonly name?: string;
  readonly domain?: string;
}

export interface TestOnnx {
  readonly opset?: number;
  /** Extents; a string is symbolic. */
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>;
  readonly outputs?: readonly string[];
  /** Shapes of outputs that the file states. */
  readonly stated?: Readonly<Record<string, readonly number[]>>;
  /** Element types of inputs that are no floats. */
  readonly types?: Readonly<Record<string, number>>;
  readonly functions?: readonly {
    readonly name: string;
    readonly domain: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
    readonly nodes: readonly TestNode[];
  }[];
  readonly constants?: Readonly<Record<string, TestConstant>>;
  readonly nodes: readonly TestNode[];
}

const TYPE = {
  Float32Array: T.FLOAT,
  Float64Array: T.DOUBLE,
  BigInt64Array: T.INT64,
  Int32Array: T.INT32,
  Int8Array: T.INT8,
  Uint8Array: T.UINT8,
  Uint16Array: T.FLOAT16,
} as const;

export function tensorProto(name: string, { shape, data, type, external }: TestConstant): TensorProto {
  const dataType = type ?? TYPE[data.constructor.name as keyof typeof TYPE];
  if (external) {
    return create(TensorProtoSchema, {
      name,
      dims: shape.map(BigInt),
      dataType,
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: Object.entries(external).map(([key, value]) => ({ key, value })),
    });
  }
  return create(TensorProtoSchema, {
    name,
    dims: shape.map(BigInt),
    dataType,
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice(),
  });
}

function attribute(name: string, value: TestAttribute): AttributeProto {
  if (typeof value === "number") return create(AttributeProtoSchema, { name, type: A.INT, i: BigInt(value) });
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: A.STRING, s: new TextEncoder().encode(value) });
  }
  if (Array.isArray(value)) return create(AttributeProtoSchema, { name, type: A.INTS, ints: value.map(BigInt) });
  if ("fs" in value) return create(AttributeProtoSchema, { name, type: A.FLOATS, floats: value.fs });
  if ("strings" in value) {
    const strings = value.strings.map((text) => new TextEncoder().encode(text));
    return create(AttributeProtoSchema, { name, type: A.STRINGS, strings });
  }
  if ("graph" in value) {
    const { nodes, constants = {}, outputs = [] } = value.graph;
    return create(AttributeProtoSchema, {
      name,
      type: A.GRAPH,
      g: {
        name,
        node: nodes.map(nodeProto),
        initializer: Object.entries(constants).map(([k, v]) => tensorProto(k, v)),
        output: outputs.map((o) => ({ name: o })),
      },
    });
  }
  if ("f" in value) return create(AttributeProtoSchema, { name, type: A.FLOAT, f: value.f });
  return create(AttributeProtoSchema, { name, type: A.TENSOR, t: tensorProto("", value) });
}

function nodeProto(n: TestNode): NodeProto {
  return create(NodeProtoSchema, {
    opType: n.op,
    domain: n.domain ?? "",
    name: n.name ?? "",
    input: [...n.inputs],
    output: typeof n.output === "string" ? [n.output] : [...n.output],
    attribute: Object.entries(n.attributes ?? {}).map(([k, v]) => attribute(k, v)),
  });
}

/** An ONNX file as another program would write it. The last node gives the output unless `outputs` says otherwise. */
export function writeOnnx(model: TestOnnx): Uint8Array {
  const port = (name: string, shape?: readonly (number | string)[]) => ({
    name,
    type: {
      value: {
        case: "tensorType" as const,
        value: {
          elemType: shape ? (model.types?.[name] ?? T.FLOAT) : 0,
          ...(shape && {
            shape: {
              dim: shape.map((d) => ({
                value:
                  typeof d === "string"
                    ? { case: "dimParam" as const, value: d }
                    : { case: "dimValue" as const, value: BigInt(d) },
              })),
            },
          }),
        },
      },
    },
  });
  const outputs = model.outputs ?? [model.nodes.at(-1)!.output].flat().filter((name) => name !== "");
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [
        { domain: "", version: BigInt(model.opset ?? 13) },
        ...[...new Set(model.nodes.map((n) => n.domain ?? ""))]
          .filter((d) => d !== "")
          .map((domain) => ({ domain, version: 1n })),
      ],
      functions: (model.functions ?? []).map((f) => ({
        name: f.name,
        domain: f.domain,
        input: [...f.inputs],
        output: [...f.outputs],
        node: f.nodes.map(nodeProto),
      })),
      producerName: "test",
      graph: {
        name: "test",
        node: model.nodes.map(nodeProto),
        initializer: Object.entries(model.constants ?? {}).map(([k, v]) => tensorProto(k, v)),
        input: Object.entries(model.inputs).map(([name, shape]) => port(name, shape)),
        output: outputs.map((name) => port(name, model.stated?.[name])),
      },
    }),
  );
}
