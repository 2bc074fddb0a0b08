import { unzipSync } from "fflate";
import { IdapError } from "../../model/errors.js";
import type { Graph } from "../../model/types.js";
import { Hdf5, isHdf5 } from "./hdf5.js";
import type { Dialect } from "./layer.js";
import { readKerasConfig } from "./model.js";
import { modelConfig, parse } from "./topology.js";
import { NamedWeights, type LayerPlace, type Variables, type Weight, type WeightStore } from "./weights.js";

/** Deflate makes at most 1032 bytes of one; what promises more is a bomb or damage. */
const MAX_RATIO = 1032;

/** Configurations are text about layers. */
const MAX_CONFIG = 1 << 26;

const WHOLE_MODEL = "Save the whole model, as model.save() does, not model.save_weights().";

/** Shapes of inputs, by name, whose extents the file leaves open. */
type Shapes = Readonly<Record<string, readonly number[]>>;

/** HDF5, or the zip archive that `.keras` files are. */
export function isKeras(bytes: Uint8Array): boolean {
  return isHdf5(bytes) || isZip(bytes);
}

export function readKeras(bytes: Uint8Array, name: string, file: string, batch = 1, shapes?: Shapes): Graph {
  const source = { name, file, batch, shapes };
  return isZip(bytes) ? readArchive(bytes, source) : readH5(bytes, source);
}

interface Source {
  readonly name: string;
  /** For messages. */
  readonly file: string;
  readonly batch: number;
  readonly shapes: Shapes | undefined;
}

function parseJson(text: string, file: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new IdapError("E_FORMAT", `${file}: ${what} is no valid JSON: ${(error as Error).message}`);
  }
}

/** Versions are "2.4.0", "3.15.1"; files without one are older than 2. */
function dialectOf(version: unknown): Dialect {
  return typeof version === "string" && Number.parseInt(version, 10) >= 3 ? "keras3" : "keras2";
}

/**
 * Reads a whole Keras model in HDF5: the configuration is the attribute `model_config`, the weights lie in the group
 * `model_weights`, by layer, each layer's listed in its attribute `weight_names`.
 */
function readH5(bytes: Uint8Array, source: Source): Graph {
  const { file } = source;
  const hdf5 = new Hdf5(bytes, file);
  const text = hdf5.text("", "model_config");
  if (text === null) {
    const weightsOnly =
      hdf5.texts("", "layer_names") !== null || hdf5.has("layers") || hdf5.has("_layer_checkpoint_dependencies");
    throw new IdapError(
      "E_FORMAT",
      weightsOnly
        ? `${file} holds weights only, not the model that they belong to`
        : `${file} is HDF5 but no Keras model: it has no model_config`,
      WHOLE_MODEL,
    );
  }
  const config = parse(modelConfig, parseJson(text, file, "model_config"), file, "model_config");
  const dialect = dialectOf(hdf5.text("", "keras_version") ?? hdf5.text("model_weights", "keras_version"));
  return readKerasConfig({ ...source, config, dialect, weights: () => new NamedWeights(h5Weights(hdf5, file)) });
}

function h5Weights(hdf5: Hdf5, file: string): Map<string, Weight> {
  const weights = new Map<string, Weight>();
  for (const layer of hdf5.texts("model_weights", "layer_names") ?? hdf5.keys("model_weights")) {
    const group = `model_weights/${layer}`;
    for (const name of hdf5.texts(group, "weight_names") ?? []) {
      const weight = hdf5.weight(`${group}/${name}`);
      if (!weight) {
        throw new IdapError("E_FORMAT", `${file}: layer "${layer}" lists the weight "${name}", which the file lacks`);
      }
      weights.set(`${layer}/${name}`, weight);
    }
  }
  return weights;
}

function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 0x03 && bytes[3] === 0x04;
}

