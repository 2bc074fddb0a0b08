import { z } from "zod";

/** The parts of the Keras JSON that are read; everything else in it concerns training. */

/** [layer, node, tensor, call arguments] */
const reference = z.tuple([z.string(), z.int().nonnegative(), z.int().nonnegative()]).rest(z.unknown());

export interface LayerJson {
  readonly class_name: string;
  readonly name?: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  /** One entry for each application of the layer. */
  readonly inbound_nodes?: readonly (readonly z.infer<typeof reference>[])[] | undefined;
}

const layer: z.ZodType<LayerJson> = z.object({
  class_name: z.string(),
  name: z.string().optional(),
  config: z.record(z.string(), z.unknown()),
  inbound_nodes: z.array(z.array(reference)).optional(),
});

/** Output and input lists are [[layer, node, tensor], ...], or one such triple for a single port. */
const ports = z.union([z.array(reference), reference.transform((r) => [r])]);

export const sequentialConfig = z.union([
  z.object({ name: z.string().default("sequential"), layers: z.array(layer).min(1) }),
  // Old writers give the list of layers itself.
  z
    .array(layer)
    .min(1)
    .transform((layers) => ({ name: "sequential", layers })),
]);

export const functionalConfig = z.object({
  name: z.string().default("model"),
  layers: z.array(layer).min(1),
  input_layers: ports,
  output_layers: ports,
});

const modelConfig = z.object({ class_name: z.string(), config: z.unknown() });

export const modelJson = z.object({
  format: z.string().optional(),
  modelTopology: z.union([z.object({ model_config: modelConfig }).transform((t) => t.model_config), modelConfig]),
  weightsManifest: z.unknown(),
});

export type Reference = z.infer<typeof reference>;
export type SequentialConfig = z.infer<typeof sequentialConfig>;
export type FunctionalConfig = z.infer<typeof functionalConfig>;
