/** Small networks for tests: layers with random weights from a seed, and random architectures made of them. */
import { GraphBuilder } from "../../src/model/builder.js";
import { fromDoubles } from "../../src/model/doubles.js";
import { Random } from "../../src/model/random.js";
import { sizeOf, type Graph, type TensorRecord } from "../../src/model/types.js";
import { drawValues } from "./op-cases.js";

/** Adds layers with seeded random weights to a graph; every method returns the name of its output tensor. */
export class Net {
  readonly builder: GraphBuilder;
  private count = 0;

  constructor(
    readonly random: Random,
    name = "net",
  ) {
    this.builder = new GraphBuilder(name);
  }

  /** Input [1, ...shape] with a symbolic batch. */
  input(shape: readonly number[], name = "x"): string {
    return this.builder.input(name, { dtype: "f32", shape: [1, ...shape], batchAxis: 0 });
  }

  weight(shape: readonly number[], scale = 1): string {
    const fan = Math.max(1, sizeOf(shape) / shape[shape.length - 1]!);
    const data = Float32Array.from({ length: sizeOf(shape) }, () => (scale * this.random.normal()) / Math.sqrt(fan));
    return this.builder.constant(`c${this.count++}`, "f32", shape, data);
  }

  positive(length: number): string {
    const data = Float32Array.from({ length }, () => 0.5 + this.random.next());
    return this.builder.constant(`c${this.count++}`, "f32", [length], data);
  }

  shape(x: string): readonly number[] {
    return this.builder.typeOf(x).shape;
  }

  channels(x: string): number {
    return this.shape(x).at(-1)!;
  }

  op(op: string, inputs: readonly string[], attrs: Record<string, unknown> = {}): string {
    return this.builder.node(op, inputs, attrs)[0]!;
  }

  conv(
    x: string,
    co: number,
    k = 3,
    stride = 1,
    options: { groups?: number; bias?: boolean; w?: string } = {},
  ): string {
    const groups = options.groups ?? 1;
    const p = k >> 1;
    const w = options.w ?? this.weight([k, k, this.channels(x) / groups, co]);
    const inputs = options.bias === false ? [x, w] : [x, w, this.weight([co])];
    return this.op("conv2d", inputs, { strides: [stride, stride], dilations: [1, 1], pads: [p, p, p, p], groups });
  }

  depthwise(x: string, multiplier = 1, stride = 1): string {
    const c = this.channels(x);
    const inputs = [x, this.weight([3, 3, c, multiplier]), this.weight([c * multiplier])];
    return this.op("depthwise_conv2d", inputs, { strides: [stride, stride], dilations: [1, 1], pads: [1, 1, 1, 1] });
  }

  norm(x: string): string {
    const c = this.channels(x);
    return this.op("batch_norm", [x, this.positive(c), this.weight([c]), this.weight([c]), this.positive(c)], {
      epsilon: 1e-3,
    });
  }

  relu(x: string): string {
    return this.op("relu", [x]);
  }

  add(a: string, b: string): string {
    return this.op("add", [a, b]);
  }

  globalMean(x: string, keepDims = false): string {
    return this.op("reduce_mean", [x], { axes: [1, 2], keepDims });
  }

  flatten(x: string): string {
    const [, ...rest] = this.shape(x);
    return this.op("reshape", [x], { shape: [-1, sizeOf(rest)] });
  }

  dense(x: string, n: number): string {
    return this.op("dense", [x, this.weight([this.channels(x), n]), this.weight([n])]);
  }

  concat(...xs: string[]): string {
    return this.op("concat", xs, { axis: this.shape(xs[0]!).length - 1 });
  }

  /** Squeeze and excite: x * sigmoid(dense(relu(dense(mean(x))))). */
  excite(x: string): string {
    const c = this.channels(x);
    const s = this.globalMean(x, true);
    const down = this.relu(this.conv(s, Math.max(2, c >> 1), 1));
    return this.op("mul", [x, this.op("sigmoid", [this.conv(down, c, 1)])]);
  }

  build(...outputs: string[]): Graph {
    outputs.forEach((o, i) => this.builder.output(o, outputs.length === 1 ? "y" : `y${i}`));
    return this.builder.build();
  }
}

/** A network of 2 to 6 random blocks that mixes everything that couples axes. */
export function randomNetwork(seed: number): Graph {
  const random = new Random(seed);
  const net = new Net(random, `random-${seed}`);
  const width = (): number => 1 + random.int(7);
  let x = net.input([5 + random.int(3), 5 + random.int(3), 1 + random.int(4)]);
  x = net.relu(net.norm(net.conv(x, width() + 1, 3, 1, { bias: random.next() < 0.5 })));
  const blocks = 2 + random.int(5);
  for (let i = 0; i < blocks; i++) {
    switch (random.int(9)) {
      case 0: // residual block with an inner width of its own
        x = net.relu(net.add(x, net.conv(net.relu(net.norm(net.conv(x, width()))), net.channels(x))));
        break;
      case 1: // projected shortcut
        x = net.relu(net.add(net.conv(x, 4, 1), net.norm(net.conv(x, 4))));
        break;
      case 2:
        x = net.concat(net.relu(net.conv(x, width())), net.conv(x, width(), 1), x);
        break;
      case 3:
        x = net.relu(net.depthwise(x, 1 + random.int(2)));
        break;
      case 4:
        x = net.excite(x);
        break;
      case 5: {
        const groups = 1 + random.int(3);
        x = net.conv(net.relu(net.conv(x, groups * (1 + random.int(2)))), groups * (1 + random.int(2)), 3, 1, {
          groups,
        });
        break;
      }
      case 6: {
        // One kernel applied twice: its input and output channels become one set.
        const c = net.channels(x);
        const w = net.weight([3, 3, c, c]);
        x = net.relu(net.conv(net.relu(net.conv(x, c, 3, 1, { w })), c, 3, 1, { w }));
        break;
      }
      case 7: {
        // A split: two runs of channels go different ways and meet again.
        const c = net.channels(x);
        if (c < 2) break;
        const at = 1 + random.int(c - 1);
        const part = (begin: number, size: number): string =>
          net.op("slice", [x], { begin: [0, 0, 0, begin], size: [-1, -1, -1, size] });
        x = net.concat(net.relu(net.conv(part(0, at), width())), part(at, c - at));
        break;
      }
      default:
        x = net.op("max_pool2d", [net.relu(net.conv(x, width()))], {
          kernel: [3, 3],
          strides: [1, 1],
          pads: [1, 1, 1, 1],
        });
    }
  }
  const head = random.next() < 0.5 ? net.globalMean(x) : net.flatten(x);
  return net.build(net.dense(random.next() < 0.5 ? net.relu(net.dense(head, width() + 1)) : head, 3));
}

/** Standard normal values for every input of a graph at the given batch. */
export function randomInputs(graph: Graph, seed: number, batch = 2): TensorRecord {
  const random = new Random(seed);
  return Object.fromEntries(
    graph.inputs.map(({ name, tensor }) => {
      const { type } = graph.tensors.get(tensor)!;
      const shape = type.shape.map((d, i) => (i === type.batchAxis ? d * batch : d));
      const { dtype } = type;
      const data =
        dtype === "f32"
          ? Float32Array.from({ length: sizeOf(shape) }, () => random.normal())
          : fromDoubles(drawValues(type, "normal", batch, seed), dtype);
      return [name, { data, shape, dtype }];
    }),
  );
}
