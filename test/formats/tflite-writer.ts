import { Builder } from "flatbuffers";
import { OPERATORS, TENSOR_TYPES } from "../../src/formats/tflite/schema.js";

export interface TestTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly signature?: readonly number[];
  readonly type?: string;
  readonly data?: Float32Array | Int32Array | Int8Array | Uint8Array;
  readonly scale?: readonly number[];
  readonly zeroPoint?: readonly number[];
  readonly axis?: number;
}

/** Options are fields by id; `i8` is a byte, `i32` an int, `f32` a float, `ints` a list. */
export type TestOption = { id: number } & ({ i8: number } | { i32: number } | { f32: number } | { ints: number[] });

export interface TestOperator {
  readonly code: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Member of the BuiltinOptions union and its fields. */
  readonly options?: { union: number; fields: readonly TestOption[] };
}

export interface TestModel {
  readonly tensors: readonly TestTensor[];
  readonly operators: readonly TestOperator[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Numbers of the members of the union that the tests use. */
export const UNION = {
  conv: 1,
  depthwise: 2,
  pool: 5,
  dense: 8,
  softmax: 9,
  concat: 10,
  add: 11,
  reshape: 17,
  mul: 21,
  pad: 22,
  transpose: 26,
  reduce: 27,
  squeeze: 30,
};

/** A TFLite file with the given subgraph 0; enough of the schema for the tests. */
export function writeTflite(model: TestModel): Uint8Array {
  const b = new Builder(1024);
  const table = (fields: (() => void)[], count: number): number => {
    b.startObject(count);
    for (const field of fields) field();
    return b.endObject();
  };
  const offsets = (list: readonly number[]): number => {
    b.startVector(4, list.length, 4);
    for (const o of [...list].reverse()) b.addOffset(o);
    return b.endVector();
  };
  const ints = (list: readonly number[]): number => {
    b.startVector(4, list.length, 4);
    for (const v of [...list].reverse()) b.addInt32(v);
    return b.endVector();
  };
  const floats = (list: readonly number[]): number => {
    b.startVector(4, list.length, 4);
    for (const v of [...list].reverse()) b.addFloat32(v);
    return b.endVector();
  };
  const longs = (list: readonly number[]): number => {
    b.startVector(8, list.length, 8);
    for (const v of [...list].reverse()) b.addInt64(BigInt(v));
    return b.endVector();
  };
  const bytes = (data: Uint8Array): number => {
    b.startVector(1, data.length, 16);
    for (let i = data.length - 1; i >= 0; i--) b.addInt8((data[i]! << 24) >> 24);
    return b.endVector();
  };
  const index = (name: string): number => (name === "" ? -1 : model.tensors.findIndex((t) => t.name === name));

  const constants = model.tensors.filter((t) => t.data);
  const buffers = [
    table([], 1),
    ...constants.map(({ data }) => {
      const vector = bytes(new Uint8Array(data!.buffer, data!.byteOffset, data!.byteLength));
      return table([() => b.addFieldOffset(0, vector, 0)], 1);
    }),
  ];
  const tensors = model.tensors.map((t) => {
    const shape = ints(t.shape);
    const signature = t.signature ? ints(t.signature) : 0;
    const name = b.createString(t.name);
    let quantisation = 0;
    if (t.scale) {
      const scale = floats(t.scale);
      const zero = longs(t.zeroPoint ?? t.scale.map(() => 0));
      quantisation = table(
        [
          () => b.addFieldOffset(2, scale, 0),
          () => b.addFieldOffset(3, zero, 0),
          () => b.addFieldInt32(6, t.axis ?? 0, 0),
        ],
        7,
      );
    }
    return table(
      [
        () => b.addFieldOffset(0, shape, 0),
        () => b.addFieldInt8(1, TENSOR_TYPES.indexOf(t.type ?? "float32"), 0),
        () => b.addFieldInt32(2, t.data ? constants.indexOf(t) + 1 : 0, 0),
        () => b.addFieldOffset(3, name, 0),
        () => b.addFieldOffset(4, quantisation, 0),
        () => b.addFieldOffset(7, signature, 0),
      ],
      8,
    );
  });
  const codes = [...new Set(model.operators.map((o) => o.code))];
  const operators = model.operators.map((o) => {
    const inputs = ints(o.inputs.map(index));
    const outputs = ints(o.outputs.map(index));
    const lists = (o.options?.fields ?? []).map((f) => ("ints" in f ? ints(f.ints) : 0));
    const options = o.options
      ? table(
          o.options.fields.map((f, i) => () => {
            if ("i8" in f) b.addFieldInt8(f.id, f.i8, 0);
            else if ("i32" in f) b.addFieldInt32(f.id, f.i32, 0);
            else if ("f32" in f) b.addFieldFloat32(f.id, f.f32, 0);
            else b.addFieldOffset(f.id, lists[i]!, 0);
          }),
          8,
        )
      : 0;
    return table(
      [
        () => b.addFieldInt32(0, codes.indexOf(o.code), 0),
        () => b.addFieldOffset(1, inputs, 0),
        () => b.addFieldOffset(2, outputs, 0),
        () => b.addFieldInt8(3, o.options?.union ?? 0, 0),
        () => b.addFieldOffset(4, options, 0),
      ],
      5,
    );
  });
  const inputs = ints(model.inputs.map(index));
  const outputs = ints(model.outputs.map(index));
  const tensorList = offsets(tensors);
  const operatorList = offsets(operators);
  const subgraph = table(
    [tensorList, inputs, outputs, operatorList].map((o, i) => () => b.addFieldOffset(i, o, 0)),
    4,
  );
  const codeTables = codes.map((code) => {
    const number = OPERATORS.indexOf(code);
    return table(
      [
        () => b.addFieldInt8(0, Math.min(number, 127), 0),
        () => b.addFieldInt32(2, 1, 0),
        () => b.addFieldInt32(3, number, 0),
      ],
      4,
    );
  });
  const codeList = offsets(codeTables);
  const subgraphs = offsets([subgraph]);
  const bufferList = offsets(buffers);
  const root = table(
    [
      () => b.addFieldInt32(0, 3, 0),
      () => b.addFieldOffset(1, codeList, 0),
      () => b.addFieldOffset(2, subgraphs, 0),
      () => b.addFieldOffset(4, bufferList, 0),
    ],
    5,
  );
  b.finish(root, "TFL3");
  return b.asUint8Array();
}
