import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import errors from "../../src/model/errors.json" with { type: "json" };

const src = fileURLToPath(new URL("../../src", import.meta.url));

/** Codes in the source → a file that uses each. */
function usedCodes(): Map<string, string> {
  const used = new Map<string, string>();
  for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    const file = path.join(entry.parentPath, entry.name);
    for (const [, code] of readFileSync(file, "utf8").matchAll(/["'`](E_[A-Z0-9_]+)["'`]/g)) {
      used.set(code!, path.relative(src, file));
    }
  }
  return used;
}

describe("error codes", () => {
  const used = usedCodes();
  const listed = Object.keys(errors);

  test("the source has some", () => expect(used.size).toBeGreaterThan(10));

  test("every code in the source is listed with its meaning", () => {
    expect([...used].filter(([code]) => !listed.includes(code))).toEqual([]);
  });

  test("every listed code is used", () => {
    expect(listed.filter((code) => !used.has(code))).toEqual([]);
  });

  test("the list is sorted and every meaning is a sentence", () => {
    expect(listed).toEqual([...listed].sort());
    for (const [code, meaning] of Object.entries(errors)) expect(meaning, code).toMatch(/^[A-Z-].*\.$/);
  });
});
