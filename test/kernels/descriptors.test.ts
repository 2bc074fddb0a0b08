import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { EMITTED_OPS } from "../../src/emit/index.js";
import { KERNELS } from "../../src/kernels/descriptors.js";
import { getOp } from "../../src/model/ops/index.js";

test("every kernel has its file, and implements operators that exist", () => {
  for (const { name, implements: ops } of KERNELS) {
    expect(existsSync(new URL(`../../assembly/kernels/${name}.ts`, import.meta.url)), name).toBe(true);
    // Simulated models can be emitted, though no file has their operator.
    for (const op of ops) expect(getOp(op).internal ?? false).toBe(op === "requantize");
  }
});

test("the emitter takes exactly the operators that some kernel implements", () => {
  const implemented = new Set(KERNELS.flatMap((k) => k.implements));
  // Batch norm reaches the emitter as a multiplication and an addition, or folded into weights.
  implemented.delete("batch_norm");
  expect([...implemented].sort()).toEqual([...EMITTED_OPS]);
});
