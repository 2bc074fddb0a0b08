/** What every state of the served page must hold, asked in the page itself. */
import { mkdirSync, mkdtempSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";

/** `IDAP_SCREENSHOTS` names a folder that keeps the pictures. */
const pictures = process.env.IDAP_SCREENSHOTS ?? mkdtempSync(path.join(os.tmpdir(), "idap-pictures-"));
mkdirSync(pictures, { recursive: true });

export const SIZES = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1280, height: 800 },
} as const;

export interface Seen {
  readonly scrollWidth: number;
  readonly clientWidth: number;
  /** Visible texts with the contrast of their colour against what is behind them (WCAG 2.2, 1.4.3). */
  readonly texts: readonly { readonly text: string; readonly contrast: number }[];
  /** Elements that reach beyond the window's sides. */
  readonly outside: readonly string[];
}

export function look(page: Page): Promise<Seen> {
  return page.evaluate(() => {
    const channels = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: string): number => {
      const [r, g, b] = channels(color).map((v) => {
        const s = v / 255;
        return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    const behind = (element: Element | null): string => {
      for (let e = element; e; e = e.parentElement) {
        const { backgroundColor } = getComputedStyle(e);
        const [, , , alpha = 1] = channels(backgroundColor);
        if (alpha === 1) return backgroundColor;
      }
      return "rgb(255, 255, 255)";
    };
    const texts: { text: string; contrast: number }[] = [];
    const outside: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement!;
      const text = node.textContent!.trim();
      if (text === "" || !element.checkVisibility()) continue;
      const style = getComputedStyle(element);
      const own = element instanceof SVGElement ? style.fill : style.color;
      const [a, b] = [luminance(own), luminance(behind(element))].sort((x, y) => y - x);
      texts.push({ text, contrast: (a! + 0.05) / (b! + 0.05) });
      const range = document.createRange();
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (box.left < -0.5 || box.right > innerWidth + 0.5) outside.push(text);
    }
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth, texts, outside };
  });
}

/** Takes a picture and checks that the page fits its window and can be read. */
export async function checkScreen(page: Page, name: string): Promise<Seen> {
  const image = await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
  // A PNG's width and height are bytes 16 to 23.
  const { width, height } = page.viewportSize()!;
  const scale = await page.evaluate(() => devicePixelRatio);
  expect(image.readUInt32BE(16), `${name}: no wider than the window`).toBe(width * scale);
  expect(image.readUInt32BE(20)).toBeGreaterThanOrEqual(height * scale);
  const seen = await look(page);
  expect(seen.scrollWidth, `${name}: no horizontal scrolling`).toBeLessThanOrEqual(seen.clientWidth);
  expect(seen.outside, `${name}: nothing outside the window`).toEqual([]);
  expect(seen.texts.length).toBeGreaterThan(2);
  expect(
    seen.texts.filter((t) => t.contrast < 4.5),
    `${name}: contrast`,
  ).toEqual([]);
  return seen;
}
