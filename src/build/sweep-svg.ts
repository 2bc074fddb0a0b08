/** The picture of a sweep: a standalone SVG, a panel for each device, accuracy over predicted milliseconds. */
import type { SweptStep } from "./sweep.js";

export interface SweptDevice {
  readonly device: string;
  /** What the accuracy is. */
  readonly metric: string | null;
  readonly budgetMs: number | null;
  readonly maxDropPoints: number | null;
  readonly steps: readonly SweptStep[];
}

const WIDTH = 640;
const PANEL = 300;
const MARGIN = { left: 64, right: 24, top: 44, bottom: 48 };
const COLOUR = { step: "#3b6ea5", final: "#1b7f4d", dense: "#555", limit: "#b03a2e" };

const escape = (text: string): string =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
const round = (v: number): number => Math.round(v * 100) / 100;

/** A step of 1, 2 or 5 times a power of ten of which about `count` fit the span. */
function tickStep(span: number, count: number): number {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough)!;
}

function ticks(low: number, high: number, count: number): number[] {
  const step = tickStep(high - low, count);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

const label = (v: number): string => String(Number(v.toPrecision(4)));

function panel({ device, metric, budgetMs, maxDropPoints, steps }: SweptDevice, top: number): string {
  const drawn = steps.filter((s) => s.accuracy !== null);
  const title = `<text x="${MARGIN.left}" y="${top + 26}" font-size="15" font-weight="600">${escape(device)}</text>`;
  if (drawn.length === 0) return `${title}<text x="${MARGIN.left}" y="${top + 60}">nothing was accepted</text>`;
  const dense = drawn.find((s) => s.kind === "dense");
  const limit = dense && maxDropPoints !== null ? 100 * dense.accuracy! - maxDropPoints : null;
  const accuracies = [...drawn.map((s) => 100 * s.accuracy!), ...(limit === null ? [] : [limit])];
  const times = [...drawn.map((s) => s.ms), ...(budgetMs === null ? [] : [budgetMs])];
  const pad = (low: number, high: number): [number, number] => {
    const by = 0.06 * (high - low || Math.abs(high) || 1);
    return [low - by, high + by];
  };
  const [x0, x1] = pad(Math.min(...times), Math.max(...times));
  const [y0, y1] = pad(Math.min(...accuracies), Math.max(...accuracies));
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right];
  const [high, low] = [top + MARGIN.top, top + PANEL - MARGIN.bottom];
  const x = (ms: number): number => round(left + ((ms - x0) / (x1 - x0)) * (right - left));
  const y = (a: number): number => round(low - ((a - y0) / (y1 - y0)) * (low - high));
  const line = (a: number, b: number, c: number, d: number, style: string): string =>
    `<line x1="${a}" y1="${b}" x2="${c}" y2="${d}" ${style}/>`;
  const grid = 'stroke="#ddd"';
  const parts = [title];
  for (const t of ticks(x0, x1, 6)) {
    parts.push(line(x(t), high, x(t), low, grid));
    parts.push(`<text x="${x(t)}" y="${low + 18}" text-anchor="middle">${label(t)}</text>`);
  }
  for (const t of ticks(y0, y1, 5)) {
    parts.push(line(left, y(t), right, y(t), grid));
    parts.push(`<text x="${left - 8}" y="${y(t) + 4}" text-anchor="end">${label(t)}</text>`);
  }
  const axis = metric === "agreement" ? "agreement with the dense network, %" : "accuracy on validation, %";
  parts.push(`<text x="${(left + right) / 2}" y="${low + 38}" text-anchor="middle">predicted ms</text>`);
  parts.push(`<text transform="translate(16 ${(high + low) / 2}) rotate(-90)" text-anchor="middle">${axis}</text>`);
  const dashed = `stroke="${COLOUR.limit}" stroke-dasharray="5 4"`;
  if (limit !== null) parts.push(line(left, y(limit), right, y(limit), dashed));
  if (budgetMs !== null) parts.push(line(x(budgetMs), high, x(budgetMs), low, dashed));
  const path = drawn.filter((s) => s.kind !== "final");
  parts.push(
    `<polyline points="${path.map((s) => `${x(s.ms)},${y(100 * s.accuracy!)}`).join(" ")}" fill="none" stroke="${COLOUR.step}"/>`,
  );
  for (const s of drawn) {
    const at = `cx="${x(s.ms)}" cy="${y(100 * s.accuracy!)}"`;
    const what = `${s.graph}: ${label(s.ms)} ms, ${(100 * s.accuracy!).toFixed(2)} %`;
    parts.push(`<circle ${at} r="4" fill="${COLOUR[s.kind]}"><title>${escape(what)}</title></circle>`);
    if (!s.chosen) continue;
    parts.push(`<circle class="chosen" ${at} r="9" fill="none" stroke="${COLOUR.final}" stroke-width="2"/>`);
    const end = x(s.ms) > (left + right) / 2 ? ["end", -14] : ["start", 14];
    parts.push(
      `<text x="${x(s.ms) + Number(end[1])}" y="${y(100 * s.accuracy!) + 4}" text-anchor="${end[0]}" font-weight="600">chosen: ${label(s.ms)} ms</text>`,
    );
  }
  return parts.join("\n");
}

export function sweepSvg(devices: readonly SweptDevice[]): string {
  const height = devices.length * PANEL + 28;
  const key = [
    ["dense", "dense"],
    ["step", "accepted"],
    ["final", "fine-tuned"],
  ] as const;
  const legend = key
    .map(
      ([kind, text], i) =>
        `<circle cx="${MARGIN.left + 110 * i}" cy="${height - 16}" r="4" fill="${COLOUR[kind]}"/>` +
        `<text x="${MARGIN.left + 10 + 110 * i}" y="${height - 12}">${text}</text>`,
    )
    .join("");
  const limits = `<text x="${MARGIN.left + 330}" y="${height - 12}" fill="${COLOUR.limit}">dashed: the limits</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#222" role="img" aria-label="accuracy over milliseconds">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${devices.map((d, i) => panel(d, i * PANEL)).join("\n")}
${legend}${limits}
</svg>
`;
}
