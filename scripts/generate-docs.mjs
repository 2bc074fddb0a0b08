// Writes the generated pages of docs/ from the built library: `npm run build && npm run docs`.
import { readFileSync, writeFileSync } from "node:fs";
import { renderAll } from "./render-docs.mjs";

const dist = new URL("../dist/", import.meta.url);
const pages = await renderAll(async (module) =>
  module.endsWith(".json")
    ? JSON.parse(readFileSync(new URL(module, dist), "utf8"))
    : import(new URL(`${module}.js`, dist).href),
);
for (const [name, text] of Object.entries(pages)) {
  writeFileSync(new URL(`../docs/${name}`, import.meta.url), text);
  console.log(`docs/${name}`);
}
