import { z } from "zod";
import { defineOp } from "../define-op.js";
import { IdapError } from "../errors.js";
import { sizeOf, type TensorType } from "../types.js";
import { moved, needBatchFirst, needF32, showType } from "./shared/checks.js";
import { needScale, normaliseRun, normGradients, normRoundings } from "./shared/norm.js";
import { zeros } from "./shared/taps.js";

const attrs = z.strictObject({ groups: z.int().positive(), epsilon: z.number().nonnegative() });
export type GroupNormAttrs = z.infer<typeof attrs>;

/** x [n, ..., c], gamma and beta [c] -> the type of x. */
function infer([x, ...scale]: readonly TensorType[], { groups }: GroupNormAttrs): TensorType[] {
  needF32("group_norm", [x!, ...scale]);
  if (x!.shape.length < 2) throw new IdapError("E_RANK", `group_norm needs x of rank 2 or more, got ${showType(x)}`);
  needBatchFirst("group_norm", "x", x!);
  const c = x!.shape[x!.shape.length - 1]!;
  if (c % groups !== 0) {
    throw new IdapError("E_CHANNELS", `group_norm: the ${c} channels of ${showType(x)} do not make ${groups} groups`);
  }
  needScale("group_norm", scale, [c]);
  return [x!];
}

/**
 * Normalisation of each sample over all its pixels and the channels of one group of neighbours:
 * y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, gamma and beta for each channel. The batch is axis 0, channels
 * are last. With as many groups as channels it is instance normalisation.
 * ONNX `GroupNormalization`, `InstanceNormalization`; Keras `GroupNormalization`.
 */
export const groupNorm = defineOp<GroupNormAttrs>({
  name: "group_norm",
  summary: "normalisation of each sample over pixels and groups of channels",
  inputs: ["x", "gamma?", "beta?"],
  outputs: ["y"],
  params: [1, 2],
  attrs,
  infer,
  couple(c, { groups }) {
    const rank = c.inputTypes[0]!.shape.length;
    c.tie(c.input(0, 0), c.output(0, 0));
    for (let axis = 1; axis < rank - 1; axis++) {
      for (const a of [c.input(0, axis), c.output(0, axis)]) c.freeze(a, "group_norm takes mean and variance over it");
    }
    c.tie(c.input(0, -1), c.output(0, -1), ...c.inputTypes.slice(1).map((_, i) => c.input(i + 1, 0)));
    // Whole groups may go: the statistics of the others do not see them.
    if (groups === 1) c.freeze(c.input(0, -1), "group_norm takes mean and variance over all channels");
    else c.block(c.input(0, -1), groups);
  },
  cut(c, a) {
    const channels = c.inputTypes[0]!.shape[c.inputTypes[0]!.shape.length - 1]!;
    return { ...a, groups: (c.keptInput(0, -1).length * a.groups) / channels };
  },
  cost: (inputs, outputs) => ({ macs: 0, bytes: moved(inputs, outputs) }),
  reference([x, gamma, beta], { groups, epsilon }) {
    const c = x!.shape[x!.shape.length - 1]!;
    const per = c / groups;
    const pixels = sizeOf(x!.shape.slice(1, -1));
    const y = zeros(x!.shape);
    for (let s = 0; s < x!.shape[0]!; s++)
      for (let g = 0; g < groups; g++) {
        const places = Array.from(
          { length: pixels * per },
          (_, i) => (s * pixels + Math.floor(i / per)) * c + g * per + (i % per),
        );
        const of = (p: typeof gamma, otherwise: number) => (i: number) => p?.data[g * per + (i % per)] ?? otherwise;
        normaliseRun(x!.data, y, places, epsilon, of(gamma, 1), of(beta, 0));
      }
    return [{ data: y, shape: x!.shape }];
  },
  vjp(g) {
    const { groups, epsilon } = g.attrs;
    const [x] = g.inputTypes as [TensorType];
    const rank = x.shape.length;
    const c = x.shape[rank - 1]!;
    const view: TensorType = { ...x, shape: [...x.shape.slice(0, -1), groups, c / groups] };
    const pixels = Array.from({ length: rank - 2 }, (_, k) => k + 1);
    return normGradients(g, view, [...pixels, rank], [0, ...pixels], epsilon);
  },
  tolerance: ([x], { groups }) => ({ kind: "roundings", count: normRoundings(sizeOf(x!.shape.slice(1)) / groups) }),
});
