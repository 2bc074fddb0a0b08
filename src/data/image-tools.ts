import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { IdapError } from "../model/errors.js";

/** What decodes and scales pictures. */
export interface ImageTools {
  sizeOf(file: string): Promise<{ height: number; width: number }>;
  /** Bytes of a picture scaled to cover [h, w, c] and cut around the centre, rows from above, channels side by side. */
  decode(file: string, shape: readonly [number, number, 1 | 3]): Promise<Uint8Array>;
}

/** Pixels of one picture at most: more is no sample of an edge model. */
const MOST_PIXELS = 2 ** 26;

/** The little of sharp's interface that is used (0.33 and later). */
interface Sharp {
  rotate(): Sharp;
  resize(width: number, height: number, options: { fit: "cover"; position: "centre"; kernel: "lanczos3" }): Sharp;
  removeAlpha(): Sharp;
  grayscale(): Sharp;
  toColourspace(space: "b-w" | "srgb"): Sharp;
  raw(options: { depth: "uchar" }): Sharp;
  metadata(): Promise<{ width?: number; height?: number; orientation?: number }>;
  toBuffer(): Promise<Uint8Array>;
}

type SharpModule = (file: string, options: { limitInputPixels: number; failOn: "truncated" }) => Sharp;

/** Where `sharp` is installed: beside idap, or in the project that is worked in. */
function findSharp(): string | null {
  for (const from of [import.meta.url, pathToFileURL(path.resolve("index.js"))]) {
    try {
      return createRequire(from).resolve("sharp");
    } catch {
      // Not here.
    }
  }
  return null;
}

/**
 * Decoding by `sharp`, an optional peer dependency (a native module of some 15 MB that only pictures need).
 * Pictures are turned as their EXIF data say, lose their transparency, and are scaled with a Lanczos kernel (a = 3); grey
 * ones become colour or colour ones grey as the shape asks for.
 */
export async function imageTools(find: () => string | null = findSharp): Promise<ImageTools> {
  const found = find();
  if (found === null) {
    throw new IdapError(
      "E_DATA_PEER",
      "pictures are decoded by the package sharp, which is not installed",
      "Install it beside idap: npm install sharp. Or save the pictures as numpy arrays.",
    );
  }
  let sharp: SharpModule;
  try {
    sharp = ((await import(pathToFileURL(found).href)) as { default: SharpModule }).default;
  } catch (error) {
    throw new IdapError(
      "E_DATA_PEER",
      `the package sharp at ${found} cannot be loaded: ${(error as Error).message.split("\n")[0]}`,
      "Install it again on this machine: npm install sharp.",
    );
  }
  const open = (file: string): Sharp => sharp(file, { limitInputPixels: MOST_PIXELS, failOn: "truncated" });
  return {
    async sizeOf(file) {
      const {
        width,
        height,
        orientation = 1,
      } = await open(file)
        .metadata()
        .catch((error: unknown) => Promise.reject(undecodable(file, error)));
      if (!width || !height) throw undecodable(file, new Error("it has no size"));
      return orientation >= 5 ? { height: width, width: height } : { height, width };
    },
    async decode(file, [height, width, channels]) {
      const picture = open(file)
        .rotate()
        .resize(width, height, { fit: "cover", position: "centre", kernel: "lanczos3" })
        .removeAlpha();
      const coloured = channels === 1 ? picture.grayscale().toColourspace("b-w") : picture.toColourspace("srgb");
      const pixels = await coloured
        .raw({ depth: "uchar" })
        .toBuffer()
        .catch((error: unknown) => Promise.reject(undecodable(file, error)));
      if (pixels.length !== height * width * channels) {
        throw undecodable(file, new Error(`it became ${pixels.length} bytes, not ${height * width * channels}`));
      }
      return pixels;
    },
  };
}

function undecodable(file: string, error: unknown): IdapError {
  return new IdapError(
    "E_DATA_FORMAT",
    `${path.basename(file)} cannot be decoded: ${(error as Error).message.split("\n")[0]}`,
    "Remove the file, or save it again as PNG or JPEG.",
  );
}
