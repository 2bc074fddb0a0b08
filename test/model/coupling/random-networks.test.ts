import { expect, test } from "vitest";
import { analyzeCoupling } from "../../../src/model/coupling.js";
import { Random } from "../../../src/model/random.js";
import { expectCutEqualsSilence, freeAtoms } from "../../support/coupling.js";
import { randomNetwork } from "../../support/networks.js";

const NETWORKS = 500;

test(`cutting equals silencing on ${NETWORKS} random architectures`, async () => {
  let cuts = 0;
  for (let seed = 1; seed <= NETWORKS; seed++) {
    const graph = randomNetwork(seed);
    const random = new Random(seed);
    const chosen = analyzeCoupling(graph).groups.flatMap((group) => {
      const free = freeAtoms(group);
      // Never all of a group: its axes must keep an index.
      const atoms = random.shuffle(free).slice(0, random.int(group.atoms.length));
      return atoms.length > 0 ? [{ group, atoms }] : [];
    });
    if (chosen.length === 0) continue;
    try {
      await expectCutEqualsSilence(graph, chosen);
    } catch (error) {
      if ((error as { code?: string }).code === "E_CUT") continue; // one side of a concatenation would be empty
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    cuts += chosen.length;
  }
  // The generator must not have degenerated into networks that cannot be cut.
  expect(cuts).toBeGreaterThan(NETWORKS);
}, 60_000);
