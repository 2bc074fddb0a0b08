/** The networks that a calibration times: each kernel family over a grid of shapes, and small networks that mix them. */
import { GraphBuilder } from "../model/builder.js";
import { Random } from "../model/random.js";
import { sizeOf, type Graph } from "../model/types.js";

export interface CalibrationNetwork {
  readonly graph: Graph;
  /** Whether 3x3 convolutions take Winograd's method where it pays. */
  readonly winograd: "auto" | "off";
}

/** Layers with random weights. */
class Layers {
  readonly b: GraphBuilder;
  private readonly random = new Random(7);
  private count = 0;

  constructor(name: string) {
    this.b = new GraphBuilder(name);
  }

  input(...shape: number[]): string {
    return this.b.input("x", { dtype: "f32", shape: [1, ...shape], batchAxis: 0 });
  }

  depth(x: string): number {
    return this.b.typeOf(x).shape.at(-1)!;
  }

  constant(...shape: number[]): string {
    const fan = Math.max(1, sizeOf(shape) / shape.at(-1));
    const data = Float32Array.from({ length: sizeOf(shape) }, () => this.random.normal() / Math.sqrt(fan));
    return this.b.constant(`c${this.count++}`, "f32", shape, data);
  }

  op(op: string, inputs: readonly string[], attrs: Record<string, unknown> = {}): string {
    return this.b.node(op, inputs, attrs)[0]!;
  }

  relu(x: string): string {
    return this.op("relu", [x]);
  }

  window(k: number, stride: number) {
    const p = k >> 1;
    return { strides: [stride, stride], dilations: [1, 1], pads: [p, p, p, p] };
  }

  conv(x: string, n: number, k = 3, stride = 1): string {
    const inputs = [x, this.constant(k, k, this.depth(x), n), this.constant(n)];
    return this.op("conv2d", inputs, { ...this.window(k, stride), groups: 1 });
  }

  depthwise(x: string, k = 3, stride = 1): string {
    const c = this.depth(x);
    return this.op("depthwise_conv2d", [x, this.constant(k, k, c, 1), this.constant(c)], this.window(k, stride));
  }

  dense(x: string, n: number): string {
    return this.op("dense", [x, this.constant(this.depth(x), n), this.constant(n)]);
  }

  pool(x: string, k = 2, stride = 2, op = "max_pool2d"): string {
    const attrs = { kernel: [k, k], strides: [stride, stride], pads: [0, 0, 0, 0] };
    return this.op(
      op,
      [x],
      op === "max_pool2d" ? { ...attrs, dilations: [1, 1] } : { ...attrs, countIncludePad: false },
    );
  }

  mean(x: string): string {
    return this.op("reduce_mean", [x], { axes: [1, 2], keepDims: false });
  }

  flat(x: string): string {
    return this.op("reshape", [x], { shape: [-1, sizeOf(this.b.typeOf(x).shape)] });
  }

  build(y: string): Graph {
    this.b.output(y, "y");
    return this.b.build();
  }
}

const network = (name: string, make: (l: Layers) => string, winograd: "auto" | "off" = "off"): CalibrationNetwork => {
  const l = new Layers(name);
  return { graph: l.build(make(l)), winograd };
};

/** What everything is timed beside: three plain convolutions, about 0.1 ms on a desktop. */
export function referenceNetwork(): CalibrationNetwork {
  return network("reference", (l) => l.conv(l.conv(l.conv(l.input(16, 16, 16), 16), 16), 16));
}

/** [side, input channels, output channels, window, stride] */
const CONVOLUTIONS: readonly [number, number, number, number, number][] = [
  [16, 8, 8, 3, 1],
  [16, 16, 16, 3, 1],
  [16, 8, 4, 3, 1],
  [16, 12, 12, 3, 1],
  [16, 16, 20, 3, 1],
  [32, 3, 16, 3, 1],
  [32, 1, 8, 5, 1],
  [32, 3, 32, 3, 2],
  [32, 8, 16, 3, 2],
  [16, 16, 32, 3, 2],
  [14, 16, 16, 5, 1],
  [9, 16, 36, 3, 1],
  [10, 12, 48, 3, 1],
  [8, 32, 32, 3, 1],
  [8, 64, 64, 3, 1],
  [7, 24, 24, 3, 1],
  [6, 32, 28, 3, 1],
  [5, 40, 40, 3, 1],
  [4, 64, 64, 3, 1],
  [3, 64, 64, 3, 1],
  [2, 64, 48, 3, 1],
  [2, 96, 96, 3, 1],
  [18, 8, 8, 7, 2],
];

/** [side, input channels, output channels] */
const POINTWISE: readonly [number, number, number][] = [
  [16, 8, 16],
  [16, 32, 32],
  [16, 64, 64],
  [16, 16, 64],
  [16, 64, 24],
  [16, 48, 12],
  [16, 24, 4],
  [8, 128, 128],
  [7, 96, 160],
  [4, 256, 256],
  [4, 320, 320],
  [3, 64, 96],
];

