// Every operator by itself, written in three formats and run by their runtimes, against f64. README.md says more.
//
//   node bench/round-trip/operators.mjs [--only TEXT] [--formats onnx,tfjs,tflite] [--library DIST]
import { register } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { evaluate } from "../../scripts/models/exact.mjs";
import { loadLibrary } from "../../scripts/models/library.mjs";
import { openRuntimes } from "./runtimes.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    formats: { type: "string", default: "onnx,tfjs,tflite" },
    library: { type: "string", default: fileURLToPath(new URL("../../dist", import.meta.url)) },
  },
});
/**
 * Of the largest value. Runtimes have functions and orders of their own; the cases are small, and what is written wrongly is
 * far outside.
 */
const BOUND = 1e-5;
/** What the runtimes are known not to do; anything else that differs or fails ends in exit code 1. */
const KNOWN = [
  ["tflite", /^(slice, box|top_k,|conv_transpose2d, (3x3, stride 2|pads beyond))/, "LiteRT.js: zeros from a kernel that allocates a graph output of open batch"], // prettier-ignore
  ["tflite", /^broadcast_to, a scalar/, "LiteRT.js has no BROADCAST_TO"],
  ["onnx", /^avg_pool2d, dilated/, "ONNX Runtime wants padding below the kernel's size, whatever the dilation"],
  [
    "onnx",
    /^resize, linear, align_corners, larger/,
    "ONNX Runtime takes the corners from the scale and not from the size",
  ],
  ["onnx", /^dequantize, a scale for each channel/, "the case has a zero point that its integers cannot hold"],
  ["tfjs", /^slice, (i|u|b)/, "TF.js: integers under steps on the wasm backend"],
  ["", /^pad, .*more than there is/, "padding beyond what there is to repeat"],
];
/** LiteRT.js makes no tensors of these. */
const NO_PORTS = ["bool", "i8", "i64"];
const DIVISIONS = ["div", "floor_div", "floor_mod", "mod_trunc", "pow"];

/** Values that every runtime defines: indices that exist, integers that can be divided by. */
function defined({ op, attrs, inputs: types }, i, data) {
  if (op === "gather" && i === 1) return data.map((v) => Math.abs(v) % types[0].shape[attrs.axis]);
  if (DIVISIONS.includes(op) && i === 1 && types[1].dtype === "i32") return data.map((v) => 1 + (Math.abs(v) % 3));
  return data;
}

const dist = pathToFileURL(`${path.resolve(options.library)}/`).href;
register("../fuzz/loader.mjs", { parentURL: import.meta.url, data: { library: dist } });
const { opCases, drawValues } = await import("../../test/support/op-cases.ts");
const library = await loadLibrary(options.library);
const { fromDoubles } = await import(`${dist}model/doubles.js`);
const runtimes = openRuntimes(library);

/** A graph of one node; parameters are constants. */
function graphOf(c) {
  const { op, attrs, inputs: types, draw } = c;
  const params = library.getOp(op).params ?? [];
  const builder = new library.GraphBuilder("one");
  const inputs = [];
  const operands = types.map((type, i) => {
    const data = fromDoubles(defined(c, i, drawValues(type, draw?.[i] ?? "normal", 1, 7 + i)), type.dtype);
    if (type.batchAxis === null && params.includes(i)) return builder.constant(`c${i}`, type.dtype, type.shape, data);
    inputs.push({ data, shape: type.shape, dtype: type.dtype });
    return builder.input(`in${i}`, type);
  });
  builder.node(op, operands, attrs).forEach((y, i) => builder.output(y, `out${i}`));
  const graph = builder.build();
  return { graph, inputs, wanted: evaluate(library, graph, inputs, {}) };
}

/** The largest difference over the largest value; equal where neither is a number. */
function difference(got, want) {
  if (got.shape.join() !== want.shape.join()) throw new Error(`[${got.shape}] and not [${want.shape}]`);
  let [most, size] = [0, 0];
  want.data.forEach((v, i) => {
    const [a, b] = [Number(got.data[i]), Math.fround(v)];
    if (Number.isFinite(b)) size = Math.max(size, Math.abs(b));
    const gap = Object.is(a, b) || a === b ? 0 : Math.abs(a - b);
    most = Number.isNaN(gap) ? Infinity : Math.max(most, gap);
  });
  return most === 0 ? 0 : most / (size || 1);
}

async function outcome(format, { graph, inputs, wanted }, number) {
  const dtypes = [...graph.inputs, ...graph.outputs].map((p) => graph.tensors.get(p.tensor).type.dtype);
  if (format === "tflite" && dtypes.some((t) => NO_PORTS.includes(t))) return { kind: "without ports" };
  const named = Object.fromEntries(graph.inputs.map((port, i) => [port.name, inputs[i]]));
  try {
    const { outputs } = await runtimes.run[format](graph, `case-${number}`, named);
    const worst = Math.max(...graph.outputs.map(({ name }, i) => difference(outputs[name], wanted[i])));
    return { kind: worst <= BOUND ? "equal" : "DIFFERS", text: worst.toExponential(1) };
  } catch (error) {
    return { kind: error.name === "IdapError" ? "refused" : "FAILS", text: error.message.slice(0, 300) };
  }
}

const counts = Object.fromEntries(options.formats.split(",").map((format) => [format, {}]));
for (const [number, c] of opCases.entries()) {
  const title = `${c.op}, ${c.title}`;
  if (library.getOp(c.op).internal || !title.includes(options.only)) continue;
  const one = graphOf(c);
  for (const format of Object.keys(counts)) {
    const { kind, text } = await outcome(format, one, number);
    const wrong = kind === "DIFFERS" || kind === "FAILS";
    const known = wrong && KNOWN.find(([of, cases]) => (of === "" || of === format) && cases.test(title));
    const counted = known ? "known" : kind;
    counts[format][counted] = (counts[format][counted] ?? 0) + 1;
    if (known) console.log(`${format}: ${title}: ${known[2]}`);
    else if (text !== undefined && kind !== "equal") console.log(`${format}: ${title}: ${kind} ${text}`);
  }
}
for (const [format, kinds] of Object.entries(counts)) {
  console.log(`${format}: ${Object.entries(kinds).map(([kind, n]) => `${n} ${kind}`).join(", ")}`); // prettier-ignore
}
await runtimes.close();
process.exitCode = Object.values(counts).every((kinds) => !kinds.DIFFERS && !kinds.FAILS) ? 0 : 1;
