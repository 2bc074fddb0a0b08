import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as A,
  ModelProtoSchema,
  TensorProtoSchema,
  TensorProto_DataType as T,
  type AttributeProto,
  type TensorProto,
} from "../../src/formats/onnx/generated/onnx_pb.js";

/** Integers are numbers, floats `{ f }`, tensors typed arrays with a shape. */
export type TestAttribute = number | string | number[] | { f: number } | TestConstant;

export interface TestConstant {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array | Int32Array | Uint8Array;
}

export interface TestNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, TestAttribute>>;
  readonly name?: string;
  readonly domain?: string;
}

export interface TestOnnx {
  readonly opset?: number;
  /** Extents; a string is symbolic. */
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>;
  readonly outputs?: readonly string[];
  readonly constants?: Readonly<Record<string, TestConstant>>;
  readonly nodes: readonly TestNode[];
}

const TYPE = { Float32Array: T.FLOAT, BigInt64Array: T.INT64, Int32Array: T.INT32, Uint8Array: T.UINT8 } as const;

export function tensorProto(name: string, { shape, data }: TestConstant): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: shape.map(BigInt),
    dataType: TYPE[data.constructor.name as keyof typeof TYPE],
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice(),
  });
}

function attribute(name: string, value: TestAttribute): AttributeProto {
  if (typeof value === "number") return create(AttributeProtoSchema, { name, type: A.INT, i: BigInt(value) });
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: A.STRING, s: new TextEncoder().encode(value) });
  }
  if (Array.isArray(value)) return create(AttributeProtoSchema, { name, type: A.INTS, ints: value.map(BigInt) });
  if ("f" in value) return create(AttributeProtoSchema, { name, type: A.FLOAT, f: value.f });
  return create(AttributeProtoSchema, { name, type: A.TENSOR, t: tensorProto("", value) });
}

/** An ONNX file as another program would write it. The last node gives the output unless `outputs` says otherwise. */
export function writeOnnx(model: TestOnnx): Uint8Array {
  const port = (name: string, shape?: readonly (number | string)[]) => ({
    name,
    type: {
      value: {
        case: "tensorType" as const,
        value: {
          elemType: T.FLOAT,
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
  const outputs = model.outputs ?? [model.nodes.at(-1)!.output];
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ domain: "", version: BigInt(model.opset ?? 13) }],
      producerName: "test",
      graph: {
        name: "test",
        node: model.nodes.map((n) => ({
          opType: n.op,
          domain: n.domain ?? "",
          name: n.name ?? "",
          input: [...n.inputs],
          output: [n.output],
          attribute: Object.entries(n.attributes ?? {}).map(([k, v]) => attribute(k, v)),
        })),
        initializer: Object.entries(model.constants ?? {}).map(([k, v]) => tensorProto(k, v)),
        input: Object.entries(model.inputs).map(([name, shape]) => port(name, shape)),
        output: outputs.map((name) => port(name)),
      },
    }),
  );
}
