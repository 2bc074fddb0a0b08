import { create } from "@bufbuild/protobuf";
import { IdapError } from "../../model/errors.js";
import {
  AttributeProtoSchema,
  NodeProtoSchema,
  type AttributeProto,
  type FunctionProto,
  type NodeProto,
} from "./generated/onnx_pb.js";

/** Calls and nodes of inlined bodies that a file may make: calls of calls grow fast, also where they do nothing. */
const MOST_NODES = 100_000;
const DEEPEST = 32;

/**
 * The nodes of a graph with calls of the file's own functions replaced by their bodies. Inner names get the call's name
 * in front; attributes that a body takes from its call are filled in.
 */
export function inlineFunctions(
  nodes: readonly NodeProto[],
  functions: readonly FunctionProto[],
  file: string,
): readonly NodeProto[] {
  if (functions.length === 0) return nodes;
  const known = new Map(functions.map((f) => [`${f.domain}.${f.name}.${f.overload}`, f]));
  const result: NodeProto[] = [];
  let calls = 0;
  let count = 0;
  const visit = (node: NodeProto, depth: number): void => {
    const f = known.get(`${node.domain}.${node.opType}.${node.overload}`);
    if (depth > 0 && ++count > MOST_NODES) {
      throw new IdapError("E_FORMAT", `${file} is damaged: its functions do not end`);
    }
    if (!f) {
      result.push(node);
      return;
    }
    if (depth > DEEPEST) throw new IdapError("E_FORMAT", `${file} is damaged: function ${f.name} calls itself`);
    const prefix = `${node.name || node.output[0] || f.name}/${calls++}`;
    for (const inner of f.node) visit(instantiated(inner, f, node, prefix), depth + 1);
  };
  for (const node of nodes) visit(node, 0);
  return result;
}

function instantiated(inner: NodeProto, f: FunctionProto, call: NodeProto, prefix: string): NodeProto {
  const rename = (name: string): string => {
    if (name === "") return "";
    const input = f.input.indexOf(name);
    if (input >= 0) return call.input[input] ?? "";
    const output = f.output.indexOf(name);
    if (output >= 0 && call.output[output]) return call.output[output];
    return `${prefix}/${name}`;
  };
  const { opType, domain, overload, docString } = inner;
  return create(NodeProtoSchema, {
    ...{ opType, domain, overload, docString },
    name: `${prefix}/${inner.name || inner.output[0] || inner.opType}`,
    input: inner.input.map(rename),
    output: inner.output.map(rename),
    attribute: inner.attribute.flatMap((a) => attributeOf(a, f, call)),
  });
}

/** An attribute that refers to one of the call; left out where neither the call nor the function states it. */
function attributeOf(a: AttributeProto, f: FunctionProto, call: NodeProto): AttributeProto[] {
  if (a.refAttrName === "") return [a];
  const given =
    call.attribute.find((c) => c.name === a.refAttrName) ?? f.attributeProto.find((c) => c.name === a.refAttrName);
  if (!given) return [];
  // Fields that the file does not state have their value from the prototype, which a spread would lose.
  const { type, f: float, i, s, t, g, floats, ints, strings } = given;
  const rest = { ...(t && { t }), ...(g && { g }) };
  return [create(AttributeProtoSchema, { name: a.name, type, f: float, i, s, floats, ints, strings, ...rest })];
}
