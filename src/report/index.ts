export type * from "./data.js";
export { formatBytes, formatCount, formatMs, formatPercent } from "./html.js";
export { renderReport } from "./render.js";
