import type { ReportData, ReportRemoval } from "./data.js";
import { formatCount, formatMs, formatPercent, html, type Markup } from "./html.js";

const score = (v: number): string => (v === 0 ? "0" : v.toPrecision(3));

/** "3" or "3 – 7": a range whose ends read alike is one value. */
function range([low, high]: readonly [number, number], format: (v: number) => string): string {
  const [from, to] = [format(low), format(high)];
  return from === to ? from : `${from} – ${to}`;
}

const signed = (v: number, format: (v: number) => string): string => (v < 0 ? `−${format(-v)}` : format(v));

/** Every single removal of every step: what, which, its score and rank, and what it alone saved. */
export function removalsSection(data: ReportData): Markup {
  if (!data.ledger.some((s) => s.removals?.length)) return html``;
  const before = accuraciesBefore(data);
  const row = (r: ReportRemoval, i: number, last: boolean): Markup => {
    const { accepted, metric } = data.ledger[i]!;
    const share = (v: number | undefined): string => (v === undefined ? "–" : formatPercent(v, 2));
    return html`<tr>
      <td class="num">${i + 1}</td>
      <td>${r.what}${!accepted && " (put back)"}</td>
      <td>${r.which}</td>
      <td class="num">${range(r.score, score)}</td>
      <td class="num">${range(r.rank, String)}</td>
      <td class="num">${signed(r.macs, formatCount)}</td>
      <td class="num">${signed(r.params, formatCount)}</td>
      <td class="num">${signed(r.ms, formatMs)}</td>
      <td class="num">${last && `${share(before[i])} → ${share(metric)}`}</td>
    </tr> `;
  };
  return html`<section>
    <h2>Removals</h2>
    <p class="note">
      What each took off the network, on top of those above it in the same step; the time is predicted. Scores compare
      within a group, ranks over all groups. Accuracy is that before and after the whole step.
    </p>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th class="num">step</th>
            <th>of</th>
            <th>what went</th>
            <th class="num">score</th>
            <th class="num">rank</th>
            <th class="num">MACs saved</th>
            <th class="num">parameters saved</th>
            <th class="num">time saved</th>
            <th class="num">${data.metric?.name ?? "metric"}</th>
          </tr>
        </thead>
        <tbody>
          ${data.ledger.map((s, i) => (s.removals ?? []).map((r, k, all) => row(r, i, k === all.length - 1)))}
        </tbody>
      </table>
    </div>
  </section>`;
}

/** What the network was worth before each step: that of the last accepted one. */
function accuraciesBefore({ ledger, metric }: ReportData): (number | undefined)[] {
  let now = metric?.dense;
  return ledger.map((s) => {
    const before = now;
    if (s.accepted && s.metric !== undefined) now = s.metric;
    return before;
  });
}
