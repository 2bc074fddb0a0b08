import { GraphBuilder } from "../../src/model/builder.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";

/** A small residual network with every kind of kernel a package usually has: convolutions, depthwise, add, mean, dense. */
export function smallNetwork(seed = 1, channels = 8, residual = true): Graph {
  const g = new GraphBuilder("small");
  const random = new Random(seed);
  const normal = (name: string, ...shape: number[]): string => {
    const size = shape.reduce((a, b) => a * b, 1);
    const scale = 1 / Math.sqrt(size / shape.at(-1));
    return g.constant(
      name,
      "f32",
      shape,
      Float32Array.from({ length: size }, () => scale * random.normal()),
    );
  };
  const conv = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1 };
  const x = g.input("image", { dtype: "f32", shape: [1, 8, 8, 3], batchAxis: 0 });
  const [a] = g.node("conv2d", [x, normal("w1", 3, 3, 3, channels), normal("b1", channels)], conv, { name: "stem" });
  const [b] = g.node("relu", [a!], {}, { name: "stem.relu" });
  const { groups: _groups, ...depthwise } = conv;
  const [c] = g.node("depthwise_conv2d", [b!, normal("w2", 3, 3, channels, 1), normal("b2", channels)], depthwise, {
    name: "depthwise",
  });
  const [d] = g.node("conv2d", [c!, normal("w3", 3, 3, channels, channels), normal("b3", channels)], conv, {
    name: "branch",
  });
  const [e] = residual ? g.node("add", [d!, b!], {}, { name: "sum" }) : [d];
  const [f] = g.node("relu", [e!], {}, { name: "sum.relu" });
  const [h] = g.node("reduce_mean", [f!], { axes: [1, 2], keepDims: false }, { name: "pool" });
  const [y] = g.node("dense", [h!, normal("w4", channels, 5), normal("b4", 5)], {}, { name: "classes" });
  g.output(y!, "scores");
  return g.build();
}
