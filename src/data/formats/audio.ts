import { stat } from "node:fs/promises";
import { IdapError } from "../../model/errors.js";
import { AUDIO_DEFAULTS, checkFeatures, featureExtractor, featureShape } from "../audio/features.js";
import { resample } from "../audio/resample.js";
import { parseWav } from "../audio/wav.js";
import { checkSize, readBytes } from "../bytes.js";
import { labelledFiles, type LabelledFiles } from "../labelled-files.js";
import type { AudioFeatures } from "../audio/features.js";
import type { FolderFormat, NestedFile, Samples } from "../types.js";

/** A recording of more than this is no keyword or sound event. */
const MOST_FILE_BYTES = 2 ** 28;

/**
 * WAV files, one sample each, in a folder for their class or with the label in their names; see `labelledFiles`. Each
 * becomes features (`audio/features.ts`) as it is read, so that the sounds themselves are never all in memory.
 */
export const audio: FolderFormat = {
  name: "audio",
  summary: "WAV files in a folder for each class, or with the label at the beginning of their names",
  nested: true,
  detect: (files) => files.filter((f) => /\.wav$/i.test(f.name)),
  async read(files, options) {
    const features: AudioFeatures = { ...AUDIO_DEFAULTS, ...options.features };
    checkFeatures(features);
    const sorted = labelledFiles(files, options);
    return {
      train: sorted.train.length > 0 ? await readPart(sorted.train, sorted, features) : null,
      test: sorted.test.length > 0 ? await readPart(sorted.test, sorted, features) : null,
      classes: sorted.classes,
      classNames: sorted.classNames,
      scale: 1,
      zeroPoint: 0,
    };
  },
};

async function readPart(
  files: readonly NestedFile[],
  { labelOf }: LabelledFiles,
  features: AudioFeatures,
): Promise<Samples> {
  const shape = featureShape(features);
  const size = shape.reduce((a, b) => a * b, 1);
  checkSize(4 * size * files.length, `features of ${files.length} sounds`);
  const labels = Int32Array.from(files, labelOf);
  const values = new Float32Array(size * files.length);
  const extract = featureExtractor(features);
  for (const [i, file] of files.entries()) {
    const { size: bytes } = await stat(file.path);
    if (bytes > MOST_FILE_BYTES) {
      throw new IdapError(
        "E_DATA_SIZE",
        `${file.name} has ${bytes} bytes; sounds of up to ${MOST_FILE_BYTES} are read`,
        "Cut it into clips.",
      );
    }
    // A little more than the clip, so that the filter sees what follows.
    const sound = parseWav(await readBytes(file.path), file.name, features.seconds + 0.1);
    extract(resample(sound, features.rate).samples, values.subarray(i * size, (i + 1) * size));
  }
  return { count: files.length, shape, values, labels };
}
