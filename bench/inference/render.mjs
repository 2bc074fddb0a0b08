// The report as a table for the terminal and as the page docs/benchmarks.md. Both are made from the JSON alone.
import { ENGINES } from "./engines.mjs";

const fixed = (value, digits = 2) => value.toFixed(digits);
/** Milliseconds with three digits that count. */
export const ms = (value) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toFixed(3);
const kB = (bytes) =>
  bytes >= 1e6
    ? `${fixed(bytes / 1e6, 1)} MB`
    : bytes >= 1e4
      ? `${fixed(bytes / 1e3, 0)} kB`
      : `${fixed(bytes / 1e3, 1)} kB`;
const MB = (bytes) => fixed(bytes / 1e6, 1);

const placeTitle = (name, place) =>
  name === "chromium" ? `Chromium ${place.chromium}` : `Node ${place.node} (V8 ${place.v8})`;

const enginesOf = (place) => Object.keys(ENGINES).filter((name) => place.networks.some((n) => n.engines[name]));
const rivalsOf = (place) => Object.keys(ENGINES).filter((name) => place.means[name]);
const loadRange = (place) => {
  const all = place.load.flat();
  return `${fixed(Math.min(...all), 1)} to ${fixed(Math.max(...all), 1)}`;
};

const line = (cells) => `| ${cells.join(" | ")} |`;
/** A Markdown table: the first column to the left, numbers to the right. */
function table(head, rows) {
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

const titleOf = (report, name) => report.networks.find((n) => n.name === name).title;

/** `1.62`, and in bold where ours is slower. */
const times = (value) => (value < 1 ? `**${fixed(value)}**` : fixed(value));

function timesTable(report, place) {
  const names = enginesOf(place);
  return table(
    ["network", "MMAC", ...names.map((n) => ENGINES[n].title)],
    place.networks.map((n) => [
      titleOf(report, n.network),
      fixed(n.macs / 1e6, 1),
      ...names.map((e) => {
        const t = n.engines[e];
        return t ? `${ms(t.median)} (${ms(t.p10)}–${ms(t.p90)})` : "–";
      }),
    ]),
  );
}

function ratioTable(report, place) {
  const rivals = rivalsOf(place);
  const cell = (r) => (r ? `${times(r.best.ratio)} (${r.simd ? fixed(r.simd.ratio) : "–"})` : "–");
  return table(
    ["network", ...rivals.map((n) => ENGINES[n].title)],
    [
      ...place.networks.map((n) => [titleOf(report, n.network), ...rivals.map((r) => cell(n.ratios[r]))]),
      ["geometric mean", ...rivals.map((r) => cell(place.means[r]))],
      ["the same of tenth percentiles", ...rivals.map((r) => cell(figureOf(place.means[r], "quiet")))],
      ...(rivals.some((r) => place.means[r].best.processor === null)
        ? []
        : [["the same of processor time", ...rivals.map((r) => cell(figureOf(place.means[r], "processor")))]]),
    ],
  );
}

/** Another figure of a mean in the place of the ratio of medians. */
const figureOf = (mean, figure) =>
  Object.fromEntries(Object.entries(mean).map(([key, values]) => [key, { ratio: values[figure] }]));

function coldTable(report, cold) {
  const engines = Object.keys(Object.values(cold)[0]);
  const cell = (c) =>
    c ? `${ms(c.loadMs)} + ${ms(c.firstMs)}; ${c.rssBytes === undefined ? MB(c.wasmBytes) : MB(c.rssBytes)}` : "–";
  return table(
    ["network", ...engines.map((e) => ENGINES[e]?.title ?? "ours")],
    Object.entries(cold).map(([network, row]) => [titleOf(report, network), ...engines.map((e) => cell(row[e]))]),
  );
}

const sizesTable = (report) =>
  table(
    ["network", "code simd", "code relaxed", "glue", "weights", "ONNX file", "TFLite file"],
    report.networks.map(({ title, bytes: { onnx, tflite, brotli, ...b } }) => [
      title,
      `${kB(b.code.simd)} (${kB(brotli.code.simd)})`,
      `${kB(b.code.relaxed)} (${kB(brotli.code.relaxed)})`,
      `${kB(b.glue)} (${kB(brotli.glue)})`,
      `${kB(b.weights)} (${kB(brotli.weights)})`,
      kB(onnx),
      kB(tflite),
    ]),
  );

const runtimesTable = (report) =>
  table(
    ["runtime", "raw", "brotli"],
    Object.entries(report.runtimes).map(([name, r]) => [
      ENGINES[name].title,
      kB(r.raw),
      r.brotli === null ? "–" : kB(r.brotli),
    ]),
  );

const scalingTable = ({ points }) =>
  table(
    ["layers", "ms (both variants)", "ms of processor", "ms per layer", "code simd", "bytes per layer"],
    points.map((p) => [
      p.layers,
      fixed(p.ms, 0),
      fixed(p.cpuMs, 0),
      fixed(p.cpuMs / p.layers, 1),
      kB(p.codeBytes.simd),
      fixed(p.codeBytes.simd / p.layers, 0),
    ]),
  );

const value = (v) => (v >= 100 ? fixed(v, 0) : fixed(v));

/** `met` and `missed`, with both sides. */
const targetsTable = (report) =>
  table(
    ["what", "measured", "by tenth percentiles", "by processor time", "required", "aim", ""],
    report.targets.map((t) => [
      [t.place, t.what, t.where && `(${t.where})`].filter(Boolean).join(" "),
      value(t.value),
      t.quiet === null ? "" : value(t.quiet),
      t.processor === null ? "" : value(t.processor),
      `${t.atMost ? "≤" : "≥"} ${t.required}`,
      t.aim === null ? "" : `${t.atMost ? "≤" : "≥"} ${t.aim}`,
      t.met ? "met" : "**missed**",
    ]),
  );

/** The largest relative error of each engine over the networks of a place. */
const errorsOf = (place) =>
  enginesOf(place)
    .map((name) => {
      const errors = place.networks.flatMap((n) => (n.engines[name] ? [n.engines[name].error] : []));
      return `${ENGINES[name].title} ${Math.max(...errors).toExponential(0)}`;
    })
    .join(", ");

/** Where a rival is faster than our best variant, or ours below its own target there. */
function defeats(report) {
  const lines = Object.entries(report.places).flatMap(([name, place]) =>
    place.networks.flatMap((n) =>
      Object.entries(n.ratios)
        .filter(([, r]) => r.best.ratio < 1)
        .map(
          ([rival, r]) =>
            `- ${placeTitle(name, place)}, ${titleOf(report, n.network)}: ${ENGINES[rival].title} takes ${fixed(r.best.ratio)} of our time.`,
        ),
    ),
  );
  return lines.length === 0 ? "None in this run." : lines.join("\n");
}

const versionsOf = ({ versions }) =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");

/** Load that others may cause before medians are in doubt. */
const QUIET_LOAD = 1;

const highestLoad = (report) =>
  Math.max(...report.machine.load, ...Object.values(report.places).flatMap((p) => p.load.flat()));

/** Said at the top when the machine was not ours alone. */
const busyNote = (report) =>
  highestLoad(report) - 1 <= QUIET_LOAD
    ? []
    : [
        `**The machine was busy**: load averages of up to ${fixed(highestLoad(report), 1)}, of which the bench itself is 1 to 2. Medians of interleaved samples then say little; tenth percentiles and processor time say more.`,
      ];

/** The page; `report` is what `--json` writes. */
export function renderPage(report) {
  const { machine } = report;
  const sections = Object.entries(report.places).flatMap(([name, place]) => [
    `## ${placeTitle(name, place)}`,
    `Median ms of one inference (tenth to ninetieth percentile), load average ${loadRange(place)}, ${place.networks.map((n) => n.rounds).reduce((a, b) => Math.min(a, b))} samples or more of each.`,
    timesTable(report, place),
    `Largest difference from the reference, as a share of the largest output: ${errorsOf(place)}.`,
    "How many times faster ours is, best variant (strict SIMD in parentheses); below 1, in bold, it is slower:",
    ratioTable(report, place),
    ...(report.cold[name]
      ? [
          `Cold start: ms to load runtime and model + ms of the first run; MB of ${name === "chromium" ? "WebAssembly memory" : "the process beyond bare Node"} after it:`,
          coldTable(report, report.cold[name]),
        ]
      : []),
  ]);
  return `${[
    "# Benchmarks",
    "_Written by `node bench/inference/run.mjs --docs`; do not edit. [The bench](../bench/inference/README.md) says how to run it._",
    `${report.date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} processors, ${fixed(machine.memoryBytes / 2 ** 30, 0)} GiB, ${machine.system}. Load average ${machine.load.map((l) => fixed(l, 1)).join(", ")} at the start. ${report.repeats === 1 ? "One run" : `${report.repeats} runs`} in fresh processes, medians over them; engines take turns in one process or page, one thread, batch 1, copies of input and output included. Every engine's output is within 1e-4 of our f64 reference in the same run.`,
    // What whoever ran it has to add, by hand in the file of figures.
    ...(report.remark ? [report.remark] : []),
    `Versions: ${versionsOf(report)}.`,
    ...busyNote(report),
    "## Targets",
    targetsTable(report),
    "## Defeats",
    defeats(report),
    ...sections,
    "## Sizes",
    "Raw, and as brotli in parentheses. A package is one variant's code, the glue and the weights; the others need a model file and a runtime.",
    sizesTable(report),
    ...(Object.keys(report.runtimes).length > 0 ? [runtimesTable(report)] : []),
    ...(report.emission || report.scaling ? ["## Emission"] : []),
    ...(report.emission
      ? [
          `${titleOf(report, report.emission.network)}, both variants, after start-up: ${fixed(report.emission.ms / 1000, 1)} s (${fixed(report.emission.cpuMs / 1000, 1)} s of processor time).`,
        ]
      : []),
    ...(report.scaling
      ? [
          "Networks in which no two layers are alike:",
          scalingTable(report.scaling),
          `Straight lines through them explain ${fixed(100 * report.scaling.time.r2, 1)} % of the processor time (${fixed(report.scaling.time.slope, 1)} ms a layer) and ${fixed(100 * report.scaling.size.r2, 1)} % of the bytes (${fixed(report.scaling.size.slope, 0)} a layer).`,
        ]
      : []),
    "## Not measured",
    "Other processors than the one above, Firefox and Safari, several threads, batches, integer models.",
  ].join("\n\n")}\n`;
}

/** The terminal's view: times, ratios, targets. */
export function renderTable(report) {
  const parts = Object.entries(report.places).flatMap(([name, place]) => [
    `\n${placeTitle(name, place)}: median ms (p10–p90), load ${loadRange(place)}`,
    align(timesTable(report, place)),
    "times faster than the rival, best variant (strict SIMD)",
    align(ratioTable(report, place)),
    ...(report.cold[name] ? ["load + first ms; MB of memory", align(coldTable(report, report.cold[name]))] : []),
  ]);
  return [
    ...parts,
    "\nbytes (brotli)",
    align(sizesTable(report)),
    ...(Object.keys(report.runtimes).length > 0 ? [align(runtimesTable(report))] : []),
    ...(report.scaling ? ["\nemission", align(scalingTable(report.scaling))] : []),
    "\ntargets",
    align(targetsTable(report)),
  ].join("\n");
}

/** A Markdown table with its columns aligned and its rule left out. */
function align(markdown) {
  const rows = markdown
    .replaceAll("**", "")
    .split("\n")
    .map((l) => l.slice(2, -2).split(" | "));
  const shown = rows.filter((_, i) => i !== 1);
  const widths = shown[0].map((_, i) => Math.max(...shown.map((r) => r[i].length)));
  return shown
    .map((r) => r.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "))
    .join("\n");
}
