/** Operators that compute each element from elements at the same place. */
import { invariant } from "../../model/errors.js";
import { sameShape, sizeOf } from "../../model/types.js";
import type { View } from "../layout.js";
import { pad4 } from "../plan.js";
import {
  clearPadding,
  flatten,
  readPixels,
  writePixels,
  type LowerContext,
  type Lowering,
  type Pixels,
} from "./context.js";
import { blocks, broadcastStrides } from "../../kernels/strided.js";

const image = (p: Pixels): [number, number, number] => [p.address, p.image, p.row];

/** Pixels of plain tensors of one shape: their bytes as one row. */
function bytesOf(view: View): Pixels {
  const real = sizeOf(view.shape);
  const channels = pad4(real);
  const bytes = 4 * channels;
  return { address: view.address, n: 1, h: 1, w: 1, image: bytes, row: bytes, pixel: bytes, real, channels };
}

/** Operands of one shape and the output, as rows that can be walked together. */
function together(
  ctx: LowerContext,
  inputs: readonly View[],
  out: View,
): { operands: Pixels[]; y: Pixels; done: () => void } {
  if ([...inputs, out].every((view) => view.plain)) {
    return { operands: inputs.map(bytesOf), y: bytesOf(out), done: () => {} };
  }
  const { pixels, done } = writePixels(ctx, out);
  const flat = flatten(...inputs.map((view) => readPixels(ctx, view)), pixels);
  return { operands: flat.slice(0, -1), y: flat[flat.length - 1]!, done };
}

const UNARY: Readonly<Record<string, number>> = { relu: 0, relu6: 1, sigmoid: 2 };

export const unary: Lowering = (step, ctx) => {
  const { operands, y, done } = together(ctx, [ctx.view(step.inputs[0]!)], ctx.view(step.outputs[0]!));
  ctx.call("unary_images", UNARY[step.op]!, ...image(operands[0]!), ...image(y), y.n, y.h, y.w * y.channels);
  done();
};

const ACTIVATION_GRAD: Readonly<Record<string, number>> = { relu_grad: 0, relu6_grad: 1, sigmoid_grad: 2 };

export const activationGrad: Lowering = (step, ctx) => {
  const inputs = step.inputs.map((tensor) => ctx.view(tensor));
  const { operands, y, done } = together(ctx, inputs, ctx.view(step.outputs[0]!));
  const [dy, out] = operands as [Pixels, Pixels];
  ctx.call(
    "activation_grad",
    ACTIVATION_GRAD[step.op]!,
    ...image(dy),
    ...image(out),
    ...image(y),
    y.n,
    y.h,
    y.w * y.channels,
  );
  done();
};

const BINARY: Readonly<Record<string, number>> = { add: 0, mul: 1 };

export const binary: Lowering = (step, ctx) => {
  const kind = BINARY[step.op];
  invariant(kind !== undefined, `${step.op} is a binary operator`);
  const out = ctx.view(step.outputs[0]!);
  let [a, b] = step.inputs.map((tensor) => ctx.view(tensor)) as [View, View];
  if (sameShape(a.shape, out.shape) && sameShape(b.shape, out.shape)) {
    const { operands, y, done } = together(ctx, [a, b], out);
    ctx.call(
      "binary_images",
      kind,
      ...image(operands[0]!),
      ...image(operands[1]!),
      ...image(y),
      y.n,
      y.h,
      y.w * y.channels,
    );
    done();
    return;
  }
  // Both operators commute: the operand with all elements comes first.
  if (!sameShape(a.shape, out.shape)) [a, b] = [b, a];
  const count = sizeOf(b.shape);
  if (sameShape(a.shape, out.shape) && count === 1) {
    const { operands, y, done } = together(ctx, [a], out);
    ctx.call("binary_scalar_images", kind, ...image(operands[0]!), b.address, ...image(y), y.n, y.h, y.w * y.channels);
    done();
    return;
  }
  const last = b.shape[b.shape.length - 1];
  if (
    sameShape(a.shape, out.shape) &&
    count === last &&
    last === out.shape[out.shape.length - 1] &&
    !(a.plain && out.plain)
  ) {
    const { operands, y, done } = together(ctx, [a], out);
    ctx.call("binary_channels", kind, ...image(operands[0]!), b.address, ...image(y), y.n, y.h, y.w, y.channels);
    done();
    return;
  }
  clearPadding(ctx, out);
  const operands = [a, b].map((view) => ({ address: view.address, strides: broadcastStrides(view, out.shape) }));
  for (const { extents, addresses, strides } of blocks(out.shape, [...operands, out])) {
    const [p, q, r] = addresses as [number, number, number];
    ctx.call("binary_strided", kind, p, q, r, ...extents, ...strides[0]!, ...strides[1]!, ...strides[2]!);
  }
};

/** Softmax over any axis: the other axes are three of a strided kernel. */
export const softmax: Lowering = (step, ctx) => {
  const [x, y] = [ctx.view(step.inputs[0]!), ctx.view(step.outputs[0]!)];
  const axis = step.attrs.axis as number;
  clearPadding(ctx, y);
  eachGroup(x.shape, axis, [x, y], (extents, [p, q], [xs, ys]) =>
    ctx.call("softmax_strided", p!, q!, ...extents, x.shape[axis]!, ...xs!, x.strides[axis]!, ...ys!, y.strides[axis]!),
  );
};

export const softmaxGrad: Lowering = (step, ctx) => {
  const [dy, y, dx] = [...step.inputs, step.outputs[0]!].map((tensor) => ctx.view(tensor)) as [View, View, View];
  const axis = step.attrs.axis as number;
  clearPadding(ctx, dx);
  eachGroup(dy.shape, axis, [dy, y, dx], ([n0, n1, n2], [p, q, r], [ps, qs, rs]) => {
    // The kernel takes two axes; the outermost of three is unrolled.
    for (let k = 0; k < n0; k++) {
      const at = (address: number, s: readonly number[]): number => address + k * s[0]!;
      ctx.call(
        "softmax_grad",
        at(p!, ps!),
        at(q!, qs!),
        at(r!, rs!),
        n1,
        dy.shape[axis]!,
        n2,
        ps![1],
        dy.strides[axis]!,
        ps![2],
        qs![1],
        y.strides[axis]!,
        qs![2],
        rs![1],
        dx.strides[axis]!,
        rs![2],
      );
    }
  });
};

/** Calls back for blocks of the other axes, three at a time. */
function eachGroup(
  shape: readonly number[],
  axis: number,
  operands: readonly View[],
  emit: (extents: [number, number, number], addresses: readonly number[], strides: [number, number, number][]) => void,
): void {
  const others = shape.map((_, i) => i).filter((i) => i !== axis);
  const reduced = operands.map((o) => ({ address: o.address, strides: others.map((i) => o.strides[i]!) }));
  for (const { extents, addresses, strides } of blocks(
    others.map((i) => shape[i]!),
    reduced,
  )) {
    for (let k = 0; k < extents[0]; k++) {
      emit(
        [extents[1], extents[2], extents[3]],
        addresses.map((a, i) => a + k * strides[i]![0]),
        strides.map(([, s1, s2, s3]) => [s1, s2, s3] as [number, number, number]),
      );
    }
  }
}
