/** Columns of text; numbers (cells that begin with a digit or a sign) are set to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((h, c) => Math.max(h.length, ...rows.map((r) => (r[c] ?? "").length)));
  const right = head.map((_, c) => rows.length > 0 && rows.every((r) => /^[-+]?[\d.]|^$|^-$/.test(r[c] ?? "")));
  const line = (cells: readonly string[]): string =>
    widths
      .map((w, c) => (right[c] ? (cells[c] ?? "").padStart(w) : (cells[c] ?? "").padEnd(w)))
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((w) => "-".repeat(w))), ...rows.map(line)].join("\n");
}

/** The end of a long name, which is what tells it from its neighbours. */
export function short(name: string, width = 40): string {
  return name.length <= width ? name : `…${name.slice(1 - width)}`;
}

/** 12,345,678 */
export function count(n: number): string {
  return Math.round(n)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** 1.2 kB, in units of 1,000. */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  return n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(2)} MB`;
}
