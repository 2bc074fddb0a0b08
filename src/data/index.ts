export { DATA_FORMATS, loadData } from "./load.js";
export { checkFits, fitToModel } from "./fit.js";
export { describeNormalisation, parseNormalisation } from "./normalize.js";
export type { DataFormat, DataSet, LoadOptions, Normalisation } from "./types.js";
