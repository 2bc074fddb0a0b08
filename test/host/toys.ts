/** Small data sets and networks on which it is known what training must reach. */
import type { Split } from "../../src/model/dataset.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { Net } from "../support/networks.js";

/** Images of noise in which one of the four quadrants is brighter by four standard deviations; the class is which. */
export function quadrants(count: number, seed: number): Split {
  const random = new Random(seed);
  const labels = Int32Array.from({ length: count }, () => random.int(4));
  const pixels = new Float32Array(count * 64);
  for (let s = 0; s < count; s++) {
    for (let i = 0; i < 64; i++) {
      const quadrant = 2 * Number(i >= 32) + Number(i % 8 >= 4);
      pixels[s * 64 + i] = 0.5 * random.normal() + (quadrant === labels[s] ? 2 : 0);
    }
  }
  return splitOf(`quadrants ${seed}`, [8, 8, 1], pixels, labels, 4);
}

export function splitOf(
  name: string,
  shape: readonly number[],
  data: Float32Array,
  labels: Int32Array | null,
  classes: number,
): Split {
  const size = shape.reduce((n, d) => n * d, 1);
  return {
    name,
    count: data.length / size,
    shape,
    labels,
    classes,
    read(indices, out) {
      for (let i = 0; i < indices.length; i++)
        out.set(data.subarray(indices[i]! * size, (indices[i]! + 1) * size), i * size);
    },
  };
}

/** conv, norm, relu, residual block with norms, flatten, dense: everything a residual network has, on 8x8 images. */
export function tinyResidual(seed: number, softmax = false): Graph {
  const net = new Net(new Random(seed), "tiny");
  const norm = (x: string): string => {
    const c = net.channels(x);
    const vector = (v: number): string => net.builder.constant(`n${x}`, "f32", [c], new Float32Array(c).fill(v));
    return net.op("batch_norm", [x, vector(1), vector(0), vector(0), vector(1)], { epsilon: 1e-3 });
  };
  let x = net.relu(norm(net.conv(net.input([8, 8, 1]), 6, 3, 1, { bias: false })));
  const inner = net.relu(norm(net.conv(x, 5, 3, 2, { bias: false })));
  x = net.relu(net.add(norm(net.conv(inner, 7, 3, 1, { bias: false })), norm(net.conv(x, 7, 1, 2, { bias: false }))));
  const logits = net.dense(net.flatten(x), 4);
  return net.build(softmax ? net.op("softmax", [logits], { axis: 1 }) : logits);
}