/** [side, channels, window, stride] */
const DEPTHWISE: readonly [number, number, number, number][] = [
  [16, 8, 3, 1],
  [16, 32, 3, 1],
  [16, 96, 3, 1],
  [8, 128, 3, 1],
  [14, 96, 3, 2],
  [32, 16, 3, 2],
  [7, 240, 3, 1],
  [16, 32, 5, 1],
  [3, 64, 3, 1],
  [5, 64, 3, 1],
];

/** [inputs, outputs] */
const DENSE: readonly [number, number][] = [
  [64, 10],
  [32, 32],
  [64, 256],
  [128, 128],
  [256, 20],
  [512, 64],
  [512, 128],
  [640, 256],
  [784, 512],
  // Not powers of two: their panels lie where each drives the others out of the first cache.
  [1000, 1000],
  [1900, 1000],
];

/** [side of the output, input channels, output channels, stride] by Winograd's method where it pays. */
const WINOGRAD: readonly [number, number, number, number][] = [
  [16, 8, 8, 1],
  [16, 16, 16, 1],
  [32, 16, 16, 1],
  [32, 4, 8, 1],
  [24, 24, 24, 1],
  [14, 32, 32, 1],
  [8, 64, 64, 1],
  [7, 48, 96, 1],
  [8, 128, 128, 1],
  [16, 16, 32, 2],
  [8, 32, 64, 2],
];

function others(): CalibrationNetwork[] {
  return [
    network("relu 32x32x8", (l) => l.relu(l.input(32, 32, 8))),
    network("add 16x16x32", (l) => {
      const x = l.input(16, 16, 32);
      return l.op("add", [l.op("add", [l.relu(x), x]), x]);
    }),
    network("max pool 32x32x16", (l) => l.pool(l.input(32, 32, 16))),
    network("max pool 15x15x32 3", (l) => l.pool(l.input(15, 15, 32), 3)),
    network("average pool 32x32x16", (l) => l.pool(l.input(32, 32, 16), 2, 2, "avg_pool2d")),
    network("mean 8x8x64", (l) => l.mean(l.input(8, 8, 64))),
    network("mean 16x16x128", (l) => l.mean(l.input(16, 16, 128))),
    network("softmax 10", (l) => l.op("softmax", [l.input(10)], { axis: 1 })),
    network("softmax 1000", (l) => l.op("softmax", [l.input(1000)], { axis: 1 })),
    network("sigmoid 16x16x8", (l) => l.op("sigmoid", [l.input(16, 16, 8)])),
    network("transpose 16x16x16", (l) => l.op("transpose", [l.input(16, 16, 16)], { perm: [0, 3, 1, 2] })),
    network("copies 16x16x20", (l) => {
      const x = l.input(16, 16, 20);
      return l.op("concat", [x, x], { axis: 3 });
    }),
    network("nothing", (l) => l.relu(l.input(4))),
  ];
}

