import { checkSize } from "../bytes.js";
import { imageTools, type ImageTools } from "../image-tools.js";
import { labelledFiles, type LabelledFiles } from "../labelled-files.js";
import { IdapError } from "../../model/errors.js";
import type { FolderFormat, NestedFile, RawData, ReadOptions, Samples } from "../types.js";

/** Pictures that are decoded at the same time. */
const AT_ONCE = 4;

/**
 * PNG and JPEG pictures, one sample each, in a folder for their class or with the label in their names; see
 * `labelledFiles`. They become bytes [h, w, c] of the wanted shape (the model's input), or of the first picture's: scaled
 * so that they cover it, aspect ratio kept, and cut to it around the centre. Needs `sharp`; see `image-tools.ts`.
 */
export const images: FolderFormat = {
  name: "images",
  summary: "PNG or JPEG pictures in a folder for each class, or with the label at the beginning of their names",
  nested: true,
  detect: (files) => files.filter((f) => /\.(png|jpe?g)$/i.test(f.name)),
  async read(files, options) {
    return readImages(files, options, await imageTools());
  },
};

export async function readImages(
  files: readonly NestedFile[],
  options: ReadOptions,
  tools: ImageTools,
): Promise<RawData> {
  const sorted = labelledFiles(files, options);
  const shape = await pictureShape(files[0]!, options.sampleShape, tools);
  const part = (list: readonly NestedFile[]): Promise<Samples> | null =>
    list.length > 0 ? readPart(list, sorted, shape, tools) : null;
  return {
    train: await part(sorted.train),
    test: await part(sorted.test),
    classes: sorted.classes,
    classNames: sorted.classNames,
    scale: 1,
    zeroPoint: 0,
  };
}

/** [h, w, c] from a wanted shape in either order of axes, with axes of 1 left out or not; else of the first picture, in colour. */
async function pictureShape(
  first: NestedFile,
  wanted: readonly number[] | undefined,
  tools: ImageTools,
): Promise<[number, number, 1 | 3]> {
  if (wanted === undefined) {
    const { height, width } = await tools.sizeOf(first.path);
    return [height, width, 3];
  }
  const isColour = (c: number | undefined): c is 1 | 3 => c === 1 || c === 3;
  const [a, b, c] = wanted;
  if (wanted.length === 2) return [a!, b!, 1];
  if (wanted.length === 3 && isColour(c)) return [a!, b!, c];
  if (wanted.length === 3 && isColour(a)) return [b!, c!, a];
  throw new IdapError(
    "E_DATA_SHAPE",
    `pictures have a height, a width and 1 or 3 channels; samples of [${wanted.join(", ")}] cannot be made of them`,
    "Give a shape such as 96,96,3 with --sample-shape, or another model.",
  );
}

async function readPart(
  files: readonly NestedFile[],
  { labelOf }: LabelledFiles,
  shape: readonly [number, number, 1 | 3],
  tools: ImageTools,
): Promise<Samples> {
  const size = shape[0] * shape[1] * shape[2];
  checkSize(size * files.length, `${files.length} pictures of ${shape.join(" x ")}`);
  const labels = Int32Array.from(files, labelOf);
  const values = new Uint8Array(size * files.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < files.length; i = next++) {
      const pixels = await tools.decode(files[i]!.path, shape);
      values.set(pixels, i * size);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { count: files.length, shape, values, labels };
}
