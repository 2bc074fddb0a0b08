import { shorten } from "./bars.js";
import type { ReportData } from "./data.js";
import { formatBytes, html, type Markup } from "./html.js";

/** Lifetimes over offsets: one rectangle for each buffer, as wide as it lives and as high as its bytes. */
export function memoryMap(memory: NonNullable<ReportData["memory"]>): Markup {
  const left = 80;
  const right = 880;
  const top = 10;
  const bottom = 330;
  const last = Math.max(memory.steps.length - 1, ...memory.buffers.map((b) => b.to));
  const end = Math.max(1, memory.bytes, ...memory.buffers.map((b) => b.offset + b.bytes));
  const x = (step: number): number => left + ((right - left) * step) / (last + 1);
  const y = (offset: number): number => bottom - ((bottom - top) * offset) / end;
  const classes = ["pruned", "second", "third"];
  return html`<svg viewBox="0 0 900 352" role="img" aria-label="Memory plan: buffers over steps and offsets">
    ${[0, 0.25, 0.5, 0.75, 1].map(
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
    <text class="soft" x="${right}" y="348" text-anchor="end">${memory.steps.at(-1) ?? "end"}</text>
  </svg>`;
}
