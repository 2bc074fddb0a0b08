import type { ReportLatency, ReportLayer } from "./data.js";
import { formatBytes, formatCount, formatMs, html, type Markup } from "./html.js";

const WIDTH = 900;
const LABEL = 210;

/** Shortens from the middle: the ends of a layer's name tell more than its centre. */
export function shorten(name: string, max: number): string {
  if (name.length <= max) return name;
  const head = Math.ceil((max - 1) / 2);
  return `${name.slice(0, head)}…${name.slice(name.length - (max - 1 - head))}`;
}

/** Two columns of bars, MACs and parameters, one row for each layer: dense behind, pruned in front. */
export function layerBars(layers: readonly ReportLayer[]): Markup {
  const row = 22;
  const top = 24;
  const height = top + layers.length * row + 4;
  const columns = [
    { title: "multiply-accumulates", key: "macs" as const, left: LABEL, width: 250 },
    { title: "parameters", key: "params" as const, left: LABEL + 360, width: 220 },
  ];
  return html`<svg
    viewBox="0 0 ${WIDTH} ${height}"
    role="img"
    aria-label="MACs and parameters of each layer, dense and pruned"
  >
    ${columns.map((c) => html`<text class="soft" x="${c.left}" y="14">${c.title}</text>`)}
    ${layers.map((layer, i) => {
      const y = top + i * row;
      return html`<g
        ><title>${layer.name} (${layer.op})</title>
        <text x="${LABEL - 10}" y="${y + 13}" text-anchor="end">${shorten(layer.name, 30)}</text>
        ${columns.map((c) => {
          const most = Math.max(1, ...layers.map((l) => l[c.key].dense));
          const { dense, pruned } = layer[c.key];
          const share = pruned !== null && pruned < dense ? ` (−${Math.round(100 * (1 - pruned / dense))} %)` : "";
          const text = pruned === null ? "removed" : dense === 0 ? "" : `${formatCount(pruned)}${share}`;
          const end = (c.width * dense) / most;
          return html`<rect class="dense" x="${c.left}" y="${y + 2}" width="${end}" height="14" rx="2" />
            <rect
              class="pruned"
              x="${c.left}"
              y="${y + 2}"
              width="${(c.width * (pruned ?? 0)) / most}"
              height="14"
              rx="2"
            />
            <text class="soft" x="${c.left + end + 6}" y="${y + 13}" font-size="11">${text}</text>`;
        })}</g
      > `;
    })}
  </svg>`;
}

export interface StackRow {
  readonly label: string;
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

/** Class of the n-th part of a stack; more than three kinds of bytes would not be told apart. */
export const STACK_CLASSES = ["pruned", "second", "third"] as const;

/** Stacked bars of bytes: weights, code, glue. */
export function sizeBars(rows: readonly StackRow[]): Markup {
  const row = 30;
  const total = (r: StackRow): number => r.parts.reduce((n, p) => n + p.bytes, 0);
  const most = Math.max(1, ...rows.map(total));
  const width = WIDTH - LABEL - 100;
  return html`<svg viewBox="0 0 ${WIDTH} ${rows.length * row + 4}" role="img" aria-label="Bytes of the packages">
    ${rows.map((r, i) => {
      let x = LABEL;
      const y = i * row + 4;
      return html`<text x="${LABEL - 10}" y="${y + 15}" text-anchor="end">${r.label}</text> ${r.parts.map((p, k) => {
          const w = (width * p.bytes) / most;
          const bar = html`<rect
            class="${STACK_CLASSES[Math.min(k, 2)]} edge"
            x="${x}"
            y="${y}"
            width="${w}"
            height="20"
            rx="2"
            ><title>${p.name}: ${p.bytes} bytes</title></rect
          >`;
          x += w;
          return bar;
        })}<text class="soft" x="${x + 6}" y="${y + 15}">${formatBytes(total(r))}</text> `;
    })}
  </svg>`;
}

/** Medians as bars, with a whisker up to the 90th percentile where one was measured. */
export function latencyBars(entries: readonly ReportLatency[]): Markup {
  const row = 30;
  const most = Math.max(1e-9, ...entries.map((e) => Math.max(e.p50Ms, e.p90Ms ?? 0)));
  const width = WIDTH - LABEL - 100;
  // A prediction is compared with a prediction, a measurement with a measurement.
  const base = (e: ReportLatency): ReportLatency => entries.find((o) => !o.predicted === !e.predicted)!;
  return html`<svg viewBox="0 0 ${WIDTH} ${entries.length * row + 4}" role="img" aria-label="Latency">
    ${entries.map((e, i) => {
      const y = i * row + 4;
      const end = LABEL + (width * e.p50Ms) / most;
      const whisker = LABEL + (width * (e.p90Ms ?? e.p50Ms)) / most;
      const ratio = base(e) !== e && e.p50Ms > 0 ? ` · ${(base(e).p50Ms / e.p50Ms).toFixed(2)} ×` : "";
      const alone = entries.every((o) => o === e || !o.predicted !== !e.predicted);
      return html`<text x="${LABEL - 10}" y="${y + 15}" text-anchor="end">${shorten(e.label, 30)}</text>
        <rect
          class="${base(e) === e && !alone ? "dense" : "pruned"}"
          x="${LABEL}"
          y="${y}"
          width="${end - LABEL}"
          height="20"
          rx="2"
        />
        ${e.p90Ms === undefined ? "" : html`<path d="M${end} ${y + 10}H${whisker}M${whisker} ${y + 5}V${y + 15}" stroke="currentColor" fill="none"><title>p90 ${formatMs(e.p90Ms)}</title></path>`}
        <text class="soft" x="${whisker + 6}" y="${y + 15}">${formatMs(e.p50Ms)}${ratio}</text> `;
    })}
  </svg>`;
}