function mixed(): CalibrationNetwork[] {
  const residual = (l: Layers, x: string, n: number): string =>
    l.relu(l.op("add", [l.conv(l.relu(l.conv(x, n)), n), x]));
  const separable = (l: Layers, x: string, n: number, stride = 1): string =>
    l.relu(l.conv(l.relu(l.depthwise(x, 3, stride)), n, 1));
  const inverted = (l: Layers, x: string, n: number, stride = 1): string => {
    const inner = l.relu(l.conv(x, 4 * l.depth(x), 1));
    const y = l.conv(l.relu(l.depthwise(inner, 3, stride)), n, 1);
    return stride === 1 && n === l.depth(x) ? l.op("add", [y, x]) : y;
  };
  const softmax = (l: Layers, x: string): string => l.op("softmax", [x], { axis: 1 });
  const all: [string, (l: Layers) => string][] = [
    [
      "network: residual",
      (l) => {
        let x = l.relu(l.conv(l.input(24, 24, 3), 12));
        x = residual(l, residual(l, x, 12), 12);
        x = l.relu(l.conv(x, 28, 3, 2));
        x = residual(l, x, 28);
        return softmax(l, l.dense(l.mean(residual(l, l.relu(l.conv(x, 40, 3, 2)), 40)), 8));
      },
    ],
    [
      "network: separable",
      (l) => {
        let x = l.relu(l.conv(l.input(40, 40, 1), 24, 3, 2));
        for (const n of [24, 36, 36]) x = separable(l, x, n);
        for (const n of [56, 56]) x = separable(l, x, n, n === 56 && l.depth(x) === 36 ? 2 : 1);
        return softmax(l, l.dense(l.mean(x), 12));
      },
    ],
    [
      "network: inverted",
      (l) => {
        let x = l.relu(l.conv(l.input(48, 48, 3), 8, 3, 2));
        for (const [n, s] of [
          [12, 2],
          [12, 1],
          [20, 2],
          [20, 1],
          [32, 2],
          [32, 1],
        ] as const)
          x = inverted(l, x, n, s);
        return l.dense(l.mean(l.relu(l.conv(x, 128, 1))), 20);
      },
    ],
    [
      "network: pooled",
      (l) => {
        let x = l.pool(l.relu(l.conv(l.input(28, 28, 1), 12, 5)));
        x = l.pool(l.relu(l.conv(x, 20)));
        return softmax(l, l.dense(l.relu(l.dense(l.flat(x), 72)), 10));
      },
    ],
    [
      "network: dense",
      (l) => {
        let x = l.input(400);
        for (const n of [160, 160, 16, 160, 160]) x = l.relu(l.dense(x, n));
        return l.dense(x, 400);
      },
    ],
    [
      "network: dense, large",
      (l) => {
        let x = l.input(900);
        for (const n of [700, 700, 400]) x = l.relu(l.dense(x, n));
        return l.dense(x, 30);
      },
    ],
    [
      "network: dense, small",
      (l) => {
        let x = l.input(20);
        for (const n of [24, 24, 24]) x = l.relu(l.dense(x, n));
        return softmax(l, l.dense(x, 4));
      },
    ],
    [
      "network: deep",
      (l) => {
        let x = l.relu(l.conv(l.input(12, 12, 4), 16));
        for (let i = 0; i < 4; i++) x = residual(l, x, 16);
        x = l.relu(l.conv(x, 96, 3, 2));
        for (let i = 0; i < 2; i++) x = l.relu(l.conv(x, 96));
        return l.dense(l.mean(x), 10);
      },
    ],
    [
      "network: tiny",
      (l) => {
        let x = l.relu(l.conv(l.input(8, 8, 2), 8));
        x = l.pool(l.relu(l.conv(x, 8)));
        return softmax(l, l.dense(l.flat(l.relu(l.conv(x, 12))), 3));
      },
    ],
    [
      "network: wide",
      (l) => {
        let x = l.relu(l.conv(l.input(20, 20, 3), 24));
        for (const n of [40, 40]) x = l.relu(l.conv(x, n));
        x = l.relu(l.conv(x, 56, 3, 2));
        for (const n of [56, 72]) x = l.relu(l.conv(x, n));
        return l.dense(l.mean(x), 10);
      },
    ],
    [
      "network: wide, large",
      (l) => {
        let x = l.relu(l.conv(l.input(10, 10, 8), 96));
        for (const n of [96, 128, 128, 128]) x = l.relu(l.conv(x, n));
        return l.dense(l.mean(x), 10);
      },
    ],
    [
      "network: narrow",
      (l) => {
        let x = l.relu(l.conv(l.input(28, 28, 1), 16));
        for (const n of [16, 16, 20, 20]) x = l.relu(l.conv(x, n));
        return l.dense(l.mean(x), 10);
      },
    ],
    [
      "network: dense, middle",
      (l) => {
        let x = l.input(320);
        for (const n of [300, 280, 240]) x = l.relu(l.dense(x, n));
        return l.dense(x, 200);
      },
    ],
    [
      "network: separable, wide",
      (l) => {
        let x = l.relu(l.conv(l.input(28, 28, 4), 72, 3, 2));
        for (const n of [96, 96]) x = separable(l, x, n);
        for (const n of [184, 192, 192]) x = separable(l, x, n, n === 184 ? 2 : 1);
        return l.dense(l.mean(x), 10);
      },
    ],
    [
      "network: pointwise",
      (l) => {
        let x = l.relu(l.conv(l.input(14, 14, 12), 40, 1));
        for (const n of [160, 40, 160, 40]) x = l.relu(l.conv(x, n, 1));
        x = l.pool(x);
        for (const n of [480, 144, 480, 144]) x = l.relu(l.conv(x, n, 1));
        return l.dense(l.mean(x), 10);
      },
    ],
  ];
  return all.map(([name, make]) => network(name, make, "auto"));
}

export function calibrationNetworks(): CalibrationNetwork[] {
  return [
    ...CONVOLUTIONS.map(([side, ci, co, k, s]) =>
      network(`conv ${k}x${k}${s > 1 ? `/${s}` : ""} ${side}x${side}x${ci} to ${co}`, (l) =>
        l.relu(l.conv(l.input(side, side, ci), co, k, s)),
      ),
    ),
    ...POINTWISE.map(([side, ci, co]) =>
      network(`pointwise ${side}x${side}x${ci} to ${co}`, (l) => l.relu(l.conv(l.input(side, side, ci), co, 1))),
    ),
    ...DEPTHWISE.map(([side, c, k, s]) =>
      network(`depthwise ${k}x${k}${s > 1 ? `/${s}` : ""} ${side}x${side}x${c}`, (l) =>
        l.relu(l.depthwise(l.input(side, side, c), k, s)),
      ),
    ),
    ...DENSE.map(([k, n]) => network(`dense ${k} to ${n}`, (l) => l.relu(l.dense(l.input(k), n)))),
    ...WINOGRAD.map(([side, ci, co, s]) =>
      network(
        `winograd ${side}x${side}x${ci} to ${co}${s > 1 ? `, stride ${s}` : ""}`,
        (l) => l.relu(l.conv(l.input(side * s, side * s, ci), co, 3, s)),
        "auto",
      ),
    ),
    network("residual 16x16x16", (l) => {
      const x = l.input(16, 16, 16);
      return l.relu(l.op("add", [l.conv(x, 16), x]));
    }),
    ...others(),
    ...mixed(),
  ];
}
