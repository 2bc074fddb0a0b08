import { z } from "zod";
import { IdapError } from "../../../model/errors.js";
import { sizeOf } from "../../../model/types.js";
import { permOf } from "../../shared/check.js";
import { defineLayer, layout, pairOf, refuseLayout, type LayerCall, type LayerReader } from "../layer.js";

/** Keras keeps axis 0, whatever it is; so the batch has to be there. */
function emitReshape(call: LayerCall, perSample: readonly number[]): string {
  const { shape, batchAxis } = call.type();
  if (batchAxis !== null && batchAxis !== 0) {
    throw new IdapError("E_BATCH", `${call.where} reshapes samples, but the batch is axis ${batchAxis}`);
  }
  return call.emit("reshape", [call.x], { shape: [batchAxis === 0 ? -1 : shape[0]!, ...perSample] });
}

export const Flatten = defineLayer({
  config: z.object({ data_format: layout.data_format }),
  refuse: refuseLayout,
  read: (call) => emitReshape(call, [sizeOf(call.type().shape.slice(1))]),
});

/** target_shape leaves out the batch and may have one -1 (null in some writers). */
export const Reshape = defineLayer({
  config: z.object({
    target_shape: z
      .array(
        z
          .int()
          .nullable()
          .transform((d) => d ?? -1),
      )
      .max(7),
  }),
  read(call, c) {
    const size = sizeOf(call.type().shape.slice(1));
    const known = c.target_shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
    const target = c.target_shape.map((d) => (d === -1 ? size / known : d));
    if (target.some((d) => !Number.isInteger(d) || d < 1) || sizeOf(target) !== size) {
      throw new IdapError("E_SHAPE", `${call.where} cannot reshape ${size} values to [${c.target_shape}]`);
    }
    return emitReshape(call, target);
  },
});

/** dims count from 1 and leave out the batch. */
export const Permute = defineLayer({
  config: z.object({ dims: z.array(z.int().positive()) }),
  read: (call, c) =>
    call.emit("transpose", [call.x], { perm: permOf([0, ...c.dims], call.type().shape.length, call.where) }),
});

const padPair = z.tuple([z.int().nonnegative(), z.int().nonnegative()]);

/** padding: one number, [vertical, horizontal], or [[top, bottom], [left, right]]. */
export const ZeroPadding2D = defineLayer({
  config: z.object({
    data_format: layout.data_format,
    padding: z
      .union([
        z
          .int()
          .nonnegative()
          .transform((n) => [
            [n, n],
            [n, n],
          ]),
        padPair.transform(([v, h]) => [
          [v, v],
          [h, h],
        ]),
        z.tuple([padPair, padPair]),
      ])
      .default([
        [1, 1],
        [1, 1],
      ]),
  }),
  refuse: (c) => refuseLayout({ data_format: c.data_format }),
  read(call, c) {
    call.image();
    const [[top, bottom], [left, right]] = c.padding as [[number, number], [number, number]];
    return call.emit("pad", [call.x], { before: [0, top, left, 0], after: [0, bottom, right, 0], value: 0 });
  },
});

function pool(op: string, extra: object): LayerReader {
  return defineLayer({
    config: z.object({ ...layout, pool_size: pairOf.default([2, 2]), strides: pairOf.nullish() }),
    refuse: refuseLayout,
    read(call, c) {
      const strides = c.strides ?? c.pool_size;
      const pads = call.pads(c.padding, c.pool_size, strides);
      return call.emit(op, [call.x], { kernel: c.pool_size, strides, pads, ...extra });
    },
  });
}

export const MaxPooling2D = pool("max_pool2d", {});
export const AveragePooling2D = pool("avg_pool2d", { countIncludePad: false });

function globalPool(op: string): LayerReader {
  return defineLayer({
    config: z.object({ data_format: layout.data_format, keepdims: z.boolean().nullish() }),
    refuse: refuseLayout,
    read(call, c) {
      call.image();
      return call.emit(op, [call.x], { axes: [1, 2], keepDims: c.keepdims ?? false });
    },
  });
}

export const GlobalAveragePooling2D = globalPool("reduce_mean");
export const GlobalMaxPooling2D = globalPool("reduce_max");
