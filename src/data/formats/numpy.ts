import path from "node:path";
import { IdapError } from "../../model/errors.js";
import { readBytes } from "../bytes.js";
import { checkLabels, countClasses } from "../labels.js";
import { isNpy, parseNpy, type NpyArray } from "../npy.js";
import type { DataFile, FileFormat, Samples } from "../types.js";
import { unzip } from "../zip.js";

const isZip = (f: DataFile): boolean => f.head[0] === 0x50 && f.head[1] === 0x4b && f.name.endsWith(".npz");

/**
 * numpy arrays: `x_train.npy`, `y_train.npy`, `x_test.npy`, `y_test.npy` in a folder, or one `.npz` with those names
 * (as Keras's own data sets have them). `x.npy` and `y.npy` are a training part. Samples run along the first axis;
 * images are [n, h, w] or [n, h, w, c]; labels are [n] or [n, 1].
 */
export const numpy: FileFormat = {
  name: "numpy",
  summary: "numpy arrays (x_train.npy, y_train.npy, x_test.npy, y_test.npy, or one .npz with those names)",
  detect: (files) => files.filter((f) => isNpy(f.head) || isZip(f)),
  async read(files, options) {
    const arrays = new Map<string, NpyArray>();
    for (const file of files) {
      const bytes = await readBytes(file.path);
      if (isZip(file)) {
        for (const [name, entry] of unzip(bytes, path.basename(file.path))) {
          if (name.endsWith(".npy")) arrays.set(name.replace(/\.npy$/, ""), parseNpy(entry, `${file.name}/${name}`));
        }
      } else {
        arrays.set(file.name.replace(/\.npy$/, ""), parseNpy(bytes, path.basename(file.path)));
      }
    }
    const train = part(arrays, "x_train", "y_train") ?? part(arrays, "x", "y");
    const test = part(arrays, "x_test", "y_test");
    if (train === null && test === null) {
      throw new IdapError(
        "E_DATA_FORMAT",
        `needs arrays named x_train and y_train (x_test and y_test for the test part), found ${[...arrays.keys()].join(", ")}`,
        "Rename the arrays.",
      );
    }
    const classes = options.classes ?? countClasses(train?.labels ?? null, test?.labels ?? null);
    if (train?.labels) checkLabels(train.labels, classes, "y_train");
    if (test?.labels) checkLabels(test.labels, classes, "y_test");
    return { train, test, classes, scale: 1, zeroPoint: 0 };
  },
};

function part(arrays: ReadonlyMap<string, NpyArray>, x: string, y: string): Samples | null {
  const samples = arrays.get(x);
  if (samples === undefined) return null;
  const labels = arrays.get(y);
  const [count = 0, ...shape] = samples.shape;
  if (samples.shape.length < 2 || samples.values.length === 0) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `${x} has the shape [${samples.shape.join(", ")}], but samples run along the first of two or more axes`,
    );
  }
  if (labels !== undefined && (labels.values.length !== count || labels.values instanceof Float32Array)) {
    throw new IdapError(
      "E_DATA_FORMAT",
      `${y} needs one whole number for each of the ${count} samples of ${x}, got shape [${labels.shape.join(", ")}]${labels.values instanceof Float32Array ? " of floats" : ""}`,
    );
  }
  const v = samples.values;
  checkFinite(v, x, count);
  return {
    count,
    shape: shape.length === 2 ? [...shape, 1] : shape,
    values: v instanceof Uint8Array || v instanceof Int8Array || v instanceof Float32Array ? v : Float32Array.from(v),
    labels: labels === undefined ? null : Int32Array.from(labels.values),
  };
}

/** A NaN among the samples would make every score and every gradient one. */
function checkFinite(values: NpyArray["values"], name: string, count: number): void {
  if (!(values instanceof Float32Array)) return;
  const at = values.findIndex((v) => !Number.isFinite(v));
  if (at < 0) return;
  throw new IdapError(
    "E_DATA_FORMAT",
    `${name}: sample ${Math.floor(at / (values.length / count))} holds ${values[at]}, which is no finite number`,
    "Remove the sample, or repair its values.",
  );
}
