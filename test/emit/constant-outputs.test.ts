import { expect, test } from "vitest";
import { GraphBuilder } from "../../src/model/builder.js";
import { compileGraph } from "./support.js";

test("outputs that are fixed come out beside those that are computed, in their own element types", async () => {
  const b = new GraphBuilder("fixed");
  const x = b.input("x", { dtype: "f32", shape: [1, 3], batchAxis: 0 });
  const c = b.constant("c", "f32", [2], Float32Array.of(1.5, -2));
  const shape = b.constant("shape", "i64", [2], BigInt64Array.of(1n, 3n));
  b.output(c);
  b.output(shape);
  // A constant that a node computes, twice, and one that a layer needs as its weights too.
  const sum = b.node("add", [c, c])[0]!;
  b.output(sum);
  b.output(sum, "again");
  const w = b.constant("w", "f32", [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
  b.output(w);
  b.output(b.node("dense", [x, w])[0]!, "y");
  const inputs = { x: { data: Float32Array.of(1, 0, 2), shape: [1, 3], dtype: "f32" as const } };
  for (const runner of await compileGraph(b.build(), ["simd", "relaxed"])) {
    const got = runner.run(inputs);
    expect(Array.from(got.c!.data as Float32Array)).toEqual([1.5, -2]);
    expect(Array.from(got.shape!.data as ArrayLike<number | bigint>, Number)).toEqual([1, 3]);
    expect(Array.from(got[sum]!.data as Float32Array)).toEqual([3, -4]);
    expect(Array.from(got.again!.data as Float32Array)).toEqual([3, -4]);
    expect(Array.from(got.w!.data as Float32Array)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Array.from(got.y!.data as Float32Array)).toEqual([11, 14]);
  }
});
