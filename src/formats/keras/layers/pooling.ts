import { z } from "zod";
import { defineLayer, layout, pairOf, refusePadding, singleOf, type LayerReader } from "../layer.js";

interface Window {
  readonly padding: string;
  readonly data_format?: string | null | undefined;
  readonly pool_size: [number, number];
  readonly strides: [number, number];
}

type Call = Parameters<LayerReader["read"]>[0];

function pool(call: Call, axes: 1 | 2, op: string, c: Window, extra: object): string {
  return call.asImage(axes, c.data_format, (x) => {
    const pads = call.pads(x, c.padding, c.pool_size, c.strides);
    const attrs = { kernel: c.pool_size, strides: c.strides, pads, ...extra };
    return axes === 2 && c.data_format !== "channels_first" ? call.result(op, [x], attrs) : call.emit(op, [x], attrs);
  });
}

function planar(op: string, extra: object): LayerReader {
  return defineLayer({
    config: z.object({ ...layout, pool_size: pairOf.default([2, 2]), strides: pairOf.nullish() }),
    refuse: refusePadding,
    read: (call, c) => pool(call, 2, op, { ...c, strides: c.strides ?? c.pool_size }, extra),
  });
}

function linear(op: string, extra: object): LayerReader {
  return defineLayer({
    config: z.object({ ...layout, pool_size: singleOf.default(2), strides: singleOf.nullish() }),
    refuse: refusePadding,
    read(call, c) {
      const window = { pool_size: [1, c.pool_size], strides: [1, c.strides ?? c.pool_size] };
      return pool(call, 1, op, { ...c, ...window } as Window, extra);
    },
  });
}

export const MaxPooling2D = planar("max_pool2d", {});
export const AveragePooling2D = planar("avg_pool2d", { countIncludePad: false });
export const MaxPooling1D = linear("max_pool2d", {});
export const AveragePooling1D = linear("avg_pool2d", { countIncludePad: false });

function global(op: string, axes: number): LayerReader {
  return defineLayer({
    config: z.object({ data_format: layout.data_format, keepdims: z.boolean().nullish() }),
    read(call, c) {
      call.needRank(axes + 2);
      const first = c.data_format === "channels_first" ? 2 : 1;
      const over = Array.from({ length: axes }, (_, i) => first + i);
      return call.result(op, [call.floats], { axes: over, keepDims: c.keepdims ?? false });
    },
  });
}

export const GlobalAveragePooling2D = global("reduce_mean", 2);
export const GlobalMaxPooling2D = global("reduce_max", 2);
export const GlobalAveragePooling1D = global("reduce_mean", 1);
export const GlobalMaxPooling1D = global("reduce_max", 1);
