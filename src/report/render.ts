import { latencyBars, layerBars, sizeBars, STACK_CLASSES, type StackRow } from "./bars.js";
import type { Pair, ReportBytes, ReportData } from "./data.js";
import { formatBytes, formatCount, formatMs, formatPercent, html, Markup } from "./html.js";
import { stepChart } from "./lines.js";
import { memoryMap } from "./memory.js";
import { removalsSection } from "./removals.js";
import { STYLE } from "./style.js";

/**
 * One self-contained HTML page: no script, no request, static SVG, light and dark.
 * Shows what `data` holds and nothing else; equal data give equal bytes.
 */
export function renderReport(data: ReportData): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${data.name} · idap</title>
        <style>
          ${new Markup(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <h1>${data.name}</h1>
          <p>
            <span class="pill ${data.accepted ? "ok" : "no"}">${data.accepted ? "accepted" : "refused"}</span
            >${data.reason ?? summary(data)}
          </p>
          ${cards(data)} ${stepsSection(data)}
          ${data.layers?.length ? section("Layers", "Grey: dense. Blue: what is left.", layerBars(data.layers)) : ""}
          ${ledgerSection(data)} ${removalsSection(data)} ${sizesSection(data)} ${latencySection(data)}
          ${data.memory ? section("Memory plan", `${formatBytes(data.memory.bytes)} in all, fixed before the first run. Left to right: the steps of one run; bottom to top: offsets.`, memoryMap(data.memory)) : ""}
          ${refusalsSection(data)} ${factsSection(data)}
        </main>
      </body>
    </html> `;
  return page.text;
}

function summary(data: ReportData): string {
  return `${saving(data.macs)} of the multiply-accumulates and ${saving(data.params)} of the parameters are gone.`;
}

/** 0.42 → "42 %"; never rounded up to a claim that was not reached. */
function saving({ dense, pruned }: Pair): string {
  return dense > 0 ? `${Math.floor(1000 * (1 - pruned / dense)) / 10} %` : "0 %";
}

function section(title: string, note: Markup | string, body: Markup): Markup {
  return html`<section>
    <h2>${title}</h2>
    <p class="note">${note}</p>
    <figure>${body}</figure>
  </section>`;
}

function card(label: string, value: string, detail: string): Markup {
  return html`<div class="card">
    <span>${label}</span><b>${value}</b><span>${detail.replaceAll(" %", "\u00a0%")}</span>
  </div> `;
}

function totalBytes(b: ReportBytes): number {
  return b.weights + b.code + b.glue;
}

function cards(data: ReportData): Markup {
  const { metric, test, bytes, arenaBytes, latency, error } = data;
  const list: Markup[] = [];
  if (test) {
    const interval =
      test.low === undefined || test.high === undefined
        ? ""
        : `, 95 %: ${test.low.toFixed(2)} to ${test.high.toFixed(2)}`;
    list.push(
      card(
        `test ${metric?.name ?? "accuracy"}, ${test.samples} samples`,
        formatPercent(test.pruned, 2),
        `dense ${formatPercent(test.dense, 2)}; ${test.dropPoints.toFixed(2)} points lost${interval}`,
      ),
    );
  }
  if (metric) {
    list.push(
      card(`validation ${metric.name}`, formatPercent(metric.pruned, 2), `dense ${formatPercent(metric.dense, 2)}`),
    );
  }
  list.push(
    card("MACs", formatCount(data.macs.pruned), `dense ${formatCount(data.macs.dense)}; −${saving(data.macs)}`),
  );
  list.push(
    card(
      "parameters",
      formatCount(data.params.pruned),
      `dense ${formatCount(data.params.dense)}; −${saving(data.params)}`,
    ),
  );
  if (bytes) {
    const dense = bytes.dense ? `dense ${formatBytes(totalBytes(bytes.dense))}` : "code, glue and weights";
    list.push(card("package", formatBytes(totalBytes(bytes.pruned)), dense));
  }
  if (arenaBytes) {
    const dense = arenaBytes.dense === undefined ? "activations" : `dense ${formatBytes(arenaBytes.dense)}`;
    list.push(card("arena", formatBytes(arenaBytes.pruned), dense));
  }
  const [first, ...rest] = latency?.entries ?? [];
  const best = rest.filter((e) => !e.predicted === !first?.predicted).sort((a, b) => a.p50Ms - b.p50Ms)[0] ?? first;
  if (latency && first && best) {
    const detail = best === first ? best.label : `${first.label} ${formatMs(first.p50Ms)}`;
    list.push(card(best.predicted ? "predicted" : "measured, p50", formatMs(best.p50Ms), detail));
  }
  if (error) {
    const bound =
      error.bound === undefined ? "against the host" : `against the host; bound ${error.bound.toExponential(1)}`;
    list.push(card("largest error", error.measured.toExponential(1), bound));
  }
  return html`<div class="cards">${list}</div>`;
}

function stepsSection(data: ReportData): Markup {
  const chart = stepChart(data);
  if (chart.text === "") return chart;
  return section(
    "Accuracy over the steps",
    `Validation ${data.metric!.name} after each step and its recovery. Filled: accepted; hollow: rolled back; dashed: the budget.`,
    chart,
  );
}

function ledgerSection(data: ReportData): Markup {
  if (data.ledger.length === 0) return html``;
  const timed = data.ledger.some((s) => s.measuredMs !== undefined || s.predictedMs !== undefined);
  return html`<section>
    <h2>Ledger</h2>
    <p class="note">Every step that was tried, in order: what, why, what it saved and what it cost.</p>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th class="num">#</th>
            <th>step</th>
            <th>why</th>
            <th>outcome</th>
            <th class="num">MACs</th>
            <th class="num">parameters</th>
            <th class="num">${data.metric?.name ?? "metric"}</th>
            ${timed && html`<th class="num">ms</th>`}
          </tr>
        </thead>
        <tbody>
          ${data.ledger.map(
            (s, i) =>
              html`<tr>
                <td class="num">${i + 1}</td>
                <td>${s.what}</td>
                <td>${s.why}</td>
                <td>
                  <span class="${s.accepted ? "ok" : "no"}">${s.accepted ? "accepted" : "rolled back"}</span
                  >${s.reason && `: ${s.reason}`}
                </td>
                <td class="num">${formatCount(s.macs)}</td>
                <td class="num">${formatCount(s.params)}</td>
                <td class="num">${s.metric === undefined ? "–" : formatPercent(s.metric, 2)}</td>
                ${timed && html`<td class="num">${s.measuredMs !== undefined ? formatMs(s.measuredMs) : s.predictedMs !== undefined ? `≈ ${formatMs(s.predictedMs)}` : "–"}</td>`}
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function sizesSection(data: ReportData): Markup {
  const { bytes } = data;
  if (!bytes) return html``;
  const rows: StackRow[] = [];
  const raw = (label: string, b: ReportBytes): StackRow => ({
    label,
    parts: [
      { name: "weights", bytes: b.weights },
      { name: "code", bytes: b.code },
      { name: "glue", bytes: b.glue },
    ],
  });
  const packed = (label: string, b: ReportBytes): StackRow | null =>
    b.weightsBrotli === undefined || b.codeBrotli === undefined || b.glueBrotli === undefined
      ? null
      : raw(label, { weights: b.weightsBrotli, code: b.codeBrotli, glue: b.glueBrotli });
  if (bytes.dense) rows.push(raw("dense", bytes.dense));
  rows.push(raw("pruned", bytes.pruned));
  const denseBrotli = bytes.dense && packed("dense, brotli", bytes.dense);
  const prunedBrotli = packed("pruned, brotli", bytes.pruned);
  if (denseBrotli) rows.push(denseBrotli);
  if (prunedBrotli) rows.push(prunedBrotli);
  const key = STACK_CLASSES.map((c, i) => html`<i class="key ${c}"></i>${["weights", "code", "glue"][i]}`);
  return section("Bytes", html`${key}`, sizeBars(rows));
}

function latencySection(data: ReportData): Markup {
  if (!data.latency?.entries.length) return html``;
  return section(
    "Latency",
    `${data.latency.device}. Medians; whiskers reach to the 90th percentile.`,
    latencyBars(data.latency.entries.map((e) => (e.predicted ? { ...e, label: `${e.label}, predicted` } : e))),
  );
}

function refusalsSection(data: ReportData): Markup {
  if (!data.refusals?.length) return html``;
  return html`<section>
    <h2>Not done, and why</h2>
    <div class="scroll">
      <table>
        <tbody>
          ${data.refusals.map(
            (r) =>
              html`<tr>
                <td>${r.what}</td>
                <td>${r.why}</td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function factsSection(data: ReportData): Markup {
  if (!data.facts?.length) return html``;
  return html`<section>
    <h2>How this was built</h2>
    <div class="scroll">
      <table>
        <tbody>
          ${data.facts.map(
            ([name, value]) =>
              html`<tr>
                <th>${name}</th>
                <td><code>${value}</code></td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}
