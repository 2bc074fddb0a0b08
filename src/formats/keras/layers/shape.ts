import { z } from "zod";
import { IdapError } from "../../../model/errors.js";
import { sizeOf } from "../../../model/types.js";
import { permOf } from "../../shared/check.js";
import { einsum } from "../../shared/decompose/einsum.js";
import { insertAxis, transposed } from "../../shared/decompose/emit.js";
import { activation } from "../activations.js";
import { defineLayer, layout, pairOf, singleOf, type LayerCall } from "../layer.js";
import { floatsOfWeight } from "../weights.js";

/** Keras keeps axis 0, whatever it is; so the batch has to be there. */
function reshapeSamples(call: LayerCall, x: string, perSample: readonly number[]): string {
  const { shape, batchAxis } = call.typeOf(x);
  if (batchAxis !== null && batchAxis !== 0) {
    throw new IdapError("E_BATCH", `${call.where} reshapes samples, but the batch is axis ${batchAxis}`);
  }
  return call.result("reshape", [x], { shape: [batchAxis === 0 ? -1 : shape[0]!, ...perSample] });
}

/** Images with channels first are flattened as if they had them last. */
export const Flatten = defineLayer({
  config: z.object({ data_format: layout.data_format }),
  read(call, c) {
    const rank = call.rank();
    const last = [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
    const x = c.data_format === "channels_first" && rank > 2 ? transposed(call, call.x, last) : call.x;
    return reshapeSamples(call, x, [sizeOf(call.typeOf(x).shape.slice(1))]);
  },
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
    const size = sizeOf(call.typeOf(call.x).shape.slice(1));
    const known = c.target_shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
    const target = c.target_shape.map((d) => (d === -1 ? size / known : d));
    if (target.some((d) => !Number.isInteger(d) || d < 1) || sizeOf(target) !== size) {
      throw new IdapError("E_SHAPE", `${call.where} cannot reshape ${size} values to [${c.target_shape}]`);
    }
    return reshapeSamples(call, call.x, target);
  },
});

/** dims count from 1 and leave out the batch. */
export const Permute = defineLayer({
  config: z.object({ dims: z.array(z.int().positive()) }),
  read: (call, c) => call.result("transpose", [call.x], { perm: permOf([0, ...c.dims], call.rank(), call.where) }),
});

/** [b, f] -> [b, n, f]. */
export const RepeatVector = defineLayer({
  config: z.object({ n: z.int().positive() }),
  read(call, c) {
    call.needRank(2);
    return call.result("tile", [insertAxis(call, call.x, 1)], { repeats: [1, c.n, 1] });
  },
});

const whole = z.int().nonnegative();
const ends = z.tuple([whole, whole]);
type Ends = [number, number];

/** One number, [vertical, horizontal], or [[top, bottom], [left, right]]. */
const planarWidths = z.union([
  whole.transform((n): [Ends, Ends] => [
    [n, n],
    [n, n],
  ]),
  ends.transform(([v, h]): [Ends, Ends] => [
    [v, v],
    [h, h],
  ]),
  z.tuple([ends, ends]),
]);

/** One number, or [before, after]. */
const linearWidths = z.union([
  whole.transform((n): Ends => [n, n]),
  z.tuple([whole]).transform(([n]): Ends => [n, n]),
  ends,
]);

function padded(call: LayerCall, widths: readonly Ends[], channelsFirst: boolean): string {
  call.needRank(widths.length + 2);
  const all: Ends[] = channelsFirst ? [[0, 0], [0, 0], ...widths] : [[0, 0], ...widths, [0, 0]];
  return call.result("pad", [call.x], { before: all.map((w) => w[0]), after: all.map((w) => w[1]), value: 0 });
}

function cropped(call: LayerCall, widths: readonly Ends[], channelsFirst: boolean): string {
  call.needRank(widths.length + 2);
  const { shape } = call.typeOf(call.x);
  const all: Ends[] = channelsFirst ? [[0, 0], [0, 0], ...widths] : [[0, 0], ...widths, [0, 0]];
  return call.result("slice", [call.x], {
    begin: all.map((w) => w[0]),
    size: all.map((w, axis) => (w[0] + w[1] === 0 ? -1 : shape[axis]! - w[0] - w[1])),
  });
}

