import { create, toBinary } from "@bufbuild/protobuf";
import { IdapError } from "../../model/errors.js";
import { expandOps } from "../../model/passes/index.js";
import type { Graph, Port } from "../../model/types.js";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  TensorShapeProto_DimensionSchema,
  ValueInfoProtoSchema,
  type ValueInfoProto,
} from "./generated/onnx_pb.js";
import { PRODUCER } from "./producer.js";
import { ELEMENT_TYPE, OnnxWriter } from "./write/context.js";
import { neededOpset, unwritable, writers } from "./write/operators.js";
import { withSteps } from "./write/steps.js";

/** Container versions by the operator set that they came with; set 13 is read by every runtime since 2020. */
const IR_VERSIONS: readonly (readonly [opset: number, version: bigint])[] = [
  [21, 10n],
  [19, 9n],
  [15, 8n],
  [0, 7n],
];

/**
 * The graph as an ONNX model. Ports keep their names and axes; inside, images have the channels first, with transposes
 * only where the order changes. The bytes depend on the graph alone. Reading them gives an equal graph, up to inner
 * transposes: two in a row are written as one, and one whose result is wanted in both orders as two. An LSTM that
 * clips its cell, which ONNX's does not, is written as its steps.
 *
 * @throws IdapError E_UNSUPPORTED with all operators that have no ONNX form
 */
export function onnxBytes(source: Graph): Uint8Array {
  const given = expandOps(source, ({ op }) => Object.hasOwn(writers, op));
  const unknown = given.nodes.flatMap((node) => {
    const reason = unwritable(given, node);
    return reason === null ? [] : [`${reason} (${node.name})`];
  });
  if (unknown.length > 0) {
    throw new IdapError("E_UNSUPPORTED", `graph "${given.name}" cannot be written as ONNX: ${unknown.join(", ")}`);
  }
  const graph = withSteps(given);
  for (const { name } of graph.outputs) {
    if (graph.inputs.some((i) => i.name === name)) {
      throw new IdapError("E_NAME", `"${name}" is the name of an input and of an output, which ONNX does not allow`);
    }
  }
  const opset = Math.max(13, ...graph.nodes.map((node) => neededOpset(graph, node)));
  const writer = new OnnxWriter(graph, opset);
  for (const node of graph.nodes) writers[node.op]!(writer, node, node.attrs);
  writer.finish();
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSIONS.find(([from]) => opset >= from)![1],
    opsetImport: [{ domain: "", version: BigInt(opset) }],
    producerName: PRODUCER,
    graph: create(GraphProtoSchema, {
      name: graph.name,
      node: writer.nodes,
      initializer: writer.initializers,
      input: graph.inputs.map((p) => portInfo(graph, p)),
      output: graph.outputs.map((p) => portInfo(graph, p)),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

/** Name, type and shape of a port; the batch axis is symbolic. */
function portInfo(graph: Graph, { name, tensor }: Port): ValueInfoProto {
  const { dtype, shape, batchAxis } = graph.tensors.get(tensor)!.type;
  const dim = shape.map((d, i) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        i === batchAxis
          ? { case: "dimParam", value: d === 1 ? "batch" : `batch*${d}` }
          : { case: "dimValue", value: BigInt(d) },
    }),
  );
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType: ELEMENT_TYPE[dtype], shape: { dim } } } },
  });
}
