import { IdapError } from "../../../model/errors.js";
import { sizeOf } from "../../../model/types.js";
import { reshapeTo, transposed, type Emitter } from "./emit.js";

/**
 * How the channels of a block are counted: `dcr` block position first (TF, TFLite, ONNX by default), so that channel
 * (by * block + bx) * c + k is channel k of pixel (by, bx); `crd` channel first (PyTorch's pixel shuffle).
 */
export type BlockOrder = "dcr" | "crd";

type Extents = readonly [number, number, number, number];

/** [n, h, w, block * block * c] -> [n, h * block, w * block, c]. ONNX and TF `DepthToSpace`. */
export function depthToSpace(e: Emitter, x: string, block: number, order: BlockOrder = "dcr"): string {
  const [n, h, w, depth] = image(e, x);
  const c = depth / block ** 2;
  if (!Number.isInteger(c)) {
    throw new IdapError("E_SHAPE", `depth_to_space: ${depth} channels are no multiple of ${block} * ${block}`);
  }
  const crd = order === "crd";
  const blocks = reshapeTo(e, x, crd ? [n, h, w, c, block, block] : [n, h, w, block, block, c], 0);
  const spread = transposed(e, blocks, crd ? [0, 1, 4, 2, 5, 3] : [0, 1, 3, 2, 4, 5]);
  return reshapeTo(e, spread, [n, h * block, w * block, c], 0);
}

/** [n, h * block, w * block, c] -> [n, h, w, block * block * c]. ONNX and TF `SpaceToDepth`. */
export function spaceToDepth(e: Emitter, x: string, block: number, order: BlockOrder = "dcr"): string {
  const [n, height, width, c] = image(e, x);
  const [h, w] = [height / block, width / block];
  if (!Number.isInteger(h) || !Number.isInteger(w)) {
    throw new IdapError("E_SHAPE", `space_to_depth: [${height}, ${width}] is no multiple of the block ${block}`);
  }
  const blocks = reshapeTo(e, x, [n, h, block, w, block, c], 0);
  const gathered = transposed(e, blocks, order === "crd" ? [0, 1, 3, 5, 2, 4] : [0, 1, 3, 2, 4, 5]);
  return reshapeTo(e, gathered, [n, h, w, block ** 2 * c], 0);
}

function image(e: Emitter, x: string): Extents {
  const { shape } = e.typeOf(x);
  if (shape.length !== 4) throw new IdapError("E_RANK", `blocks of pixels need rank 4, got [${shape}]`);
  return shape as unknown as Extents;
}

/**
 * Pads the axes from 1 on and moves their blocks in front: [n, s..., rest] -> [product of blocks * n, s / block, rest].
 * TFLite `SPACE_TO_BATCH_ND`. Of a marked batch every sample brings its own blocks along (sample-major); at one sample
 * that is the order of the format, and whoever undoes it undoes either.
 */
export function spaceToBatch(
  e: Emitter,
  x: string,
  blocks: readonly number[],
  paddings: readonly (readonly [number, number])[],
): string {
  const at = (axis: number): readonly [number, number] => paddings[axis - 1] ?? [0, 0];
  const { shape: whole, batchAxis } = e.typeOf(x);
  const padded = paddings.every((p) => p[0] === 0 && p[1] === 0)
    ? x
    : e.emit("pad", [x], {
        before: whole.map((_, axis) => at(axis)[0]),
        after: whole.map((_, axis) => at(axis)[1]),
        value: 0,
      });
  const [n, ...extents] = e.typeOf(padded).shape as [number, ...number[]];
  const m = blocks.length;
  const parts = blocks.map((block, i) => extents[i]! / block);
  if (parts.some((d) => !Number.isInteger(d))) {
    throw new IdapError("E_SHAPE", `space_to_batch: [${extents.slice(0, m)}] is no multiple of blocks [${blocks}]`);
  }
  const rest = extents.slice(m);
  const { samples, inner } = samplesOf(n, batchAxis);
  const apart = [samples, inner, ...blocks.flatMap((block, i) => [parts[i]!, block]), ...rest];
  const grid = blocks.map((_, i) => 2 + 2 * i);
  const perm = [0, ...grid.map((axis) => axis + 1), 1, ...grid, ...rest.map((_, i) => 2 + 2 * m + i)];
  const moved = transposed(e, reshapeTo(e, padded, apart, 0), perm);
  return reshapeTo(e, moved, [n * sizeOf(blocks), ...parts, ...rest], 0);
}

/** Undoes `spaceToBatch` and crops: [product of blocks * n, s..., rest] -> [n, s * block - crops, rest]. */
export function batchToSpace(
  e: Emitter,
  x: string,
  blocks: readonly number[],
  crops: readonly (readonly [number, number])[],
): string {
  const { shape, batchAxis } = e.typeOf(x);
  const [total, ...extents] = shape as [number, ...number[]];
  const n = total / sizeOf(blocks);
  if (!Number.isInteger(n)) {
    throw new IdapError("E_SHAPE", `batch_to_space: ${total} samples are no multiple of blocks [${blocks}]`);
  }
  const m = blocks.length;
  const rest = extents.slice(m);
  const { samples, inner } = samplesOf(n, batchAxis);
  const apart = [samples, ...blocks, inner, ...extents];
  const perm = [0, m + 1, ...blocks.flatMap((_, i) => [m + 2 + i, 1 + i]), ...rest.map((_, i) => 2 * m + 2 + i)];
  const moved = transposed(e, reshapeTo(e, x, apart, 0), perm);
  const grown = blocks.map((block, i) => block * extents[i]!);
  const whole = reshapeTo(e, moved, [n, ...grown, ...rest], 0);
  if (crops.every((c) => c[0] === 0 && c[1] === 0)) return whole;
  const at = (axis: number): readonly [number, number] => crops[axis - 1] ?? [0, 0];
  return e.emit("slice", [whole], {
    begin: [n, ...grown, ...rest].map((_, axis) => at(axis)[0]),
    size: [n, ...grown, ...rest].map((d, axis) =>
      at(axis)[0] + at(axis)[1] === 0 ? -1 : d - at(axis)[0] - at(axis)[1],
    ),
  });
}

/** Axis 0 as (marked batch, what belongs to one sample); without a mark all of it is inner. */
function samplesOf(n: number, batchAxis: number | null): { samples: number; inner: number } {
  if (batchAxis !== null && batchAxis !== 0) {
    throw new IdapError("E_BATCH", `blocks in the batch need the batch on axis 0, got it on ${batchAxis}`);
  }
  return { samples: 1, inner: n };
}
