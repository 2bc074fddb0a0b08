/** The parts of the Keras JSON that are read, in the forms that Keras 1 to 3 and TF.js write; the rest concerns training. */
import { z } from "zod";
import { IdapError } from "../../model/errors.js";

/** A result of a layer: its name, which call of it, which of its outputs. */
export type Reference = readonly [layer: string, node: number, output: number];

/** An argument of a call: a result, or a value that the file states. */
export type Argument = { readonly from: Reference } | { readonly value: unknown };

/** One call of a layer. */
export interface Call {
  readonly args: readonly Argument[];
  readonly named: ReadonlyMap<string, Argument>;
}

export interface LayerJson {
  readonly class_name: string;
  readonly module?: string | null | undefined;
  readonly name?: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  /** One entry for each call. */
  readonly inbound_nodes?: readonly unknown[] | null | undefined;
}

const layer: z.ZodType<LayerJson> = z.object({
  class_name: z.string(),
  module: z.string().nullish(),
  name: z.string().optional(),
  config: z.record(z.string(), z.unknown()),
  inbound_nodes: z.array(z.unknown()).nullish(),
});

export const sequentialConfig = z.union([
  z.object({
    name: z.string().default("sequential"),
    layers: z.array(layer).min(1),
    build_input_shape: z.unknown().optional(),
  }),
  // Old writers give the list of layers itself.
  z
    .array(layer)
    .min(1)
    .transform((layers) => ({ name: "sequential", layers, build_input_shape: undefined as unknown })),
]);

export const functionalConfig = z.object({
  name: z.string().default("model"),
  layers: z.array(layer).min(1),
  input_layers: z.unknown().optional(),
  output_layers: z.unknown().optional(),
});

export const modelConfig = z.object({ class_name: z.string(), config: z.unknown().optional() });
export type ModelConfig = z.infer<typeof modelConfig>;

/** Lists in lists of arguments are no deeper than this. */
const MAX_NESTING = 8;

export function parse<T>(schema: z.ZodType<T>, value: unknown, file: string, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new IdapError(
    "E_FORMAT",
    `${file}: ${what} is malformed at ${issue.path.join(".") || "its root"}: ${issue.message}`,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** [layer, node, output] or [layer, node, output, named arguments]. */
function isReference(value: unknown): value is [string, number, number, unknown?] {
  return (
    Array.isArray(value) &&
    (value.length === 3 || value.length === 4) &&
    typeof value[0] === "string" &&
    isIndex(value[1]) &&
    isIndex(value[2])
  );
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Ports: [[layer, node, output], ...], one such triple, or lists and records of them (Keras 3). */
export function portsOf(value: unknown, file: string, what: string): Reference[] {
  const ports = references(value, 0);
  if (ports.length > 0) return ports;
  throw new IdapError("E_FORMAT", `${file}: ${what} is no list of [layer, node, output]`);
}

function references(value: unknown, depth: number): Reference[] {
  if (depth > MAX_NESTING) return [];
  if (isReference(value)) return [[value[0], value[1], value[2]]];
  if (Array.isArray(value)) return value.flatMap((v) => references(v, depth + 1));
  return isObject(value) ? Object.values(value).flatMap((v) => references(v, depth + 1)) : [];
}

/** All calls of a layer. */
export function callsOf(inbound: LayerJson["inbound_nodes"], file: string, layerName: string): Call[] {
  return (inbound ?? []).map((node) => {
    const call = isObject(node) ? newCall(node) : oldCall(node);
    if (call) return call;
    throw new IdapError("E_FORMAT", `${file}: layer "${layerName}" has a malformed inbound node`);
  });
}

/** Keras 3: {args: [...], kwargs: {...}} with tensors as {class_name: "__keras_tensor__", config: {keras_history}}. */
function newCall(node: Record<string, unknown>): Call | null {
  if (!Array.isArray(node.args)) return null;
  const named = new Map<string, Argument>();
  for (const [name, value] of Object.entries(isObject(node.kwargs) ? node.kwargs : {})) {
    for (const argument of newArguments(value, 0)) named.set(name, argument);
  }
  return { args: node.args.flatMap((value) => newArguments(value, 0)), named };
}

function newArguments(value: unknown, depth: number): Argument[] {
  if (depth > MAX_NESTING) return [];
  if (isObject(value) && value.class_name === "__keras_tensor__") {
    const history = isObject(value.config) ? value.config.keras_history : null;
    return isReference(history) ? [{ from: [history[0], history[1], history[2]] }] : [];
  }
  if (Array.isArray(value)) {
    const inner = value.flatMap((v) => newArguments(v, depth + 1));
    // A list of numbers (axes, a shape) is one value.
    return inner.some((a) => "from" in a) ? inner : [{ value }];
  }
  return [{ value }];
}

/** Keras 1 and 2, TF.js: [[layer, node, output, {named}], ...], or one such entry alone. */
function oldCall(node: unknown): Call | null {
  if (!Array.isArray(node)) return null;
  const entries: unknown[] = typeof node[0] === "string" ? [node] : node;
  const args: Argument[] = [];
  const named = new Map<string, Argument>();
  for (const entry of entries) {
    if (!Array.isArray(entry)) return null;
    // A constant as the first operand: ["_CONSTANT_VALUE", -1, value, {named}].
    if (entry[0] === "_CONSTANT_VALUE") args.push({ value: entry[2] as unknown });
    else if (isReference(entry)) args.push({ from: [entry[0], entry[1], entry[2]] });
    else return null;
    for (const [name, value] of Object.entries(isObject(entry[3]) ? entry[3] : {})) {
      named.set(name, isReference(value) ? { from: [value[0], value[1], value[2]] } : { value });
    }
  }
  return { args, named };
}
