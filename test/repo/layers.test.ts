import { ESLint } from "eslint";
import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { layers, violation } from "../../scripts/eslint-layers.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const src = path.join(root, "src");
const why = (from: string, to: string): string | null => violation(path.join(src, from), path.join(src, to), src);

describe("import direction", () => {
  test("every folder of src is in the table", () => {
    const folders = readdirSync(src, { withFileTypes: true }).filter((e) => e.isDirectory());
    for (const { name } of folders) expect(Object.keys(layers), `src/${name}`).toContain(name);
  });

  test("the table has no cycle", () => {
    const seen = new Map<string, "open" | "done">();
    const visit = (layer: string): void => {
      if (seen.get(layer) === "done") return;
      expect(seen.get(layer), `cycle through ${layer}`).not.toBe("open");
      seen.set(layer, "open");
      for (const next of layers[layer]!) visit(next);
      seen.set(layer, "done");
    };
    for (const layer of Object.keys(layers)) visit(layer);
  });

  test.each([
    ["model/verify.ts", "host/train.js"],
    ["formats/index.ts", "data/load.js"],
    ["data/load.ts", "formats/index.js"],
    ["measure/measure.ts", "emit/index.js"],
    ["emit/index.ts", "host/executor.js"],
    ["kernels/conv.ts", "host/executor.js"],
    ["build/build.ts", "cli/main.js"],
    ["index.ts", "cli/main.js"],
    ["model/types.ts", "index.js"],
    ["build/build.ts", "../test/support/shared-data.js"],
    ["unknown/a.ts", "model/types.js"],
  ])("%s must not import %s", (from, to) => expect(why(from, to)).not.toBeNull());

  test.each([
    ["cli/main.ts", "build/build.js"],
    ["build/build.ts", "pruner/stage.js"],
    ["pruner/a.ts", "model/types.js"],
    ["model/ops/add.ts", "model/types.js"],
    ["index.ts", "build/build.js"],
    ["../test/x.test.ts", "cli/main.js"],
  ])("%s may import %s", (from, to) => expect(why(from, to)).toBeNull());

  test("the lint rule fires on every way to import", async () => {
    const eslint = new ESLint({ cwd: root });
    const config = (await eslint.calculateConfigForFile(path.join(src, "model/types.ts"))) as {
      rules: Record<string, unknown[]>;
    };
    expect(config.rules["layers/direction"]![0]).toBe(2);
    // Without types: only this rule is of interest, and the text is no file of the project.
    const single = new ESLint({
      cwd: root,
      overrideConfigFile: true,
      overrideConfig: {
        files: ["**/*.ts"],
        languageOptions: { parser: (await import("typescript-eslint")).parser },
        plugins: { layers: (await import("../../scripts/eslint-layers.mjs")).default },
        rules: { "layers/direction": ["error", { src }] },
      },
    });
    const text = [
      `import { a } from "../host/executor.js";`,
      `import type { B } from "../host/executor.js";`,
      `export { c } from "../host/executor.js";`,
      `export * from "../host/executor.js";`,
      `export const d = await import("../host/executor.js");`,
      `export type E = import("../host/executor.js").E;`,
      `import { ok } from "./types.js";`,
      `import fs from "node:fs";`,
    ].join("\n");
    const [result] = await single.lintText(text, { filePath: path.join(src, "model/fake.ts") });
    expect(result!.messages.map((m) => m.line)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(result!.messages[0]!.message).toBe("src/model may not import src/host; it may import no other folder.");
  });
});
