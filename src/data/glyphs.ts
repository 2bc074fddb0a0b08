import { createHash } from "node:crypto";
import type { Split } from "../model/dataset.js";
import { Random } from "../model/random.js";
import { GLYPHS, type Stroke } from "./glyph-shapes.js";
import type { DataSet, Samples } from "./types.js";
import { SplitView } from "./view.js";

/** Side of a glyph image in pixels. */
export const GLYPH_SIZE = 24;

/** Number of samples in each split; the calibration samples are the first of the training samples. */
export interface GlyphCounts {
  readonly train: number;
  readonly validation: number;
  readonly calibration: number;
  readonly test: number;
}

export const GLYPH_COUNTS: GlyphCounts = { train: 6000, validation: 1500, calibration: 256, test: 2000 };

/**
 * The embedded data set: grey images [24, 24, 1] in 0..1 of ten stroke-drawn glyphs, each under a random affine
 * map, stroke width, contrast, clutter, occlusion and noise; classes are equally frequent. Drawn from `seed` with
 * additions, products, divisions and square roots only: the same pixels on every engine. Each split has a random
 * stream of its own.
 */
export function glyphs(seed = 1, counts: GlyphCounts = GLYPH_COUNTS): DataSet {
  const hash = createHash("sha256");
  const draw = (name: "train" | "validation" | "test", stream: number): { all: Split; samples: Samples } => {
    const samples = drawSamples(Math.imul(seed, 0x9e3779b1) + stream, counts[name]);
    hash.update(`${name} ${samples.count}\n`).update(samples.values).update(samples.labels!);
    return { all: view(name, samples, samples.count), samples };
  };
  const train = draw("train", 101);
  const validation = draw("validation", 211);
  const test = draw("test", 401);
  return {
    train: train.all,
    validation: validation.all,
    calibration: view("calibration", train.samples, Math.min(counts.calibration, counts.train)),
    test: test.all,
    description: `glyphs drawn from seed ${seed}: ${counts.train} training, ${counts.validation} validation and ${counts.test} test images of 24 x 24, ${GLYPHS.length} classes, grey in 0..1`,
    hash: hash.digest("hex"),
  };
}

function view(name: string, samples: Samples, count: number): Split {
  const area = GLYPH_SIZE * GLYPH_SIZE;
  const affine = { mean: new Float64Array(area), scale: new Float64Array(area).fill(1 / 255) };
  return new SplitView(
    name,
    samples,
    Int32Array.from({ length: count }, (_, i) => i),
    GLYPHS.length,
    affine,
  );
}

function drawSamples(seed: number, count: number): Samples {
  const area = GLYPH_SIZE * GLYPH_SIZE;
  const values = new Uint8Array(count * area);
  const labels = Int32Array.from({ length: count }, (_, i) => i % GLYPHS.length);
  const random = new Random(seed);
  const canvas = new Float64Array(area);
  for (let i = 0; i < count; i++) {
    drawGlyph(labels[i]!, random, canvas);
    for (let p = 0; p < area; p++) values[i * area + p] = Math.round(255 * Math.min(1, Math.max(0, canvas[p]!)));
  }
  return { count, shape: [GLYPH_SIZE, GLYPH_SIZE, 1], values, labels };
}

/** Draws one sample of class `label` into `canvas` (row-major, values mostly in 0..1, clipped by the caller). */
function drawGlyph(label: number, random: Random, canvas: Float64Array): void {
  const between = (low: number, high: number): number => low + (high - low) * random.next();
  const half = GLYPH_SIZE / 2;

  // Background: a level and a slope, so that absolute brightness says nothing.
  const level = between(0.05, 0.35);
  const slopeX = between(-0.12, 0.12);
  const slopeY = between(-0.12, 0.12);
  for (let y = 0, p = 0; y < GLYPH_SIZE; y++) {
    for (let x = 0; x < GLYPH_SIZE; x++, p++)
      canvas[p] = level + (slopeX * (x - half)) / half + (slopeY * (y - half)) / half;
  }

  // Affine map: rotation up to about 28 degrees (tangent half-angle), anisotropic scale, shear, shift.
  const t = between(-0.25, 0.25);
  const cos = (1 - t * t) / (1 + t * t);
  const sin = (2 * t) / (1 + t * t);
  const scale = between(5.8, 8.6);
  const sx = scale * between(0.8, 1.15);
  const sy = scale * between(0.8, 1.15);
  const shear = between(-0.22, 0.22);
  const dx = half - 0.5 + between(-3.2, 3.2);
  const dy = half - 0.5 + between(-3.2, 3.2);
  const ink = between(0.38, 0.75);
  const radius = between(0.55, 1.25);

  for (const stroke of GLYPHS[label]!.strokes) {
    const mapped: number[] = [];
    for (let i = 0; i < stroke.length; i += 2) {
      const x = sx * (stroke[i]! + shear * stroke[i + 1]!);
      const y = sy * stroke[i + 1]!;
      // Every corner trembles a little: no two hands draw alike.
      mapped.push(cos * x - sin * y + dx + between(-0.3, 0.3), sin * x + cos * y + dy + between(-0.3, 0.3));
    }
    drawStroke(mapped, radius, ink, canvas);
  }

  // Clutter: short strokes anywhere, in any ink.
  for (let n = random.int(4); n > 0; n--) {
    const x = between(0, GLYPH_SIZE);
    const y = between(0, GLYPH_SIZE);
    drawStroke([x, y, x + between(-6, 6), y + between(-6, 6)], between(0.4, 1), between(0.25, 0.6), canvas);
  }

  // Occlusion: in half of the images a patch of background covers something.
  if (random.next() < 0.5) {
    const w = 3 + random.int(3);
    const h = 3 + random.int(3);
    const left = random.int(GLYPH_SIZE - w);
    const top = random.int(GLYPH_SIZE - h);
    for (let y = top; y < top + h; y++) for (let x = left; x < left + w; x++) canvas[y * GLYPH_SIZE + x] = level;
  }

  const noise = between(0.02, 0.1);
  for (let p = 0; p < canvas.length; p++) canvas[p]! += noise * random.normal();
}

/** Adds `ink` along a polyline with round pen of `radius` pixels and a soft edge of one pixel; overlaps do not add up. */
function drawStroke(points: Stroke, radius: number, ink: number, canvas: Float64Array): void {
  const cover = new Float64Array(canvas.length);
  const reach = radius + 1;
  const limit = GLYPH_SIZE - 1;
  for (let i = 0; i + 3 < points.length; i += 2) {
    const [x0, y0, x1, y1] = [points[i]!, points[i + 1]!, points[i + 2]!, points[i + 3]!];
    const ex = x1 - x0;
    const ey = y1 - y0;
    const length2 = ex * ex + ey * ey || 1;
    const top = Math.max(0, Math.floor(Math.min(y0, y1) - reach));
    const bottom = Math.min(limit, Math.ceil(Math.max(y0, y1) + reach));
    const left = Math.max(0, Math.floor(Math.min(x0, x1) - reach));
    const right = Math.min(limit, Math.ceil(Math.max(x0, x1) + reach));
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const along = Math.min(1, Math.max(0, ((x - x0) * ex + (y - y0) * ey) / length2));
        const ux = x - x0 - along * ex;
        const uy = y - y0 - along * ey;
        const a = Math.min(1, Math.max(0, radius + 0.5 - Math.sqrt(ux * ux + uy * uy)));
        const p = y * GLYPH_SIZE + x;
        if (a > cover[p]!) cover[p] = a;
      }
    }
  }
  for (let p = 0; p < canvas.length; p++) canvas[p]! += ink * cover[p]!;
}
