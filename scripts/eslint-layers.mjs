// The one direction in which imports may run, as a lint rule.
//
//   cli → build → report, measure, emit, pruner → analyzer → host → kernels → model
//   formats, data and wasm know only model; emit knows kernels, wasm and model; measure knows packages and wasm only; nothing knows cli.
//
// `import type` counts too: a type is knowledge. Code outside src (tests, examples, benches) may import anything.
import path from "node:path";

/** Folder of src → folders it may import, besides itself. `.` is src/index.ts and other files directly in src. */
export const layers = {
  model: [],
  wasm: ["model"],
  formats: ["model"],
  data: ["model"],
  kernels: ["model"],
  host: ["kernels", "model"],
  analyzer: ["emit", "host", "kernels", "model"],
  pruner: ["analyzer", "emit", "host", "kernels", "model"],
  emit: ["kernels", "wasm", "model"],
  measure: ["wasm", "model"],
  report: ["analyzer", "emit", "host", "kernels", "model"],
  build: ["report", "measure", "emit", "pruner", "analyzer", "host", "kernels", "formats", "data", "model"],
  cli: ["build", "report", "measure", "emit", "pruner", "analyzer", "host", "kernels", "formats", "data", "model", "."],
  ".": [
    "wasm",
    "build",
    "report",
    "measure",
    "emit",
    "pruner",
    "analyzer",
    "host",
    "kernels",
    "formats",
    "data",
    "model",
  ],
};

/** The layer of an absolute file name: the first folder below src, `.` for a file in src, null outside. */
export function layerOf(file, srcRoot) {
  const parts = path.relative(srcRoot, file).split(path.sep);
  if (parts[0] === ".." || path.isAbsolute(parts[0])) return null;
  return parts.length === 1 ? "." : parts[0];
}

/** Why `from` may not import `to` (absolute file names), or null when it may. */
export function violation(from, to, srcRoot) {
  const a = layerOf(from, srcRoot);
  const b = layerOf(to, srcRoot);
  if (a === null || a === b) return null;
  if (b === null) return `src may not import from outside src (${path.relative(srcRoot, to)})`;
  const allowed = layers[a];
  if (allowed === undefined) return `src/${a} is not in the table of layers (scripts/eslint-layers.mjs)`;
  if (allowed.includes(b)) return null;
  const list = allowed.length > 0 ? allowed.join(", ") : "no other folder";
  return `src/${a} may not import src/${b}; it may import ${list}`;
}

/** ESLint rule `layers/direction`. Option: `{ src: absolute path of the src folder }`. */
export const direction = {
  meta: {
    type: "problem",
    docs: { description: "imports run one way through the folders of src" },
    schema: [{ type: "object", properties: { src: { type: "string" } }, required: ["src"] }],
    messages: { forbidden: "{{reason}}." },
  },
  create(context) {
    const { src } = context.options[0];
    const check = (node, source) => {
      if (source?.type !== "Literal" || typeof source.value !== "string" || !source.value.startsWith(".")) return;
      const reason = violation(context.filename, path.resolve(path.dirname(context.filename), source.value), src);
      if (reason !== null) context.report({ node, messageId: "forbidden", data: { reason } });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source),
      ExportNamedDeclaration: (node) => check(node, node.source),
      ExportAllDeclaration: (node) => check(node, node.source),
      ImportExpression: (node) => check(node, node.source),
      TSImportType: (node) => check(node, node.source),
    };
  },
};

export default { rules: { direction } };
