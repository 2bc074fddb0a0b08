import { formatPercent, html, type Markup } from "./html.js";
import { niceTicks } from "./lines.js";

/** What the chart needs of a comparison. */
export interface CompareChartData {
  readonly dense: { readonly validation: number; readonly test: number | null };
  readonly rows: readonly {
    readonly criterion: string;
    readonly macs: number;
    readonly measuredShare: number | null;
    readonly validation: Band;
    readonly test: Band | null;
  }[];
}

interface Band {
  readonly mean: number;
  readonly min: number;
  readonly max: number;
}

/** Colours that stay apart without red and green (Okabe and Ito 2008); dashes tell a second round of them apart. */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000", "#8a8a00"];
const DASHES = ["", "6 4", "2 3"];

const PANEL = { width: 380, height: 260, left: 58, top: 34 };

interface Point {
  readonly x: number;
  readonly band: Band;
}

interface Series {
  readonly name: string;
  readonly colour: string;
  readonly dash: string;
  readonly points: readonly Point[];
}

/** Accuracy over MACs and over measured time: a line for each criterion, whiskers from the worst seed to the best. */
export function compareChart(data: CompareChartData): string {
  const names = [...new Set(data.rows.map((r) => r.criterion))];
  const bandOf = (row: CompareChartData["rows"][number]): Band => row.test ?? row.validation;
  const series = (x: (row: CompareChartData["rows"][number]) => number | null): Series[] =>
    names.map((name, i) => ({
      name,
      colour: COLOURS[i % COLOURS.length]!,
      dash: DASHES[Math.floor(i / COLOURS.length) % DASHES.length]!,
      points: data.rows
        .filter((r) => r.criterion === name)
        .flatMap((r) => (x(r) === null ? [] : [{ x: x(r)!, band: bandOf(r) }]))
        .sort((a, b) => a.x - b.x),
    }));
  const dense = data.dense.test ?? data.dense.validation;
  const byMacs = series((r) => r.macs);
  const byTime = series((r) => r.measuredShare);
  const timed = byTime.some((s) => s.points.length > 0);
  const panels = [
    panel(byMacs, dense, "MACs left", 0),
    ...(timed ? [panel(byTime, dense, "measured time, of the dense network's", PANEL.width + PANEL.left)] : []),
  ];
  const width = (PANEL.width + PANEL.left) * panels.length + 20;
  const perRow = Math.max(1, Math.floor((width - PANEL.left) / 130));
  const legendTop = PANEL.top + PANEL.height + 62;
  const height = legendTop + 20 * Math.ceil(names.length / perRow);
  return html`<svg
    xmlns="http://www.w3.org/2000/svg"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    font-family="system-ui, sans-serif"
    font-size="12"
    role="img"
    aria-label="Accuracy of pruned networks by criterion"
  >
    <rect width="100%" height="100%" fill="#fff" />
    <text x="${PANEL.left}" y="18" font-size="14">
      ${data.dense.test === null ? "Validation" : "Test"} accuracy after pruning, by criterion
    </text>
    ${panels}${byMacs.map((s, i) => {
      const x = PANEL.left + 130 * (i % perRow);
      const y = legendTop + 20 * Math.floor(i / perRow);
      return html`<path d="M${x} ${y - 4}h24" stroke="${s.colour}" stroke-width="2" stroke-dasharray="${s.dash}" /><text
          x="${x + 30}"
          y="${y}"
          >${s.name}</text
        >`;
    })}
  </svg> `.text;
}

function panel(all: readonly Series[], dense: number, label: string, left: number): Markup {
  const points = all.flatMap((s) => s.points);
  const xs = points.map((p) => p.x);
  const ys = points.flatMap((p) => [p.band.min, p.band.max]);
  const pad = (low: number, high: number): [number, number] => {
    const room = 0.08 * (high - low) || 0.01;
    return [low - room, high + room];
  };
  const [x0, x1] = pad(Math.min(...xs), Math.max(...xs));
  const [y0, y1] = pad(Math.min(...ys), Math.max(...ys, dense));
  const { width, height, top } = PANEL;
  const start = left + PANEL.left;
  const x = (v: number): number => start + ((v - x0) / (x1 - x0)) * width;
  const y = (v: number): number => top + height - ((v - y0) / (y1 - y0)) * height;
  return html`<g
    >${niceTicks(y0, y1, 6).map(
      (t) =>
        html`<path d="M${start} ${y(t)}h${width}" stroke="#e6e6e6" /><text
            x="${start - 6}"
            y="${y(t) + 4}"
            text-anchor="end"
            >${formatPercent(t, y1 - y0 < 0.04 ? 1 : 0)}</text
          >`,
    )}${niceTicks(x0, x1, 5).map(
      (t) =>
        html`<path d="M${x(t)} ${top + height}v4" stroke="#999" /><text
            x="${x(t)}"
            y="${top + height + 18}"
            text-anchor="middle"
            >${formatPercent(t, 0)}</text
          >`,
    )}<path d="M${start} ${y(dense)}h${width}" stroke="#666" stroke-dasharray="4 4" /><text
      x="${start + width}"
      y="${y(dense) - 5}"
      text-anchor="end"
      fill="#666"
      >dense</text
    ><text x="${start + width / 2}" y="${top + height + 36}" text-anchor="middle">${label}</text>${all.map((s) => {
      const line = s.points.map((p, i) => `${i === 0 ? "M" : "L"}${round(x(p.x))} ${round(y(p.band.mean))}`).join("");
      return html`<g stroke="${s.colour}" fill="${s.colour}"
        ><title>${s.name}</title
        >${line === "" ? "" : html`<path d="${line}" fill="none" stroke-width="2" stroke-dasharray="${s.dash}" />`}${s.points.map(
          (p) =>
            html`<path d="M${x(p.x)} ${y(p.band.min)}V${y(p.band.max)}" /><circle
                cx="${x(p.x)}"
                cy="${y(p.band.mean)}"
                r="3.5"
              />`,
        )}</g
      >`;
    })}</g
  >`;
}

const round = (v: number): number => Math.round(v * 10) / 10;
