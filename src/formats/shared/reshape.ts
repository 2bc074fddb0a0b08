import { IdapError } from "../../model/errors.js";
import { sizeOf, type TensorType } from "../../model/types.js";

/**
 * The IR's target of a reshape: concrete extents at batch 1, with -1 exactly at the batch axis if there is one.
 *
 * Source files write the batch as -1, as 0 (ONNX: copy), or as the number it had at export. Row-major order decides
 * which output axis can carry the batch: the extents before it must have the same product as those before the input's
 * batch axis. Where extents of 1 leave a choice, the axis is taken that keeps the input's place and extent, else the
 * first: [1, -1] of a model that was exported for one sample means [batch, the rest].
 *
 * @param input type of the operand at batch 1
 * @param target extents as in the file, at most one -1; at `fileBatch` samples
 * @param fileBatch the batch that concrete extents of the file were written for
 * @param trustDynamic -1 is known to stand at the batch axis (files that we wrote)
 */
export function reshapeTarget(
  input: TensorType,
  target: readonly number[],
  where: string,
  { fileBatch = 1, trustDynamic = false }: { fileBatch?: number; trustDynamic?: boolean } = {},
): number[] {
  const total = sizeOf(input.shape);
  const dynamic = target.indexOf(-1);
  const bad = (): IdapError =>
    new IdapError("E_SHAPE", `${where}: cannot reshape [${input.shape}] (${total} values) to [${target}]`);
  if (target.some((d) => !Number.isInteger(d) || d < -1 || d === 0) || target.lastIndexOf(-1) !== dynamic) throw bad();

  const concreteTotal = input.batchAxis === null ? total : total * fileBatch;
  let known = 1;
  for (const d of target) if (d !== -1) known *= d;
  if (dynamic < 0 ? known !== concreteTotal : concreteTotal % known !== 0) throw bad();
  const atFileBatch = target.map((d) => (d === -1 ? concreteTotal / known : d));
  if (input.batchAxis === null) return atFileBatch;

  let before = 1;
  for (let i = 0; i < input.batchAxis; i++) before *= input.shape[i]!;
  const extent = input.shape[input.batchAxis]!;
  const candidates: { axis: number; extent: number }[] = [];
  let product = 1;
  atFileBatch.forEach((d, axis) => {
    if (product === before && d % fileBatch === 0) candidates.push({ axis, extent: d / fileBatch });
    product *= d;
  });
  const chosen =
    (trustDynamic ? candidates.find((c) => c.axis === dynamic) : undefined) ??
    candidates.find((c) => c.axis === input.batchAxis && c.extent === extent) ??
    candidates[0];
  if (!chosen) {
    throw new IdapError(
      "E_BATCH",
      `${where}: the batch axis ${input.batchAxis} of [${input.shape}] cannot be followed through a reshape to [${target}]`,
    );
  }
  return atFileBatch.map((d, axis) => (axis === chosen.axis ? -1 : d));
}
