export { removeDeadNodes } from "./dead-nodes.js";
export { foldBatchNorm } from "./fold-batch-norm.js";
export { foldConstants } from "./fold-constants.js";
export { insertBatchNorm, type ChannelStatistics } from "./insert-batch-norm.js";
export { simulateQuantisation } from "./simulate-quantisation.js";
export { cancelTransposes } from "./transposes.js";
