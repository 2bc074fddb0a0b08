/** The parts of a GraphDef in JSON that are read. */
import { z } from "zod";
import type { Dtype } from "../../../model/types.js";

/** 64-bit integers are written as text. */
const integer = z.union([
  z.int(),
  z
    .string()
    .regex(/^-?\d{1,18}$/)
    .transform(Number),
]);

/** Bytes are base64, or codes of characters. */
const text = z.union([
  z.string().transform((s) => Buffer.from(s, "base64").toString("latin1")),
  z.array(z.int()).transform((codes) => String.fromCharCode(...codes)),
]);

/** Type names, or their numbers. */
const type = z.union([z.string(), z.int().transform((n) => NUMBERED[n] ?? String(n))]);
const NUMBERED: Readonly<Record<number, string>> = {
  1: "DT_FLOAT",
  2: "DT_DOUBLE",
  3: "DT_INT32",
  4: "DT_UINT8",
  6: "DT_INT8",
  7: "DT_STRING",
  9: "DT_INT64",
  10: "DT_BOOL",
  19: "DT_HALF",
};

const shape = z.object({
  dim: z.array(z.object({ size: integer.default(0) })).default([]),
  unknownRank: z.boolean().optional(),
});

const attribute = z.object({
  s: text.optional(),
  i: integer.optional(),
  f: z.union([z.number(), z.string().transform(Number)]).optional(),
  b: z.boolean().optional(),
  type: type.optional(),
  shape: shape.optional(),
  list: z
    .object({
      s: z.array(text).optional(),
      i: z.array(integer).optional(),
      f: z.array(z.number()).optional(),
    })
    .optional(),
});
export type Attribute = z.infer<typeof attribute>;

const node = z.object({
  name: z.string().min(1).max(4096),
  op: z.string().max(256),
  input: z.array(z.string()).default([]),
  attr: z.record(z.string(), attribute).default({}),
});
export type NodeDef = z.infer<typeof node>;

const signature = z.object({
  inputs: z.record(z.string(), z.object({ name: z.string().optional(), tensorShape: shape.optional() })).optional(),
  outputs: z.record(z.string(), z.object({ name: z.string().optional() })).optional(),
});
export type Signature = z.infer<typeof signature>;

export const graphModelJson = z.object({
  modelTopology: z.object({ node: z.array(node), signature: signature.optional() }),
  signature: signature.nullish(),
  generatedBy: z.string().nullish(),
  userDefinedMetadata: z.unknown().optional(),
  weightsManifest: z.unknown().optional(),
});
export type GraphModelJson = z.infer<typeof graphModelJson>;

/** Inside, TF.js has no 64-bit integers; halves and doubles are floats. */
export function dtypeOf(name: string | undefined): Dtype | null {
  return name !== undefined && Object.hasOwn(DTYPES, name) ? DTYPES[name]! : null;
}

const DTYPES: Readonly<Record<string, Dtype>> = {
  DT_FLOAT: "f32",
  DT_HALF: "f32",
  DT_BFLOAT16: "f32",
  DT_DOUBLE: "f32",
  DT_INT8: "i32",
  DT_UINT8: "i32",
  DT_INT16: "i32",
  DT_UINT16: "i32",
  DT_INT32: "i32",
  DT_INT64: "i32",
  DT_BOOL: "bool",
};
