import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { kernelShape } from "../analyzer/latency.js";
import { graphCost } from "../analyzer/cost.js";
import { emit } from "../emit/index.js";
import { measurePackages, type Variant } from "../measure/measure.js";
import { GraphBuilder } from "../model/builder.js";
import { deviceProfile, type DeviceProfile, type KernelFamily } from "../model/device-profile.js";
import { Random } from "../model/random.js";
import { sizeOf, type Graph } from "../model/types.js";

/** Sizes at which each kernel family is timed: depth (products for one output) by width (output channels). */
const GRID: Record<KernelFamily, { k: readonly number[]; n: readonly number[] }> = {
  conv: { k: [27, 72, 144, 288, 576], n: [4, 8, 12, 16, 32, 64] },
  pointwise: { k: [8, 16, 32, 64, 128], n: [4, 8, 16, 32, 64] },
  depthwise: { k: [9, 25], n: [8, 16, 32, 64, 128] },
  dense: { k: [32, 128, 512], n: [8, 32, 128] },
};

/** Side of the images that layers are timed on: big enough that the kernel, not its call, is timed. */
const SIDE = 16;

/** One layer with random weights, as a graph of its own. */
export function layerGraph(family: KernelFamily, k: number, n: number): Graph {
  const b = new GraphBuilder(`${family}-${k}-${n}`);
  const random = new Random(k * 1000 + n);
  const constant = (name: string, shape: number[]): string =>
    b.constant(
      name,
      "f32",
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => 0.1 * random.normal()),
    );
  const image = (channels: number): string =>
    b.input("x", { dtype: "f32", shape: [1, SIDE, SIDE, channels], batchAxis: 0 });
  const conv = (size: number) => {
    const p = size >> 1;
    return { strides: [1, 1], dilations: [1, 1], pads: [p, p, p, p] };
  };
  const size = family === "conv" ? 3 : family === "depthwise" ? Math.sqrt(k) : 1;
  let y: string;
  if (family === "dense") {
    const x = b.input("x", { dtype: "f32", shape: [1, k], batchAxis: 0 });
    y = b.node("dense", [x, constant("w", [k, n]), constant("b", [n])])[0]!;
  } else if (family === "depthwise") {
    y = b.node("depthwise_conv2d", [image(n), constant("w", [size, size, n, 1]), constant("b", [n])], conv(size))[0]!;
  } else {
    const ci = k / (size * size);
    y = b.node("conv2d", [image(ci), constant("w", [size, size, ci, n]), constant("b", [n])], {
      ...conv(size),
      groups: 1,
    })[0]!;
  }
  b.output(y, "y");
  return b.build();
}

/** Additions of two big tensors: what moving and combining values costs. */
function additionGraph(count: number, channels: number): Graph {
  const b = new GraphBuilder(`add-${count}-${channels}`);
  const type = { dtype: "f32" as const, shape: [1, SIDE, SIDE, channels], batchAxis: 0 };
  const a = b.input("a", type);
  let y = b.input("b", type);
  for (let i = 0; i < count; i++) y = b.node("add", [a, y])[0]!;
  b.output(y, "y");
  return b.build();
}

export interface CalibrateOptions {
  readonly name: string;
  readonly variant?: Variant;
  /** Timed runs of each size; default 60. */
  readonly runs?: number;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/**
 * Times the kernel families over the grid on this machine, in a child Node, and returns the profile.
 * A layer's time includes copying its input and output; the part of a bare module (an addition of almost nothing) is
 * taken off, and the layer's throughput is what is left.
 */
export async function calibrateDevice(options: CalibrateOptions): Promise<DeviceProfile> {
  const { variant = "simd", runs = 60 } = options;
  const folder = await mkdtemp(path.join(os.tmpdir(), "idap-calibrate-"));
  const total = Object.values(GRID).reduce((s, g) => s + g.k.length * g.n.length, 0) + 4;
  let done = 0;
  let engine = "";
  const time = async (graph: Graph): Promise<number> => {
    options.onProgress?.(++done, total, graph.name);
    const out = path.join(folder, graph.name);
    // Winograd's method is predicted as a share of the direct kernels' times, so these are what is timed.
    await emit(graph, { out, variants: [variant], winograd: "off" });
    const [m] = await measurePackages([out], { runs, variant, warmupMs: 150 });
    engine = `Node ${m!.engine.version} (V8 ${m!.engine.v8}) on ${m!.engine.cpu}, ${m!.engine.arch}`;
    return m!.steady.min;
  };
  try {
    const bare = await time(additionGraph(1, 1));
    const short = await time(additionGraph(1, 64));
    const long = await time(additionGraph(9, 64));
    const perAddition = (long - short) / 8;
    const bytes = 3 * 4 * SIDE * SIDE * 64;
    // An addition of nothing but its call: what a time extrapolated to no bytes leaves.
    const small = await time(additionGraph(9, 1));
    const overheadMs = Math.max(0, (small - bare) / 8 - (perAddition * 1) / 64);
    const families = {} as Record<KernelFamily, DeviceProfile["families"][KernelFamily]>;
    for (const [family, { k, n }] of Object.entries(GRID) as [KernelFamily, (typeof GRID)[KernelFamily]][]) {
      const gmacs: number[][] = [];
      for (const depth of k) {
        const row: number[] = [];
        for (const width of n) {
          const graph = layerGraph(family, depth, width);
          const own = kernelShape(graph, graph.nodes[0]!);
          if (own.family !== family || own.k !== depth || own.n !== width)
            throw new Error("internal: the calibration layer is another one");
          const ms = Math.max(1e-6, (await time(graph)) - bare);
          row.push(Number((graphCost(graph).macs / ms / 1e6).toPrecision(4)));
        }
        gmacs.push(row);
      }
      families[family] = { k: [...k], n: [...n], gmacs };
    }
    const day = new Date().toISOString().slice(0, 10);
    return deviceProfile.parse({
      name: options.name,
      measuredOn: `${engine}, one thread, best of ${runs} samples, ${day}`,
      variant,
      overheadUs: Number((1000 * overheadMs).toPrecision(3)),
      bytesPerSecond: Number((bytes / (perAddition / 1000)).toPrecision(3)),
      families,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
