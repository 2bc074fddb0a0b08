import type { Graph } from "../model/types.js";
import type { Producer } from "./producers.js";

/** Layers that mix all their input channels: what a least-squares fit of weights applies to. */
export const isMixing = ({ node }: Producer): boolean =>
  node.op === "dense" || (node.op === "conv2d" && node.attrs.groups === 1);

/** Products for one output value: all but the last axis of the weights. */
export function depthOf(graph: Graph, p: Producer): number {
  return graph.tensors
    .get(p.weight)!
    .type.shape.slice(0, -1)
    .reduce((a, d) => a * d, 1);
}

/** Output positions of a layer over all samples, and what is multiplied at each. */
export interface Windows {
  readonly positions: number;
  /** Writes the factors of one position, in the order of the weights (taps, then input channels), from index 0 on. */
  gather(at: number, data: Float32Array, into: Float64Array): void;
}

/** How the products of one output position are read: windows of a convolution, rows of a fully connected layer. */
export function windowsOf(graph: Graph, p: Producer, x: readonly number[], y: readonly number[]): Windows {
  const positions = y.slice(0, -1).reduce((s, d) => s * d, 1);
  const ci = x.at(-1)!;
  if (p.node.op === "dense") {
    return {
      positions,
      gather(at, data, into) {
        for (let c = 0; c < ci; c++) into[c] = data[at * ci + c]!;
      },
    };
  }
  const [kh, kw] = graph.tensors.get(p.weight)!.type.shape as [number, number];
  const { strides, dilations, pads } = p.node.attrs as Record<string, number[]>;
  const [, h, width] = x as [number, number, number];
  const [, oh, ow] = y as [number, number, number];
  return {
    positions,
    gather(at, data, into) {
      const sample = Math.floor(at / (oh * ow));
      const row = Math.floor(at / ow) % oh;
      const column = at % ow;
      let k = 0;
      for (let i = 0; i < kh; i++) {
        const yy = row * strides![0]! + i * dilations![0]! - pads![0]!;
        for (let j = 0; j < kw; j++) {
          const xx = column * strides![1]! + j * dilations![1]! - pads![1]!;
          const inside = yy >= 0 && yy < h && xx >= 0 && xx < width;
          const from = ((sample * h + yy) * width + xx) * ci;
          for (let c = 0; c < ci; c++, k++) into[k] = inside ? data[from + c]! : 0;
        }
      }
    },
  };
}
