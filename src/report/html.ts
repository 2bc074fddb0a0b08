/** A piece of finished markup; plain strings are text and are escaped when they meet one. */
export class Markup {
  constructor(readonly text: string) {}
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text for element content and quoted attributes; drops control characters that no document may hold. */
export function escapeText(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, "").replace(/[&<>"']/g, (c) => ENTITIES[c]!);
}

type Part = Markup | string | number | false | null | undefined | readonly Part[];

function render(part: Part): string {
  if (part instanceof Markup) return part.text;
  if (typeof part === "string") return escapeText(part);
  if (typeof part === "number") return String(Math.round(part * 1000) / 1000);
  if (Array.isArray(part)) return part.map(render).join("");
  return "";
}

/**
 * Template tag: the literal parts are markup, every value is escaped unless it is markup itself; absent values vanish.
 * Numbers are rounded to a thousandth, which is below a pixel: format figures before they come here.
 */
export function html(literals: TemplateStringsArray, ...values: Part[]): Markup {
  return new Markup(literals.reduce((out, s, i) => out + render(values[i - 1]) + s));
}

/** 12345678 → "12.35 M"; three or four significant digits, decimal prefixes. */
export function formatCount(n: number): string {
  for (const [unit, size] of [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const) {
    if (Math.abs(n) >= size * 0.9995) return `${trim(n / size)} ${unit}`;
  }
  return trim(n);
}

/** 12345 → "12.3 kB": decimal kilobytes, as file managers and registries count. */
export function formatBytes(n: number): string {
  return n < 1000 ? `${n} B` : `${formatCount(n)}B`;
}

export function formatMs(ms: number): string {
  return ms < 1 ? `${trim(ms * 1000)} µs` : `${trim(ms)} ms`;
}

/** 0.1234 → "12.3 %". */
export function formatPercent(fraction: number, digits = 1): string {
  return `${(100 * fraction).toFixed(digits)} %`;
}

function trim(x: number): string {
  const a = Math.abs(x);
  const digits = a >= 100 ? 0 : a >= 10 ? 1 : a >= 1 ? 2 : 3;
  return String(Number(x.toFixed(digits)));
}
