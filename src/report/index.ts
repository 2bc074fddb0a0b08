export type * from "./data.js";
export { formatBytes, formatCount, formatMs, formatPercent } from "./html.js";
export { memorySvg } from "./memory.js";
export { renderReport } from "./render.js";
