import { defineCalls, type Operand } from "../define-calls.js";
import { blocks } from "../strided.js";

/** Strides over the leading axes of the product, 0 where the operand repeats. */
function leading({ shape, strides }: Operand, rank: number): number[] {
  return Array.from({ length: rank - 2 }, (_, axis) => {
    const i = axis - rank + shape.length;
    return i < 0 || shape[i] === 1 ? 0 : strides[i]!;
  });
}

/** Strides of the last two axes, swapped if the operand is transposed. */
function matrix({ strides }: Operand, transposed: boolean): [number, number] {
  const [row, column] = strides.slice(-2) as [number, number];
  return transposed ? [column, row] : [row, column];
}

export const matmul = defineCalls({
  ops: ["matmul"],
  calls({ attrs, inputs, outputs: [y], temp, call }) {
    const [a, b] = inputs as [Operand, Operand];
    const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
    const rank = y!.shape.length;
    const [m, n] = y!.shape.slice(-2) as [number, number];
    const k = a.shape[a.shape.length - (transposeA ? 2 : 1)]!;
    const scratch = temp(32 * k + 128);
    const [aRow, aCol] = matrix(a, transposeA);
    const [bRow, bCol] = matrix(b, transposeB);
    const yRow = y!.strides[rank - 2]!;
    const [as, bs, ys] = [a, b, y!].map((o) => leading(o, rank)) as [number[], number[], number[]];
    // One matrix b for all: the rows of all matrices a are rows of one, as far as they lie at even distances.
    const joined = bs.every((s) => s === 0);
    const walked = blocks(joined ? [...y!.shape.slice(0, -2), m] : y!.shape.slice(0, -2), [
      { address: a.address, strides: joined ? [...as, aRow] : as },
      { address: b.address, strides: joined ? [...bs, 0] : bs },
      { address: y!.address, strides: joined ? [...ys, yRow] : ys },
    ]);
    for (const { extents, addresses, strides } of walked) {
      const [p, q, r] = addresses as [number, number, number];
      const [ps, rs] = [strides[0]!, strides[2]!];
      if (joined) {
        const outer = (s: readonly number[]): number[] => [...s.slice(0, 3), 0];
        const rows = [extents[3], k, n, ps[3], aCol, bRow, bCol, rs[3]];
        call("matmul", "matmul", p, q, r, scratch, ...rows, ...extents.slice(0, 3), 1, ...strides.flatMap(outer));
      } else {
        const rows = [m, k, n, aRow, aCol, bRow, bCol, yRow];
        call("matmul", "matmul", p, q, r, scratch, ...rows, ...extents, ...strides.flat());
      }
    }
  },
});
