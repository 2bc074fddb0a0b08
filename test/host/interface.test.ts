import { describe, expect, test } from "vitest";
import { createExecutor } from "../../src/host/executor.js";
import { GraphBuilder } from "../../src/model/builder.js";
import { allocate, type Dtype, type TensorData } from "../../src/model/types.js";

const VALUES: Readonly<Record<Dtype, readonly number[]>> = {
  f32: [0.5, -2, 3],
  i32: [2 ** 31 - 1, -(2 ** 31), 7],
  i8: [127, -128, 3],
  u8: [255, 0, 3],
  bool: [1, 0, 1],
  i64: [2 ** 31 - 1, -5, 0],
};

function data(dtype: Dtype): TensorData {
  const array = allocate(dtype, 3);
  VALUES[dtype].forEach((v, i) => (array[i] = array instanceof BigInt64Array ? BigInt(v) : v));
  return array;
}

describe.each(["reference", "wasm"] as const)("%s", (kind) => {
  test.each(Object.keys(VALUES) as Dtype[])(
    "%s goes in and comes out as typed arrays of the port's dtype",
    async (dtype) => {
      const b = new GraphBuilder("g");
      const x = b.input("x", { dtype, shape: [1, 3], batchAxis: 0 });
      b.output(b.node("reshape", [x], { shape: [-1, 3, 1] })[0]!, "same");
      b.output(b.node("cast", [x], { to: "i64" })[0]!, "wide");
      b.output(b.node("equal", [x, x])[0]!, "equal");
      const executor = createExecutor(kind, b.build());
      const given = data(dtype);
      const { same, wide, equal } = await executor.run({ x: { data: given, shape: [1, 3], dtype } });
      await executor.close();
      expect(same).toEqual({ data: given, shape: [1, 3, 1], dtype });
      expect(wide!.data).toEqual(BigInt64Array.from(VALUES[dtype].map((v) => BigInt(Math.trunc(v)))));
      expect(equal).toEqual({ data: Uint8Array.of(1, 1, 1), shape: [1, 3], dtype: "bool" });
    },
  );

  test("an array of another class than the dtype is refused", async () => {
    const b = new GraphBuilder("g");
    const x = b.input("x", { dtype: "i32", shape: [1, 3], batchAxis: 0 });
    b.output(b.node("neg", [x])[0]!, "y");
    const executor = createExecutor(kind, b.build());
    const run = executor.run({ x: { data: Float32Array.of(1, 2, 3), shape: [1, 3], dtype: "i32" } });
    await expect(run).rejects.toMatchObject({
      code: "E_INPUT",
      message: 'the input "x" is i32 and needs its values in Int32Array, not in Float32Array',
    });
    await executor.close();
  });

  test("the usual constant exponents", async () => {
    const b = new GraphBuilder("g");
    const x = b.input("x", { dtype: "f32", shape: [1, 5], batchAxis: 0 });
    for (const exponent of [2, 3, -1, 0.5, 2.5]) {
      const c = b.constant("c", "f32", exponent === 2 ? [] : [1], Float32Array.of(exponent));
      b.output(b.node("pow", [x, c])[0]!, `${exponent}`);
    }
    const wide = b.constant("c", "f32", [1, 1, 1], Float32Array.of(2));
    b.output(b.node("pow", [x, wide])[0]!, "wide");
    const executor = createExecutor(kind, b.build());
    const values = [0.25, 1, 2, 3, 10];
    const got = await executor.run({ x: { data: Float32Array.from(values), shape: [1, 5], dtype: "f32" } });
    await executor.close();
    for (const [name, { data }] of Object.entries(got)) {
      const exponent = name === "wide" ? 2 : Number(name);
      (data as Float32Array).forEach((v, i) =>
        expect(Math.abs(v / values[i]! ** exponent - 1)).toBeLessThanOrEqual(2 * 2 ** -24),
      );
    }
  });
});
