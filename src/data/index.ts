export { DATA_FORMATS, loadData } from "./load.js";
export { dataSetFrom, type GivenData, type GivenSamples } from "./given.js";
export { checkFits, fitToModel, sampleShapeOf } from "./fit.js";
export { parseFeatures } from "./audio/parse-features.js";
export type { AudioFeatures } from "./audio/features.js";
export { describeNormalisation, parseNormalisation } from "./normalize.js";
export type { DataFormat, DataSet, LoadOptions, Normalisation } from "./types.js";
