/** The checks of scripts/models on the sources: what tests and `npm run check:models` run is the same code. */
import { graphCost } from "../../src/analyzer/cost.js";
import { emit } from "../../src/emit/index.js";
import { readModel } from "../../src/formats/index.js";
import { createExecutor } from "../../src/host/executor.js";
import { getOp } from "../../src/model/ops/index.js";
import { simulateQuantisation } from "../../src/model/passes/simulate-quantisation.js";
import { Random } from "../../src/model/random.js";
import { shapeAt } from "../../src/model/types.js";
import type { Library } from "../../scripts/models/check.mjs";

export const library: Library = {
  readModel,
  createExecutor,
  emit,
  simulateQuantisation,
  graphCost,
  getOp,
  shapeAt,
  Random,
};
