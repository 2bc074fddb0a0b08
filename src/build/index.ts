export { build } from "./build.js";
export { loadDevice, loadTarget } from "./targets.js";
export type { BuildOptions, BuildProgress, BuildResult, TestReport } from "./types.js";
