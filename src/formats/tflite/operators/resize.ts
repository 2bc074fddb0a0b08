import { IdapError } from "../../../model/errors.js";
import { refuseComputed, type Converter, type TfliteOp } from "../context.js";
import { F } from "../schema.js";

/** x, sizes [h, w]. Where the corners are aligned, an extent of 1 is taken from the first pixel. */
function resize(
  fields: { alignCorners: number; halfPixel: number },
  rule: (aligned: boolean, half: boolean) => object,
): Converter {
  return {
    refuse: (op) => refuseComputed(op, { 1: "a size" }),
    convert(op) {
      const x = op.input(0);
      const { shape } = op.type(x);
      const sizes = sizesOf(op);
      if (shape.length !== 4) throw new IdapError("E_RANK", `${op.where} needs an operand of rank 4, got [${shape}]`);
      const aligned = op.option((o) => o.bool(fields.alignCorners), false);
      const half = op.option((o) => o.bool(fields.halfPixel), false);
      op.result("resize", [x], { sizes, ...rule(aligned, half) });
    },
  };
}

function sizesOf(op: TfliteOp): number[] {
  const sizes = op.ints(1);
  if (sizes.length !== 2 || sizes.some((s) => s < 1 || s > 1 << 20)) {
    throw new IdapError("E_FORMAT", `${op.where}: [${sizes}] is no size of an image`);
  }
  return sizes;
}

export const resizing: Readonly<Record<string, Converter>> = {
  RESIZE_BILINEAR: resize(F.ResizeBilinear, (aligned, half) => ({
    mode: "linear",
    coordinates: half ? "half_pixel" : aligned ? "align_corners" : "asymmetric",
  })),
  RESIZE_NEAREST_NEIGHBOR: resize(F.ResizeNearest, (aligned, half) => ({
    mode: "nearest",
    coordinates: half ? "tf_half_pixel_for_nn" : aligned ? "align_corners" : "asymmetric",
    rounding: aligned ? "round_prefer_ceil" : "floor",
  })),
};