const isFirst = (c: { data_format?: string | null | undefined }): boolean => c.data_format === "channels_first";

export const ZeroPadding2D = defineLayer({
  config: z.object({
    data_format: layout.data_format,
    padding: planarWidths.default([
      [1, 1],
      [1, 1],
    ]),
  }),
  read: (call, c) => padded(call, c.padding, isFirst(c)),
});

export const ZeroPadding1D = defineLayer({
  config: z.object({ data_format: layout.data_format, padding: linearWidths.default([1, 1]) }),
  read: (call, c) => padded(call, [c.padding], isFirst(c)),
});

export const Cropping2D = defineLayer({
  config: z.object({
    data_format: layout.data_format,
    cropping: planarWidths.default([
      [0, 0],
      [0, 0],
    ]),
  }),
  read: (call, c) => cropped(call, c.cropping, isFirst(c)),
});

export const Cropping1D = defineLayer({
  config: z.object({ data_format: layout.data_format, cropping: linearWidths.default([1, 1]) }),
  read: (call, c) => cropped(call, [c.cropping], isFirst(c)),
});

/**
 * Whole multiples of the size. Nearest repeats each pixel; bilinear has half-pixel centres in Keras, none in TF.js.
 */
export const UpSampling2D = defineLayer({
  config: z.object({
    data_format: layout.data_format,
    size: pairOf.default([2, 2]),
    interpolation: z.string().default("nearest"),
  }),
  refuse: (c) => (["nearest", "bilinear"].includes(c.interpolation) ? null : `interpolation ${c.interpolation}`),
  read(call, c) {
    return call.asImage(2, c.data_format, (x) => {
      const [, h, w] = call.image(x);
      const nearest = c.interpolation === "nearest";
      const attrs = {
        sizes: [h * c.size[0], w * c.size[1]],
        mode: nearest ? "nearest" : "linear",
        coordinates: nearest || call.dialect === "tfjs" ? "asymmetric" : "half_pixel",
        ...(nearest && { rounding: "floor" }),
      };
      return isFirst(c) ? call.emit("resize", [x], attrs) : call.result("resize", [x], attrs);
    });
  },
});

/** Repeats each moment of a sequence. */
export const UpSampling1D = defineLayer({
  config: z.object({ size: singleOf.default(2) }),
  read(call, c) {
    call.needRank(3);
    const { shape, batchAxis } = call.typeOf(call.x);
    const [n, t, f] = shape as [number, number, number];
    const tiled = call.emit("tile", [insertAxis(call, call.x, 2)], { repeats: [1, 1, c.size, 1] });
    return call.result("reshape", [tiled], { shape: [batchAxis === 0 ? -1 : n, t * c.size, f] });
  },
});

/** Rows of a table by whole numbers. */
export const Embedding = defineLayer({
  config: z.object({ mask_zero: z.boolean().default(false) }),
  refuse: (c) => (c.mask_zero ? "mask_zero" : null),
  variables: () => ({ "": ["embeddings"] }),
  read(call) {
    const { tensor } = call.weight("embeddings", 2);
    const indices = call.typeOf(call.x).dtype === "i32" ? call.x : call.emit("cast", [call.x], { to: "i32" });
    return call.result("gather", [tensor, indices], { axis: 0 });
  },
});

/** A dense layer over the axes that an equation names. */
export const EinsumDense = defineLayer({
  config: z.object({ equation: z.string().max(64), bias_axes: z.string().nullish(), activation }),
  refuse: (c) => (c.equation.includes("->") ? null : `the equation ${c.equation}`),
  variables: (c) => ({ "": ["kernel", ...(c.bias_axes ? ["bias"] : [])] }),
  read(call, c) {
    const rank =
      c.equation
        .split("->")[0]!
        .split(",")[1]
        ?.replaceAll(/[^A-Za-z]/g, "").length ?? 0;
    const y = einsum(call, c.equation, [call.floats, call.weight("kernel", rank).tensor]);
    if (!c.bias_axes) return call.activate(c.activation, y);
    const b = call.weightAs("bias", "as it is", (w) => ({ shape: w.shape, data: floatsOfWeight(w) }));
    return call.result("add", [y, b], {}, c.activation);
  },
});
