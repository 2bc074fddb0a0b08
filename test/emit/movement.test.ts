import { describe, test } from "vitest";
import type { OpCase } from "../support/op-cases.js";
import { movementCases } from "../support/op-cases/movement.js";
import { expectEmitted } from "./cases.js";

const byOperator = new Map<string, OpCase[]>();
for (const c of movementCases) byOperator.set(c.op, [...(byOperator.get(c.op) ?? []), c]);

/** All cases of an operator as one module. */
describe.each([...byOperator])("%s as emitted", (_op, cases) => {
  test("every variant is within the bound of the reference", () => expectEmitted(cases));
});
