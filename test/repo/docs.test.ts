import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { renderAll } from "../../scripts/render-docs.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

describe("documentation", () => {
  test("the generated pages are current (npm run build && npm run docs)", async () => {
    const pages = await renderAll(async (module) =>
      module.endsWith(".json") ? JSON.parse(read(`src/${module}`)) : import(path.join(root, `src/${module}.ts`)),
    );
    for (const [name, text] of Object.entries(pages)) expect(read(`docs/${name}`), `docs/${name}`).toBe(text);
  });

  test("every path that the README and the architecture page name exists", () => {
    for (const page of ["README.md", "docs/architecture.md"]) {
      const named = [
        ...read(page).matchAll(/`((?:src|assembly|scripts|targets|test|bench|examples|docs)\/[\w./-]*)`/g),
      ];
      const missing = named.map(([, p]) => p!).filter((p) => !existsSync(path.join(root, p)));
      expect(missing, page).toEqual([]);
    }
  });

  test("every link between pages leads somewhere", () => {
    for (const page of [
      "README.md",
      "docs/architecture.md",
      "docs/errors.md",
      "docs/operators.md",
      "docs/options.md",
    ]) {
      const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, l]) => l!);
      const broken = links.filter((l) => !existsSync(path.resolve(root, path.dirname(page), l)));
      expect(broken, page).toEqual([]);
    }
  });
});
