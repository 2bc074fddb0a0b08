export { build, buildForDevices } from "./build.js";
export { calibrate, type CalibrateOptions } from "./calibrate.js";
export {
  compare,
  type CompareOptions,
  type CompareResult,
  type CompareRow,
  type CompareRun,
  type CompareStages,
} from "./compare.js";
export { memoryPlanSvg } from "./memory-figure.js";
export { loadDevice, loadTarget } from "./targets.js";
export { SLOWED } from "./time-on.js";
export type { BuildOptions, BuildProgress, BuildResult, DeviceBudget, DevicesResult, TestReport } from "./types.js";
