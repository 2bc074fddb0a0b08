import { describe, expect, test } from "vitest";
import { einsum, einsumFault } from "../../../../src/formats/shared/decompose/einsum.js";
import { Random } from "../../../../src/model/random.js";
import { sizeOf, shapeAt, type TensorType, type TensorValue } from "../../../../src/model/types.js";
import { decomposed, f32, numbers, whole } from "./support.js";

/** Sums over every assignment of the labels: the definition. Labels of an ellipsis are written out. */
function definition(inputs: readonly string[], output: string, values: readonly TensorValue[]): number[] {
  const extents = new Map<string, number>();
  inputs.forEach((labels, i) =>
    [...labels].forEach((l, axis) => extents.set(l, Math.max(extents.get(l) ?? 1, values[i]!.shape[axis]!))),
  );
  const labels = [...extents.keys()];
  const at = (names: string, shape: readonly number[], index: readonly number[]): number =>
    [...names].reduce((p, l, axis) => p * shape[axis]! + (shape[axis] === 1 ? 0 : index[labels.indexOf(l)]!), 0);
  const shape = [...output].map((l) => extents.get(l)!);
  const out = new Array<number>(sizeOf(shape)).fill(0);
  const total = sizeOf([...extents.values()]);
  for (let flat = 0; flat < total; flat++) {
    let rest = flat;
    const index = labels.map((l) => {
      const i = rest % extents.get(l)!;
      rest = Math.floor(rest / extents.get(l)!);
      return i;
    });
    const product = inputs.reduce((p, names, i) => p * Number(values[i]!.data[at(names, values[i]!.shape, index)]!), 1);
    out[at(output, shape, index)]! += product;
  }
  return out;
}

const random = new Random(21);

async function check(
  equation: string,
  written: readonly [readonly string[], string],
  types: readonly TensorType[],
  batch: number,
): Promise<void> {
  const values = types.map((type) => whole(random, type, batch));
  const [y] = await decomposed(types, values, (e, tensors) => [einsum(e, equation, tensors)]);
  expect(numbers(y!)).toEqual(definition(written[0], written[1], values));
}

const BATCH = 2;

describe("einsum is the sum over all assignments of its indices", () => {
  test.each([
    ["ij->ji", [["ij"], "ji"], [f32([2, 3])]],
    ["ijk->i", [["ijk"], "i"], [f32([2, 3, 4])]],
    ["ij->", [["ij"], ""], [f32([2, 3])]],
    ["ij,jk", [["ij", "jk"], "ik"], [f32([2, 3]), f32([3, 4])]],
    ["ij,kj->ki", [["ij", "kj"], "ki"], [f32([2, 3]), f32([4, 3])]],
    ["ji,jk->ik", [["ji", "jk"], "ik"], [f32([3, 2]), f32([3, 4])]],
    ["i,i->", [["i", "i"], ""], [f32([5]), f32([5])]],
    ["i,j->ji", [["i", "j"], "ji"], [f32([2]), f32([3])]],
    ["ij,ij->ij", [["ij", "ij"], "ij"], [f32([2, 3]), f32([2, 3])]],
    ["ij , j -> i", [["ij", "j"], "i"], [f32([2, 3]), f32([3])]],
    ["ba", [["ba"], "ab"], [f32([2, 3])]],
    ["nij,jk->nik", [["nij", "jk"], "nik"], [f32([1, 3, 4], 0), f32([4, 5])]],
    ["abc,cde->abde", [["abc", "cde"], "abde"], [f32([1, 3, 4], 0), f32([4, 2, 5])]],
    ["abde,dec->abc", [["abde", "dec"], "abc"], [f32([1, 3, 2, 5], 0), f32([2, 5, 4])]],
    ["bqhd,bkhd->bhqk", [["bqhd", "bkhd"], "bhqk"], [f32([1, 3, 2, 4], 0), f32([1, 5, 2, 4], 0)]],
    ["bhqk,bkhd->bqhd", [["bhqk", "bkhd"], "bqhd"], [f32([1, 2, 3, 5], 0), f32([1, 5, 2, 4], 0)]],
    ["ij,jk,kl->il", [["ij", "jk", "kl"], "il"], [f32([2, 3]), f32([3, 4]), f32([4, 2])]],
    ["ijk,ikl,jm->lm", [["ijk", "ikl", "jm"], "lm"], [f32([2, 3, 2]), f32([2, 2, 4]), f32([3, 2])]],
    ["ab,cd->acbd", [["ab", "cd"], "acbd"], [f32([2, 3]), f32([4, 2])]],
    ["bi,bj->bij", [["bi", "bj"], "bij"], [f32([1, 3], 0), f32([1, 4], 0)]],
    ["bij,bij->b", [["bij", "bij"], "b"], [f32([1, 3, 4], 0), f32([1, 3, 4], 0)]],
    ["bijc,bd->bijd", [["bijc", "bd"], "bijd"], [f32([1, 3, 4, 2], 0), f32([1, 3], 0)]],
    ["...ij,...jk->...ik", [["xyij", "yjk"], "xyik"], [f32([2, 3, 2, 4]), f32([3, 4, 2])]],
    ["...i,...i", [["xi", "xi"], "x"], [f32([1, 4], 0), f32([1, 4], 0)]],
    ["i...->...", [["ixy"], "xy"], [f32([2, 3, 4])]],
    ["...ij,...jk", [["xij", "xjk"], "xik"], [f32([1, 2, 4]), f32([3, 4, 2])]],
  ] as [string, [string[], string], TensorType[]][])("%s", async (equation, written, types) => {
    await check(equation, written, types, types.some((t) => t.batchAxis !== null) ? BATCH : 1);
  });

  test("the batch stays marked", async () => {
    const types = [f32([1, 3, 4], 0), f32([4, 2, 5])];
    const values = types.map((t) => whole(random, t, 3));
    const [y] = await decomposed(types, values, (e, tensors) => [einsum(e, "abc,cde->adeb", tensors)]);
    expect(y!.shape).toEqual(shapeAt(f32([1, 2, 5, 3], 0), 3));
  });
});

describe("equations that cannot be read", () => {
  test.each([
    ["ii->i", [2], /repeats/],
    ["ij,jk->ik", [2], /operands/],
    ["ij->k", [2], /no operand has/],
    ["ijk->k", [2], /2 axes/],
    ["i->j->k", [1], /no equation/],
    ["i1->i", [2], /no equation/],
    ["i...j...->i", [4], /no equation/],
  ] as const)("%s", (equation, ranks, why) => {
    expect(einsumFault(equation, ranks)).toMatch(why);
  });

  test("a sum over the batch is refused", async () => {
    const t = f32([1, 3], 0);
    const values = [whole(random, t, 2), whole(random, t, 2)];
    const refused = decomposed([t, t], values, (e, tensors) => [einsum(e, "ni,nj->ij", tensors)]);
    await expect(refused).rejects.toMatchObject({ code: "E_BATCH" });
  });
});
