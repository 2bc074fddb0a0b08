import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { DIFFERING, SOURCE_NAMES, spelling } from "../../scripts/operator-names.mjs";
import { renderAll, renderOperators } from "../../scripts/render-docs.mjs";
import { opNames } from "../../src/model/ops/index.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

describe("documentation", () => {
  test("the generated pages are current (npm run build && npm run docs)", async () => {
    const pages = await renderAll(async (module) =>
      module.endsWith(".json") ? JSON.parse(read(`src/${module}`)) : import(path.join(root, `src/${module}.ts`)),
    );
    for (const [name, text] of Object.entries(pages)) expect(read(`docs/${name}`), `docs/${name}`).toBe(text);
  });

  test("operators are found under the names of the formats, whatever their spelling; the rest is listed apart", () => {
    expect(Object.keys(SOURCE_NAMES).filter((op) => !opNames.includes(op))).toEqual([]);
    const differing = Object.values(DIFFERING).flatMap(({ onnx, others }) => [
      others,
      ...(onnx === null ? [] : [onnx]),
    ]);
    expect(differing.filter((op) => !opNames.includes(op))).toEqual([]);
    expect(["CONV_2D", "_FusedMatMul", "ops.Absolute", "TOPK_V2"].map(spelling)).toEqual([
      "conv2d",
      "fusedmatmul",
      "absolute",
      "topk",
    ]);
    const row = { summary: "", host: true, device: false, folded: false, cuttable: true, gradient: false };
    const text = renderOperators(
      ["conv2d", "reduce_sum", "add"].map((name) => ({ ...row, name })),
      ["relu_grad"],
      [
        { title: "TFLite", read: ["CONV_2D", "SHAPE", "SUM"], written: ["add"] },
        { title: "ONNX", read: ["Conv", "Sum"], written: null },
      ],
    );
    expect(text).toContain("| `conv2d` |  | yes | yes | no | yes | no | `CONV_2D` | `Conv` |");
    expect(text).toContain("| `reduce_sum` |  | yes | yes | no | yes | no | `SUM` |  |");
    expect(text).toContain("| `add` |  | yes | yes | no | yes | no | written | `Sum` |");
    expect(text).toContain("| TFLite | `SHAPE` |");
  });

  test("every path that the README and the architecture page name exists", () => {
    for (const page of ["README.md", "docs/architecture.md", "docs/pruning.md"]) {
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
      "docs/criteria.md",
      "docs/errors.md",
      "docs/operators.md",
      "docs/options.md",
      "docs/pruning.md",
    ]) {
      const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, l]) => l!);
      const broken = links.filter((l) => !existsSync(path.resolve(root, path.dirname(page), l)));
      expect(broken, page).toEqual([]);
    }
  });
});
