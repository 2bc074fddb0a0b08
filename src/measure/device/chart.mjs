// Small pictures of the result, as SVG elements; colours are in page.css.
const NS = "http://www.w3.org/2000/svg";
const WIDTH = 360;

function element(name, attributes, text) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** A time with three digits, in the unit that fits it. */
export function ms(value) {
  if (value === 0) return "below the clock's step";
  if (value < 0.1) return `${(1000 * value).toPrecision(3)} µs`;
  return value < 999.5 ? `${value.toPrecision(3)} ms` : `${(value / 1000).toFixed(2)} s`;
}

function picture(height, label) {
  return element("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label });
}

/**
 * One bar for the median of each package, a line to its 90th and a tick at its 99th percentile. A rare slow run must not
 * press the rest together: what is beyond twice the 90th percentile is left out of the picture, not out of the numbers.
 */
export function bars(packages) {
  const rowHeight = 46;
  const most = Math.max(...packages.map(({ steady: { p90, p99 } }) => Math.min(p99, 2 * p90))) || 1;
  const x = (value) => (value / most) * (WIDTH - 4);
  const label = packages.map((p) => `${p.package}: ${ms(p.steady.p50)}`).join("; ");
  const svg = picture(packages.length * rowHeight + 18, `Time of one run. ${label}`);
  packages.forEach(({ package: name, steady: { p50, p90, p99 } }, i) => {
    const y = i * rowHeight;
    const short = name.length > 34 ? `${name.slice(0, 33)}…` : name;
    const tick = p99 <= most ? `M${x(p99)} ${y + 25}v6` : "";
    svg.append(
      element("text", { x: 0, y: y + 14 }, short),
      element("rect", { class: "bar", x: 0, y: y + 21, width: Math.max(2, x(p50)), height: 14, rx: 2 }),
      element("path", { class: "spread", d: `M${x(p50)} ${y + 28}H${x(p90)}M${x(p90)} ${y + 23}v10${tick}` }),
    );
  });
  const key = "bar: median; line and ticks: 90 and 99 of 100 runs";
  svg.append(element("text", { class: "key", x: 0, y: packages.length * rowHeight + 12 }, key));
  return svg;
}

/** Medians over the time of the measurement: a device that grows hot climbs. */
export function line({ timeline, package: name }) {
  const height = 110;
  const most = Math.max(...timeline) * 1.1 || 1;
  const x = (i) => (i / (timeline.length - 1)) * (WIDTH - 4) + 2;
  const y = (value) => height - 4 - (value / most) * (height - 26);
  const svg = picture(height, `${name} over time: from ${ms(timeline[0])} to ${ms(timeline.at(-1))}`);
  svg.append(
    element("text", { x: 0, y: 12 }, `over time, 0 to ${ms(most)}`),
    element("path", { class: "axis", d: `M0 ${height - 4}H${WIDTH}` }),
    element("path", {
      class: "over-time",
      d: timeline.map((v, i) => `${i === 0 ? "M" : "L"}${x(i)} ${y(v)}`).join(""),
    }),
  );
  return svg;
}
