import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { convGeometry } from "../../src/emit/conv-geometry.js";
import { planEmission } from "../../src/emit/index.js";
import { rowBytes, imageBytes } from "../../src/emit/layout.js";
import { interiorAddress } from "../../src/emit/source-conv.js";
import { ACTIVATION_CODE } from "../../src/emit/steps.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { compileGraph, randomInputs } from "../emit/support.js";
import { Net } from "../support/networks.js";

type Kernel = (...args: number[]) => number;
interface Generic {
  memory: WebAssembly.Memory;
  conv: Kernel;
  depthwise: Kernel;
  exps: Kernel;
  sigmoids: Kernel;
  softmax_rows: Kernel;
}

/** The kernels with sizes as arguments, as the host compiles them: strict SIMD. */
let kernels: Generic;
beforeAll(async () => {
  const { default: asc } = await import("assemblyscript/asc");
  const entry = `
    export { conv } from "./conv"; export { depthwise } from "./depthwise"; export { softmax_rows } from "./softmax";
    import { exp4, sigmoid4 } from "./simd";
    export function exps(x: usize, n: i32): void { for (let i = 0; i < n; i += 4, x += 16) v128.store(x, exp4(v128.load(x))); }
    export function sigmoids(x: usize, n: i32): void { for (let i = 0; i < n; i += 4, x += 16) v128.store(x, sigmoid4(v128.load(x))); }`;
  const folder = new URL("../../assembly/kernels/", import.meta.url);
  let binary = new Uint8Array();
  const { error } = await asc.main(
    [
      "entry.ts",
      "-o",
      "out.wasm",
      "-O2",
      "--runtime",
      "stub",
      "--noAssert",
      "--enable",
      "simd",
      "--initialMemory",
      "32",
    ],
    {
      readFile: (name: string) => {
        if (name === "entry.ts") return entry;
        return /^[a-z]+\.ts$/.test(name) ? readFileSync(new URL(name, folder), "utf8") : null;
      },
      writeFile: (_: string, data: string | Uint8Array) => {
        if (typeof data !== "string") binary = Uint8Array.from(data);
      },
      listFiles: () => [],
    },
  );
  expect(error).toBeNull();
  kernels = new WebAssembly.Instance(new WebAssembly.Module(binary)).exports as unknown as Generic;
});

/** One layer computed by the generic kernel in the memory that the emitter planned; its output buffer. */
function runGeneric(graph: Graph, inputs: Float32Array): Float32Array {
  const { laid, memory, weights } = planEmission(graph, "off");
  const i = laid.steps.findIndex((s) => s.kind === "conv" || s.kind === "depthwise");
  const step = laid.steps[i]!;
  if (step.kind !== "conv" && step.kind !== "depthwise") throw new Error("no layer to run");
  const x = laid.layouts.get(step.x)!,
    y = laid.layouts.get(step.y)!;
  new Uint8Array(kernels.memory.buffer).fill(0);
  new Uint8Array(kernels.memory.buffer, memory.weightsOffset).set(weights.file);
  const values = new Float32Array(kernels.memory.buffer);
  const at = (t: string): number => interiorAddress(laid, t, memory.addresses.get(t)!);
  for (let h = 0; h < x.h; h++) {
    for (let w = 0; w < x.w; w++) {
      const from = (h * x.w + w) * x.c;
      values.set(inputs.subarray(from, from + x.c), (at(step.x) + h * rowBytes(x) + w * x.cs * 4) / 4);
    }
  }
  const act = ACTIVATION_CODE[step.act];
  const w = memory.weightsOffset + weights.chunks.get(i)!.offset;
  if (step.kind === "conv") {
    const g = convGeometry(step, x, y);
    kernels.conv(
      at(step.x) + g.xStart,
      w,
      at(step.y),
      0,
      g.rows,
      g.cols,
      y.cs / 4,
      g.xRow,
      g.xCol,
      rowBytes(y),
      y.cs * 4,
      0,
      0,
      g.seg,
      g.nx,
      g.xStep,
      g.ny,
      g.yStep,
      act,
    );
  } else {
    const start = at(step.x) - step.pads[0] * rowBytes(x) - step.pads[1] * x.cs * 4;
    kernels.depthwise(
      start,
      w,
      at(step.y),
      y.h,
      y.w,
      y.cs / 4,
      step.strides[0] * rowBytes(x),
      step.strides[1] * x.cs * 4,
      rowBytes(y),
      y.cs * 4,
      step.kernel[0],
      step.kernel[1],
      step.dilations[0] * rowBytes(x),
      step.dilations[1] * x.cs * 4,
      act,
    );
  }
  const out = new Float32Array(y.h * y.w * y.c);
  for (let p = 0; p < y.h * y.w; p++) {
    const from = at(step.y) / 4 + p * y.cs;
    out.set(values.subarray(from, from + y.c), p * y.c);
  }
  expect(imageBytes(y)).toBe(y.h * y.w * y.cs * 4);
  return out;
}