/** Reads a `.keras` file: config.json, metadata.json and model.weights.h5 in a zip archive. */
function readArchive(bytes: Uint8Array, source: Source): Graph {
  const { file } = source;
  const parts = unzip(bytes, file);
  const text = (part: string): string | null => {
    const data = parts[part];
    return data ? new TextDecoder().decode(data) : null;
  };
  const configText = text("config.json");
  const weightBytes = parts["model.weights.h5"];
  if (configText === null || !weightBytes || !isHdf5(weightBytes)) {
    const missing = configText === null ? "config.json" : "model.weights.h5";
    throw new IdapError("E_FORMAT", `${file} is no Keras model: it has no ${missing} inside`, WHOLE_MODEL);
  }
  const metadata = parseJson(text("metadata.json") ?? "{}", file, "metadata.json") as {
    keras_version?: unknown;
  } | null;
  const config = parse(modelConfig, parseJson(configText, file, "config.json"), file, "config.json");
  const hdf5 = new Hdf5(weightBytes, file);
  const dialect = dialectOf(metadata?.keras_version);
  return readKerasConfig({ ...source, config, dialect, weights: () => new NumberedWeights(hdf5, file) });
}

function unzip(bytes: Uint8Array, file: string): Record<string, Uint8Array> {
  const wanted = ["config.json", "metadata.json", "model.weights.h5"];
  try {
    return unzipSync(bytes, {
      filter({ name, size, originalSize }) {
        if (!wanted.includes(name)) return false;
        const most = name.endsWith(".json") ? MAX_CONFIG : Infinity;
        if (size > bytes.length || originalSize > Math.min(MAX_RATIO * size, most)) {
          throw new IdapError("E_FORMAT", `${file} is damaged: ${name} in it claims ${originalSize} bytes`);
        }
        return true;
      },
    });
  } catch (error) {
    if (error instanceof IdapError) throw error;
    throw new IdapError("E_FORMAT", `${file} is damaged: the zip archive cannot be read`, "Copy or download it again.");
  }
}

/** Names of the group that holds a model's layers: Keras 3, Keras 2.12 to 2.15. */
const CONTAINERS = ["layers", "_layer_checkpoint_dependencies", "_layers"];

/** Weights of a `.keras` file: numbered inside folders that are called after classes. */
class NumberedWeights implements WeightStore {
  private readonly folders = new Map<string, string | null>();

  constructor(
    private readonly hdf5: Hdf5,
    private readonly file: string,
  ) {}

  get(key: string): Weight {
    const weight = this.hdf5.weight(key);
    if (weight) return weight;
    throw new IdapError("E_FORMAT", `${this.file} is damaged: "${key}" is a group where a weight should be`);
  }

  find(place: LayerPlace, kind: string, variables: Variables): { key: string } | { fault: string } {
    const called = kind.split("|")[0]!;
    const folder = this.folderOf(place);
    for (const [part, kinds] of Object.entries(variables)) {
      const index = kinds.indexOf(kind);
      if (index < 0 || folder === null) continue;
      for (const inner of partNames(part)) {
        const key = `${folder}/${inner}vars/${index}`;
        if (this.hdf5.has(key)) return { key };
      }
    }
    return { fault: `the file holds no weight "${called}" of it` };
  }

  /**
   * The folder of a layer. It follows from the order of the layers; newer files note the layer's name in it, which then
   * has the last word.
   */
  private folderOf({ names, folder }: LayerPlace): string | null {
    const known = this.folders.get(folder);
    if (known !== undefined) return known;
    const found = this.search(folder, names[names.length - 1]!);
    this.folders.set(folder, found);
    return found;
  }

  private search(folder: string, name: string): string | null {
    for (const container of CONTAINERS) {
      const path = `layers/${folder}`.split("/").map((part, i) => (i % 2 === 0 ? container : part));
      const expected = path.join("/");
      const parent = path.slice(0, -1).join("/");
      const noted = this.hdf5.text(`${expected}/vars`, "name");
      if (noted === name || (noted === null && this.hdf5.has(expected))) return expected;
      const other = this.hdf5.keys(parent).find((key) => this.hdf5.text(`${parent}/${key}/vars`, "name") === name);
      if (other !== undefined) return `${parent}/${other}`;
      if (noted !== null) return expected;
    }
    return null;
  }
}

/** Parts of a layer are called after its fields, which some versions keep with an underscore in front. */
function partNames(part: string): string[] {
  return part === "" ? [""] : [`${part}/`, `_${part}/`];
}
