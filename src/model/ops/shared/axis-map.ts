import type { VjpContext } from "../../define-op.js";
import type { TensorType } from "../../types.js";

/** One term of an output: `weight` times input `from`. */
export interface Tap {
  readonly from: number;
  readonly weight: number;
}

/** A linear map along one axis: for each output index the inputs that it is the weighted sum of. */
export type AxisMap = readonly (readonly Tap[])[];

/** The map that only picks: output i is input picks[i]. */
export function picking(picks: readonly number[]): AxisMap {
  return picks.map((from) => [{ from, weight: 1 }]);
}

/**
 * Gradient of a linear map along `axis`, as a product with its matrix [outputs, inputs].
 * @param type type of `dy`
 * @param extent inputs of the map
 */
export function axisMapGradient(
  g: VjpContext<unknown>,
  dy: string,
  type: TensorType,
  axis: number,
  { map, extent }: { map: AxisMap; extent: number },
): string {
  const matrix = new Float32Array(map.length * extent);
  map.forEach((taps, i) => {
    for (const { from, weight } of taps) matrix[i * extent + from]! += weight;
  });
  const m = g.constant([map.length, extent], matrix);
  const product = (rows: string): string => g.emit("matmul", [rows, m], { transposeA: false, transposeB: false })[0]!;
  const rank = type.shape.length;
  if (rank === 1) {
    const row = g.emit("reshape", [dy], { shape: [1, map.length] })[0]!;
    return g.emit("reshape", [product(row)], { shape: [extent] })[0]!;
  }
  if (axis === rank - 1) return product(dy);
  const perm = [...Array.from({ length: rank }, (_, k) => k).filter((k) => k !== axis), axis];
  const back = Array.from({ length: rank }, (_, k) => (k === axis ? rank - 1 : k < axis ? k : k - 1));
  return g.emit("transpose", [product(g.emit("transpose", [dy], { perm })[0]!)], { perm: back })[0]!;
}
