import { test } from "vitest";
import { elementwiseGroups } from "../support/op-cases/elementwise.js";
import { expectEmitted } from "./cases.js";

test.each(Object.entries(elementwiseGroups))("%s: every variant is within the bound of the reference", (_name, cases) =>
  expectEmitted(cases),
);
