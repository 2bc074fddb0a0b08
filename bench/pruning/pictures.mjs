// Unlabelled images for one-shot pruning: CIFAR-10 as it is, and crops of pictures at 96 x 96.
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

/** A split in memory of samples of one shape. */
export function splitOf(name, samples, shape, labels = null, classes = 0) {
  const size = shape.reduce((a, b) => a * b, 1);
  return {
    name,
    count: samples.length,
    shape,
    labels,
    classes,
    read(indices, out) {
      Array.from(indices).forEach((index, i) => out.set(samples[index], i * size));
    },
  };
}

/** CIFAR-10 records of a file: labels and images [32, 32, 3] of bytes, as floats. */
export function cifar(file, count) {
  const bytes = gunzipSync(readFileSync(file));
  const labels = Int32Array.from({ length: count }, (_, i) => bytes[i * 3073]);
  const images = Array.from({ length: count }, (_, i) => {
    const image = new Float32Array(3072);
    for (let p = 0; p < 1024; p++) for (let c = 0; c < 3; c++) image[3 * p + c] = bytes[i * 3073 + 1 + 1024 * c + p];
    return image;
  });
  return { labels, images };
}

/** A colour picture: an uncompressed BMP of 24 bits, rows from the bottom up, blue first. */
function readBmp(file) {
  const bytes = gunzipSync(readFileSync(file));
  if (bytes.readUInt16LE(28) !== 24) return null;
  const [offset, width, height] = [10, 18, 22].map((at) => bytes.readInt32LE(at));
  const row = (width * 3 + 3) & ~3;
  return {
    width,
    height,
    pixel: (y, x, c) => bytes[offset + (height - 1 - y) * row + 3 * x + 2 - c],
  };
}

/** The square [side, side] from (top, left) of a picture, bilinear at size x size, in 0 to 1. */
function resized({ pixel }, top, left, side, size) {
  const result = new Float32Array(size * size * 3);
  const at = Array.from({ length: size }, (_, i) => {
    const v = Math.max(0, Math.min(side - 1, ((i + 0.5) * side) / size - 0.5));
    const low = Math.min(side - 2, Math.floor(v));
    return [low, v - low];
  });
  at.forEach(([y, fy], i) =>
    at.forEach(([x, fx], j) => {
      for (let c = 0; c < 3; c++) {
        const value = (dy, dx) => pixel(top + y + dy, left + x + dx, c);
        const upper = value(0, 0) * (1 - fx) + value(0, 1) * fx;
        const lower = value(1, 0) * (1 - fx) + value(1, 1) * fx;
        result[(i * size + j) * 3 + c] = (upper * (1 - fy) + lower * fy) / 255;
      }
    }),
  );
  return result;
}

/** Random square crops of all pictures of a folder in turn, at least `size` wide where the picture is. */
export function crops(folder, count, size, random) {
  const pictures = readdirSync(folder)
    .filter((name) => name.endsWith(".bmp.gz") && !name.includes("mask"))
    .sort()
    .map((name) => readBmp(path.join(folder, name)))
    .filter((picture) => picture !== null);
  return Array.from({ length: count }, (_, i) => {
    const picture = pictures[i % pictures.length];
    const most = Math.min(picture.width, picture.height);
    const side = size + random.int(most - size);
    return resized(picture, random.int(picture.height - side), random.int(picture.width - side), side, size);
  });
}

/** CIFAR-10 images at size x size. */
export function enlarged(images, size) {
  return images.map((image) => resized({ pixel: (y, x, c) => image[(y * 32 + x) * 3 + c] }, 0, 0, 32, size));
}