describe("sizes as arguments (host) and as constants (device) give the same bits", () => {
  test.each([
    // h, w, ci, co, k, stride, dilation, depthwise
    [6, 7, 5, 20, 3, 1, 1, false],
    [5, 9, 4, 12, 3, 2, 1, false],
    [7, 7, 3, 29, 3, 1, 2, false],
    [4, 11, 13, 36, 1, 1, 1, false],
    [1, 1, 17, 10, 1, 1, 1, false],
    [9, 5, 6, 6, 3, 1, 1, true],
    [8, 9, 12, 12, 5, 2, 1, true],
    [6, 6, 3, 3, 3, 1, 2, true],
  ] as const)(
    "%i x %i x %i -> %i, window %i, stride %i, dilation %i, depthwise %s",
    async (h, w, ci, co, k, s, d, depthwise) => {
      const net = new Net(new Random(h * w + co));
      const x = net.input([h, w, ci]);
      const p = (k >> 1) * d;
      const window = { strides: [s, s], dilations: [d, d], pads: [p, p, p, p] };
      const y = depthwise
        ? net.op("depthwise_conv2d", [x, net.weight([k, k, ci, 1]), net.weight([ci])], window)
        : net.op("conv2d", [x, net.weight([k, k, ci, co]), net.weight([co])], { ...window, groups: 1 });
      net.builder.output(net.op("relu6", [y]), "y");
      const graph = net.builder.build();
      const [device] = await compileGraph(graph, ["simd"], true, "off");
      const inputs = randomInputs(graph, 5);
      const emitted = device!.run(inputs)["y"]!.data as Float32Array;
      expect(runGeneric(graph, inputs["x"]!.data as Float32Array)).toEqual(emitted);
    },
  );
});

describe("exponentials", () => {
  /** f32 inputs over the whole range, dense around 0. */
  const points = Float32Array.from({ length: 8000 }, (_, i) => (i < 4000 ? (i - 2000) / 4000 : (i - 6000) * 0.0436));

  const inWasm = (f: Kernel, x: Float32Array): Float32Array => {
    const at = 65536;
    new Float32Array(kernels.memory.buffer, at, x.length).set(x);
    f(at, x.length);
    return new Float32Array(kernels.memory.buffer, at, x.length).slice();
  };

  test("e^x is within 4 * 2^-24, relative", () => {
    const y = inWasm(kernels.exps, points);
    points.forEach((x, i) => {
      const exact = Math.exp(Math.min(Math.max(x, Math.fround(-87.3)), Math.fround(88.3)));
      expect(Math.abs(y[i]! - exact)).toBeLessThanOrEqual(4 * 2 ** -24 * exact);
    });
  });

  test("the logistic function is within 8 * 2^-24, relative, and does not overflow", () => {
    const y = inWasm(kernels.sigmoids, points);
    points.forEach((x, i) => {
      if (x > -87) expect(Math.abs(y[i]! * (1 + Math.exp(-x)) - 1)).toBeLessThanOrEqual(8 * 2 ** -24);
    });
    expect([...inWasm(kernels.sigmoids, Float32Array.of(-Infinity, -200, 200, Infinity))]).toEqual([
      expect.closeTo(0, 30),
      expect.closeTo(0, 30),
      1,
      1,
    ]);
  });

  test("softmax sums to 1, in place, for every length, and survives huge logits", () => {
    const random = new Random(1);
    for (let n = 1; n <= 21; n++) {
      const x = Float32Array.from({ length: n }, () => 30 * random.normal());
      x[0] = 3e38;
      const at = 65536;
      new Float32Array(kernels.memory.buffer, at, n).set(x);
      kernels.softmax_rows(at, at, 1, n, 4 * n, 4 * n);
      const y = new Float32Array(kernels.memory.buffer, at, n);
      expect(y.reduce((s, v) => s + v, 0)).toBeCloseTo(1, 6);
      expect(y[0]).toBeCloseTo(1, 6);
    }
  });
});
