import { expect, test } from "vitest";
import { resolveOptions } from "../../src/pruner/options.js";
import { PRUNE_DEFAULTS } from "../../src/pruner/defaults.js";
import { profile } from "./support.js";

const base = { seed: 0, profile, channelMultiple: 4 };

test("defaults fill what is not given; undefined is not given", () => {
  const options = resolveOptions({ ...base, rho0: 0.2, alpha: undefined });
  expect(options).toMatchObject({
    rho0: 0.2,
    alpha: PRUNE_DEFAULTS.alpha,
    maxDrop: PRUNE_DEFAULTS.maxDrop,
    oneShot: false,
  });
});

test.each([
  [{ maxDrop: -1 }, "max-drop"],
  [{ maxDrop: NaN }, "max-drop"],
  [{ rho0: 0 }, "rho0"],
  [{ iterations: 1.5 }, "iterations"],
  [{ seed: -3 }, "seed"],
  [{ target: { macs: 1.2 } }, "target MACs"],
  [{ target: { ms: 0 } }, "target ms"],
  [{ lr: 0 }, "learning-rate"],
  [{ finalLr: NaN }, "learning-rate"],
])("%j is refused by name", (wrong, name) => {
  expect(() => resolveOptions({ ...base, ...wrong })).toThrowError(
    expect.objectContaining({ code: "E_OPTION", message: expect.stringContaining(name) }),
  );
});

test("one-shot ranks by reconstruction, unless a criterion is named: that one keeps its normaliser", () => {
  const oneShot = { ...base, oneShot: true };
  expect(resolveOptions(oneShot)).toMatchObject({
    criterion: "reconstruction",
    normaliser: "none",
    maxRemovals: 0,
  });
  expect(resolveOptions({ ...oneShot, maxRemovals: 2 }).maxRemovals).toBe(2);
  expect(resolveOptions({ ...oneShot, criterion: "divergence" })).toMatchObject({
    criterion: "divergence",
    normaliser: PRUNE_DEFAULTS.normaliser,
  });
});
