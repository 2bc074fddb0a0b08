import { invariant } from "../../model/errors.js";
import type { Shape } from "../../model/types.js";
import { defineCalls, type CallContext, type Operand } from "../define-calls.js";
import { blocks, type Strided } from "../strided.js";

/** Strides of gamma or beta where there is none: the kernel takes address 0 for it and never moves on. */
const absent = (rank: number): Strided => ({ address: 0, strides: new Array<number>(rank).fill(0) });

/** The normalised elements as rows x columns of contiguous runs: their extents, and strides of rows and columns. */
function runs(shape: Shape, operands: readonly Strided[]): { extents: readonly number[]; strides: number[][] } {
  const [block, ...more] = blocks(shape, operands);
  const { extents, strides } = block!;
  // An axis of extent 1 at the end may have left one behind it whose elements are not neighbours.
  const scattered = extents[3] > 1 && strides.some((s, i) => s[3] !== 4 && operands[i]!.address !== 0);
  const first = scattered ? 2 : 1;
  invariant(
    more.length === 0 && extents.slice(0, first).every((d) => d === 1),
    "normalised axes are at most rows, columns and channels",
  );
  return {
    extents: scattered ? [extents[2], extents[3], 1] : extents.slice(1),
    strides: strides.map((s) => s.slice(first, first + 2)),
  };
}

/** Normalises over the axes from `axis` on; gamma and beta have the shape of these. */
function layerNorm({ attrs, inputs: [x, gamma, beta], outputs: [y], call }: CallContext): void {
  const { axis, epsilon } = attrs as { axis: number; epsilon: number };
  const shape = x!.shape.slice(axis);
  const scale = (o: Operand | undefined): Strided => o ?? absent(shape.length);
  const split = (o: Operand, inner: boolean): Strided => ({
    address: o.address,
    strides: inner ? o.strides.slice(axis) : o.strides.slice(0, axis),
  });
  const inside = runs(shape, [split(x!, true), split(y!, true), scale(gamma), scale(beta)]);
  for (const outside of blocks(x!.shape.slice(0, axis), [split(x!, false), split(y!, false)])) {
    const [e0, e1, e2, e3] = outside.extents;
    for (let i = 0; i < e0 * e1; i++) {
      const [p, q] = outside.addresses.map(
        (a, k) => a + Math.floor(i / e1) * outside.strides[k]![0] + (i % e1) * outside.strides[k]![1],
      );
      call(
        "norm",
        "normalise",
        p!,
        q!,
        gamma?.address ?? 0,
        beta?.address ?? 0,
        e2,
        e3,
        ...inside.extents,
        ...outside.strides[0]!.slice(2),
        ...inside.strides[0]!,
        ...outside.strides[1]!.slice(2),
        ...inside.strides[1]!,
        0,
        ...inside.strides[2]!,
        0,
        ...inside.strides[3]!,
        epsilon,
      );
    }
  }
}

/** Pixels of a tensor [n, ..., c] as one or two axes; the channels are left out. */
function pixels(x: Operand, y: Operand) {
  const [block, ...more] = blocks(
    x.shape.slice(1, -1),
    [x, y].map((o) => ({ address: o.address, strides: o.strides.slice(1, -1) })),
  );
  invariant(more.length === 0 && block!.extents[0] === 1 && block!.extents[1] === 1, "an image has rows and columns");
  return { extents: block!.extents.slice(2), x: block!.strides[0]!.slice(2), y: block!.strides[1]!.slice(2) };
}

function groupNorm({ attrs, inputs: [x, gamma, beta], outputs: [y], call }: CallContext): void {
  const { groups, epsilon } = attrs as { groups: number; epsilon: number };
  const c = x!.shape[x!.shape.length - 1]!;
  const { extents, x: xs, y: ys } = pixels(x!, y!);
  const images = [x!.strides[0]!, y!.strides[0]!] as const;
  const addresses = [x!, y!, gamma, beta].map((o) => o?.address ?? 0);
  const n = x!.shape[0]!;
  if (groups === c) {
    call("norm", "normalise_channels", ...addresses, n, ...extents, c, images[0], ...xs, images[1], ...ys, epsilon);
    return;
  }
  const group = (4 * c) / groups;
  call(
    "norm",
    "normalise",
    ...addresses,
    n,
    groups,
    ...extents,
    c / groups,
    images[0],
    group,
    ...xs,
    images[1],
    group,
    ...ys,
    gamma ? group : 0,
    0,
    0,
    beta ? group : 0,
    0,
    0,
    epsilon,
  );
}

export const norm = defineCalls({
  ops: ["layer_norm", "group_norm"],
  inPlace: true,
  calls(context) {
    if (context.op === "layer_norm") layerNorm(context);
    else groupNorm(context);
  },
});
