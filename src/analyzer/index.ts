export { graphCost, type GraphCost, type NodeCost } from "./cost.js";
export { criterionNames, getCriterion } from "./criterion-registry.js";
export { NORMALISERS, type Criterion, type CriterionContext, type GroupContext, type Normaliser } from "./criterion.js";
export { measureFlow, type ChannelStats, type Flow, type Pair } from "./flow.js";
export { predictLatency, type LatencyPrediction, type NodeLatency } from "./latency.js";
export { layerDivergence, type LayerDivergence } from "./layer-divergence.js";
export { producersOf, type Producer } from "./producers.js";
export { flowFor, scoreGroups, scoreProducers, type GroupScores } from "./scores.js";
export { removableUnits, type Unit } from "./units.js";
