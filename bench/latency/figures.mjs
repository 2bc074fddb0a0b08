// Errors, verdicts and tables.

/** What is aimed at: median error, and the share of the networks within 20 %. */
export const TARGET = { median: 0.08, within20: 0.9 };

/** Between these the README holds what was measured last. */
export const MARKS = ["<!-- figures -->", "<!-- end of figures -->"];

const sorted = (values) => [...values].sort((a, b) => a - b);

/** The middle value, or the mean of the two in the middle. */
export function median(values) {
  const s = sorted(values);
  const half = s.length >> 1;
  return s.length % 2 === 1 ? s[half] : (s[half - 1] + s[half]) / 2;
}

/** @param rows networks with `predicted` and `measured` ms */
export function figuresOf(rows) {
  const errors = rows.map((r) => Math.abs(r.predicted / r.measured - 1));
  const share = (f) => rows.filter(f).length / rows.length;
  return {
    median: median(errors),
    worst: Math.max(...errors),
    within20: share((r) => Math.abs(r.predicted / r.measured - 1) <= 0.2),
    inInterval: share((r) => r.measured >= r.low && r.measured <= r.high),
  };
}

/** One sentence where the target is missed; null where it is met. */
export function verdictOf({ title, median: error, within20 }) {
  if (error <= TARGET.median && within20 >= TARGET.within20) return null;
  return `${title}: median error ${percent(error)}, ${percent(within20)} within 20 %; the target is ${percent(TARGET.median)} and ${percent(TARGET.within20)}`;
}

const percent = (v) => `${(100 * v).toFixed(1)} %`;
const signed = (v) => `${v >= 0 ? "+" : "-"}${Math.abs(100 * v).toFixed(1)} %`;
const ms = (v) => (v < 0.1 ? v.toFixed(5) : v.toFixed(3));

/** A place's table in Markdown. */
export function table(result) {
  const { title, engine, profile, load, rows } = result;
  const lines = rows.map((r) => {
    const inside = r.measured >= r.low && r.measured <= r.high ? "" : " (outside)";
    return `| ${r.name} | ${r.kind} | ${ms(r.predicted)} | ${ms(r.low)} to ${ms(r.high)}${inside} | ${ms(r.measured)} | ${signed(r.predicted / r.measured - 1)} |`;
  });
  return [
    `**${title}** (${engine}; profile \`${profile}\`; load ${load.toFixed(1)}): median error ${percent(result.median)}, ` +
      `${percent(result.within20)} of ${rows.length} networks within 20 %, worst ${percent(result.worst)}, ` +
      `${percent(result.inInterval)} inside the stated interval.`,
    "",
    "| network | kind | predicted ms | interval | measured ms | error |",
    "| --- | --- | ---: | ---: | ---: | ---: |",
    ...lines,
  ].join("\n");
}
