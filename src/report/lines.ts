import type { ReportData } from "./data.js";
import { formatPercent, html, type Markup } from "./html.js";

const WIDTH = 900;
const LEFT = 60;
const RIGHT = 880;

/**
 * Accuracy and remaining MACs over the steps that were tried: filled dots were accepted and joined by a line,
 * hollow ones were rolled back. The dashed line is the accuracy budget.
 */
export function stepChart(data: ReportData): Markup {
  const metric = data.metric;
  const steps = data.ledger;
  const scored = steps.filter((s) => s.metric !== undefined).map((s) => s.metric!);
  if (!metric || scored.length === 0) return html``;
  const limit = metric.maxDropPoints === undefined ? null : metric.dense - metric.maxDropPoints / 100;
  const values = [metric.dense, ...scored, ...(limit === null ? [] : [limit])];
  // A rolled-back step may have crashed to chance level; it must not flatten what was accepted.
  const accepted = [metric.dense, ...steps.filter((s) => s.accepted && s.metric !== undefined).map((s) => s.metric!)];
  const spread = Math.max(...accepted, limit ?? 0) - Math.min(...accepted, limit ?? 1) || 0.02;
  const high = Math.min(1.001, Math.max(...values) + 0.15 * spread);
  const low = Math.max(Math.min(...values) - 0.15 * spread, Math.min(...accepted, limit ?? 1) - 1.5 * spread);
  const x = (i: number): number => LEFT + ((RIGHT - LEFT) * i) / steps.length;
  const [top, bottom] = [14, 184];
  const y = (v: number): number => bottom - ((bottom - top) * (Math.max(low, Math.min(high, v)) - low)) / (high - low);
  const [macTop, macBottom] = [220, 290];
  const share = (macs: number): number => macBottom - ((macBottom - macTop) * macs) / Math.max(1, data.macs.dense);

  const line: string[] = [`M${f(x(0))} ${f(y(metric.dense))}`];
  const area: string[] = [`M${f(x(0))} ${macBottom}V${f(share(data.macs.dense))}`];
  steps.forEach((s, i) => {
    if (!s.accepted) return;
    if (s.metric !== undefined) line.push(`L${f(x(i + 1))} ${f(y(s.metric))}`);
    area.push(`L${f(x(i + 1))} ${f(share(s.macs))}`);
  });
  area.push(`H${RIGHT}V${macBottom}Z`);
  const ticks = niceTicks(low, high, 5);
  return html`<svg viewBox="0 0 ${WIDTH} 312" role="img" aria-label="Accuracy and remaining MACs over the steps">
    ${ticks.map(
      (t) =>
        html`<path class="grid" d="M${LEFT} ${y(t)}H${RIGHT}" /><text
            class="soft"
            x="${LEFT - 8}"
            y="${y(t) + 4}"
            text-anchor="end"
            >${formatPercent(t, spread < 0.03 ? 1 : 0)}</text
          > `,
    )}${limit === null ? "" : html`<path class="limit" d="M${LEFT} ${y(limit)}H${RIGHT}" /><text class="soft" x="${RIGHT}" y="${y(limit) + 15}" text-anchor="end">budget</text>`}
    <path class="path" d="${line.join("")}" />
    <circle class="dense" cx="${x(0)}" cy="${y(metric.dense)}" r="5">
      <title>dense: ${formatPercent(metric.dense, 2)}</title>
    </circle>
    ${steps.map((s, i) =>
      s.metric === undefined
        ? ""
        : html`<circle class="${s.accepted ? "pruned" : "hollow"}" cx="${x(i + 1)}" cy="${y(s.metric)}" r="4.5"
            ><title>${s.what}: ${formatPercent(s.metric, 2)}${s.accepted ? "" : " (rolled back)"}</title></circle
          > `,
    )}
    <text class="soft" x="${LEFT - 8}" y="${macTop + 4}" text-anchor="end">100 %</text>
    <text class="soft" x="${LEFT - 8}" y="${macBottom + 4}" text-anchor="end">0 %</text>
    <path class="third" d="${area.join("")}" />
    <path class="axis" d="M${LEFT} ${macBottom}H${RIGHT}" />
    <text class="soft" x="${LEFT}" y="${macTop - 8}">MACs left</text>
    <text class="soft" x="${RIGHT}" y="308" text-anchor="end">steps tried: ${steps.length}</text>
  </svg>`;
}

/** Round values between low and high: at most `count` + 1 of them, 1, 2 or 5 times a power of ten apart. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const raw = (high - low) / count;
  if (!(raw > 0)) return [low];
  let unit = 1;
  while (unit > raw) unit /= 10;
  while (unit * 10 <= raw) unit *= 10;
  const step = unit * ([1, 2, 5, 10].find((m) => unit * m >= raw) ?? 10);
  const ticks: number[] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) ticks.push(k * step);
  return ticks;
}

function f(v: number): string {
  return String(Math.round(v * 10) / 10);
}
