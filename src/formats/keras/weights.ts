import type { GraphBuilder } from "../../model/builder.js";
import { IdapError } from "../../model/errors.js";
import { sizeOf, type Dtype, type TensorData } from "../../model/types.js";
import type { Names } from "../shared/names.js";

/** A decoded weight. */
export interface Weight {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly data: TensorData;
}

/** Where a layer is: names of the models around it and its own, and its folder in a `.keras` file. */
export interface LayerPlace {
  readonly names: readonly string[];
  readonly folder: string;
}

/**
 * Variables of a layer by the folder below the layer's own in which a `.keras` file numbers them. A kind is what the
 * variable is called elsewhere; a slash in it names the part of the layer ("forward/kernel"), a bar alternatives.
 */
export type Variables = Readonly<Record<string, readonly string[]>>;

export interface WeightStore {
  /** The key under which `get` gives the weight; otherwise, in `fault`, what is wrong. */
  find(place: LayerPlace, kind: string, variables: Variables): { key: string } | { fault: string };
  get(key: string): Weight;
}

/** Weights that files call by name: TF.js manifests, `.h5` groups. Writers prefix models and scopes and end in ":0". */
export class NamedWeights implements WeightStore {
  /** Names by "segment of the path, last segment". */
  private readonly index = new Map<string, string[]>();

  constructor(private readonly weights: ReadonlyMap<string, Weight>) {
    for (const full of weights.keys()) {
      const path = segmentsOf(full);
      const kind = path.pop()!;
      for (const part of new Set(path)) push(this.index, `${part}\n${kind}`, full);
    }
  }

  get(key: string): Weight {
    return this.weights.get(key)!;
  }

  find({ names }: LayerPlace, kind: string): { key: string } | { fault: string } {
    const layer = names[names.length - 1]!;
    for (const alternative of kind.split("|")) {
      const parts = alternative.split("/");
      const last = parts.pop()!;
      const exact = `${layer}/${alternative}`;
      if (this.weights.has(exact) && names.length === 1) return { key: exact };
      const found = (this.index.get(`${layer.split("/").pop()!}\n${last}`) ?? []).filter((full) =>
        inOrder(segmentsOf(full), [...layer.split("/"), ...parts]),
      );
      const best = narrowed(found, names);
      if (best.length === 1) return { key: best[0]! };
      if (best.length > 1) return { fault: `several weights could be its "${alternative}"` };
    }
    return { fault: `the file holds no weight "${layer}/${kind.split("|")[0]!}"` };
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

function segmentsOf(full: string): string[] {
  return full.replace(/:\d+$/, "").split("/");
}

/** Whether `wanted` occur in `path` in their order; a part of a layer may carry the layer's name ("forward_lstm"). */
function inOrder(path: readonly string[], wanted: readonly string[]): boolean {
  let at = 0;
  for (const segment of path) {
    const want = wanted[at];
    if (want !== undefined && (segment === want || (at > 0 && segment.startsWith(`${want}_`)))) at++;
  }
  return at === wanted.length;
}

/** Of several names those in the top layer's own group, else those with all models around, else the shortest. */
function narrowed(found: readonly string[], names: readonly string[]): readonly string[] {
  if (found.length < 2) return found;
  const own = found.filter((full) => segmentsOf(full)[0] === names[0]);
  const anchored = own.length > 0 ? own : found;
  const inside = anchored.filter((full) => inOrder(segmentsOf(full), names));
  const best = inside.length > 0 ? inside : anchored;
  const least = Math.min(...best.map((full) => segmentsOf(full).length));
  return best.filter((full) => segmentsOf(full).length === least);
}

/** Weights as constants of one graph; those that are asked for twice in one form are one constant. */
export class WeightTable {
  private readonly made = new Map<string, string>();

  constructor(private readonly store: WeightStore) {}

  get(place: LayerPlace, kind: string, variables: Variables, where: string): Weight {
    return this.store.get(this.key(place, kind, variables, where));
  }

  /** @param form gives the constant's shape and data, `called` what it does to them */
  constant(
    at: { place: LayerPlace; kind: string; variables: Variables; where: string },
    called: string,
    form: (weight: Weight) => { shape: readonly number[]; data: Float32Array },
    { builder, names }: { builder: GraphBuilder; names: Names },
  ): string {
    const key = this.key(at.place, at.kind, at.variables, at.where);
    const known = this.made.get(`${called}\n${key}`);
    if (known !== undefined) return known;
    const { shape, data } = form(this.store.get(key));
    const layer = at.place.names[at.place.names.length - 1]!;
    const name = builder.constant(names.fresh(`${layer}/${at.kind.split("|")[0]!}`), "f32", shape, data);
    this.made.set(`${called}\n${key}`, name);
    return name;
  }

  private key(place: LayerPlace, kind: string, variables: Variables, where: string): string {
    const found = this.store.find(place, kind, variables);
    if ("key" in found) return found.key;
    throw new IdapError("E_FORMAT", `${where}: ${found.fault}`);
  }
}

/** The values as f32; layers compute with nothing else. */
export function floatsOfWeight({ data }: Weight): Float32Array {
  return data instanceof Float32Array ? data : Float32Array.from(data as Int32Array);
}

/** Throws unless a weight has as many values as its shape says. */
export function checkWeight(weight: Weight, what: string): Weight {
  if (weight.data.length === sizeOf(weight.shape)) return weight;
  throw new IdapError(
    "E_FORMAT",
    `${what} has the shape [${weight.shape}] but ${weight.data.length} values`,
    "Copy or download the file again.",
  );
}
