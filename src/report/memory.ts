import { shorten } from "./bars.js";
import type { ReportData } from "./data.js";
import { formatBytes, html, Markup } from "./html.js";

/** What the standalone picture needs of the report's style sheet, in both colour schemes. */
const STYLE = `
svg{color-scheme:light dark;--bg:#fff;--ink:#1c2024;--soft:#60666d;--line:#c9cdd2;--grid:#eceef0;--pruned:#2368c4;--second:#7fb0ea;--third:#c9dff7;
font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;background:var(--bg)}
@media (prefers-color-scheme:dark){svg{--bg:#1c2024;--ink:#e8eaed;--soft:#9aa1a9;--line:#30363d;--grid:#272c32;--pruned:#6ba5f2;--second:#3f6fad;--third:#2b4568}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.title{font-size:15px;font-weight:600}
.grid{stroke:var(--grid)}.axis{stroke:var(--line)}.edge{stroke:var(--bg)}
.pruned{fill:var(--pruned)}.second{fill:var(--second)}.third{fill:var(--third)}`;

/** The same picture as a file of its own, with a title and what its axes are. */
export function memorySvg(title: string, memory: NonNullable<ReportData["memory"]>): string {
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 420" role="img" aria-label="${title}">
    <style>
      ${new Markup(STYLE)}
    </style>
    <text class="title" x="20" y="24">${title}</text>
    <text class="soft" x="20" y="44">
      ${memory.buffers.length} buffers in ${formatBytes(memory.bytes)}: across, the ${memory.steps.length} layers in the
      order they run; up, the place in memory. Buffers that share a place do not live at the same time.
    </text>
    <svg y="58" width="900" height="352" viewBox="0 0 900 352">${drawing(memory)}</svg>
  </svg> `.text;
}

/** Lifetimes over offsets: one rectangle for each buffer, as wide as it lives and as high as its bytes. */
export function memoryMap(memory: NonNullable<ReportData["memory"]>): Markup {
  return html`<svg viewBox="0 0 900 352" role="img" aria-label="Memory plan: buffers over steps and offsets">
    ${drawing(memory)}
  </svg>`;
}

function drawing(memory: NonNullable<ReportData["memory"]>): Markup {
  const left = 80;
  const right = 880;
  const top = 10;
  const bottom = 330;
  const last = Math.max(memory.steps.length - 1, ...memory.buffers.map((b) => b.to));
  const end = Math.max(1, memory.bytes, ...memory.buffers.map((b) => b.offset + b.bytes));
  const x = (step: number): number => left + ((right - left) * step) / (last + 1);
  const y = (offset: number): number => bottom - ((bottom - top) * offset) / end;
  const classes = ["pruned", "second", "third"];
  return html`${[0, 0.25, 0.5, 0.75, 1].map(
      (k) =>
        html`<path class="grid" d="M${left} ${y(k * end)}H${right}" /><text
            class="soft"
            x="${left - 8}"
            y="${y(k * end) + 4}"
            text-anchor="end"
            >${formatBytes(Math.round(k * end))}</text
          > `,
    )}${memory.buffers.map((b, i) => {
      const width = x(b.to + 1) - x(b.from);
      const height = y(b.offset) - y(b.offset + b.bytes);
      const room = Math.floor((width - 8) / 6.5);
      const label = height >= 15 && room >= 4 ? shorten(b.name, room) : "";
      // Only the pale shade lets dark text be read in both colour schemes.
      return html`<rect
          class="${label ? "third" : classes[i % 3]!} edge"
          x="${x(b.from)}"
          y="${y(b.offset + b.bytes)}"
          width="${width}"
          height="${height}"
          rx="2"
          ><title>${b.name}: ${b.bytes} bytes at ${b.offset}, steps ${b.from} to ${b.to}</title></rect
        >
        ${label && html`<text x="${x(b.from) + 5}" y="${y(b.offset + b.bytes / 2) + 4}" font-size="11">${label}</text>`}`;
    })}
    <path class="axis" d="M${left} ${bottom}H${right}" />
    <text class="soft" x="${left}" y="348">${memory.steps[0] ?? "start"}</text>
    <text class="soft" x="${right}" y="348" text-anchor="end">${memory.steps.at(-1) ?? "end"}</text>`;
}
