// Models that are read, written again and given to the runtimes of their formats. README.md says how to run it.
//
//   node bench/round-trip/run.mjs [--only NAME] [--formats onnx,tfjs,tflite] [--max-macs N] [--package DIR]
//     [--data DIR] [--library DIST] [--json]
//
// Float models have to give their recorded outputs. Quantised ones have to give what our host gives of them (`npm run
// check:models` compares the host with the recording), as they are read and as the float network inside.
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { evaluate, roundingSensitivity } from "../../scripts/models/exact.mjs";
import { FLOAT_BOUND, runOnHost, runPackage } from "../../scripts/models/check.mjs";
import { loadLibrary } from "../../scripts/models/library.mjs";
import { compare, listModels, namedInputs, recordedCases } from "../../scripts/models/recorded.mjs";
import { floatForm } from "./float-form.mjs";
import { buildPruned, imageCases, networksOf } from "./pruned.mjs";
import { openRuntimes } from "./runtimes.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    formats: { type: "string", default: "onnx,tfjs,tflite" },
    "max-macs": { type: "string", default: "Infinity" },
    package: { type: "string", default: "" },
    data: { type: "string", default: path.join(root, "../shared/data") },
    library: { type: "string", default: path.join(root, "dist") },
    json: { type: "boolean", default: false },
  },
});
/**
 * f32's epsilon. ONNX Runtime's sigmoid is a rational function that is this far off, which of a single score of 1e-5
 * or 1e-13 is much; such an output has no range to compare with.
 */
const EPSILON = 2 ** -23;
const library = await loadLibrary(options.library);
const runtimes = openRuntimes(library);
const own = JSON.parse(readFileSync(new URL("./package.json", import.meta.url), "utf8"));
const formats = options.formats.split(",");

/** Runtimes give integers in types of their own; values and shapes are what counts. */
const share = (got, want) => {
  const { difference, range } = compare(got, want);
  return difference === 0 ? 0 : difference / (range || 1);
};

/** The outputs that a written float model has to give: recorded ones, in f64 where the recording rounded activations. */
async function expected(graph, cases) {
  if ([...graph.tensors.values()].some((t) => t.data && t.quant)) {
    return { against: "f64", wanted: cases.map(({ inputs }) => evaluate(library, graph, inputs, {})) };
  }
  return { against: "recording", wanted: cases.map(({ outputs }) => outputs) };
}

async function roundTrip(name, graph, cases, { against, wanted, written = formats }) {
  const stem = name.replaceAll(/[/ ]/g, "-").replace(/\.[^.]*$/, "");
  const row = { model: name, against };
  let sensitivity = null;
  for (const format of written) {
    try {
      let [worst, passes, backend] = [0, true, undefined];
      for (const [c, { inputs }] of cases.entries()) {
        const { outputs, ...rest } = await runtimes.run[format](graph, stem, namedInputs(graph, inputs));
        backend = rest.backend;
        graph.outputs.forEach(({ name: output }, i) => {
          const [got, want] = [outputs[output], wanted[c][i]];
          if (!got) throw new Error(`the output ${output} is missing`);
          if (got.shape.join() !== want.shape.join())
            throw new Error(`${output} is [${got.shape}] and not [${want.shape}]`);
          const whole = graph.tensors.get(graph.outputs[i].tensor).type.dtype !== "f32";
          const found = compare(got, want);
          const error = share(got, want);
          // Of integers one step may turn where f32 rounds the other way.
          if (whole ? found.withinOne < 0.99 : error > FLOAT_BOUND && found.difference > EPSILON) {
            sensitivity ??= roundingSensitivity(library, graph, inputs);
            passes &&= !whole && found.difference <= 2 * sensitivity[i];
          }
          worst = Math.max(worst, whole ? 1 - found.withinOne : error);
        });
      }
      row[format] = { error: worst, passes, ...(backend && { backend }) };
    } catch (error) {
      row[format] = { failed: error.message, refused: error.name === "IdapError", passes: false };
    }
  }
  return row;
}

/** A pruned ResNet-8 against its package: the network that was trained, and the one that is emitted. */
async function prunedResnet() {
  const folder = options.package
    ? path.resolve(options.package)
    : await buildPruned(library, options.data, runtimes.work);
  const { trained, emitted } = await networksOf(library, folder);
  const cases = await imageCases(library, options.data);
  const wanted = await runPackage(folder, trained, cases);
  const macs = (100 * library.graphCost(emitted).macs) / library.graphCost(await readResnet()).macs;
  const name = `pruned ResNet-8, ${macs.toFixed(0)} % of the MACs`;
  show(await roundTrip(`${name}, batch norms apart`, trained, cases, { against: "package", wanted }));
  show(await roundTrip(`${name}, as emitted`, emitted, cases, { against: "package", wanted }));
}
const readResnet = () => library.readModel(path.join(options.data, "models/mlperf-tiny/pretrainedResnet.tflite"));

function text(result) {
  if (!result) return "";
  if (result.failed) return `${result.refused ? "refused" : "FAILS"}: ${result.failed}`;
  return `${result.passes ? "" : "DIFFERS "}${result.error.toExponential(1)}${result.backend === "cpu" ? " (cpu)" : ""}`;
}

const rows = [];
const show = (row) => {
  rows.push(row);
  if (!options.json) console.log([row.model, row.against, ...formats.map((f) => text(row[f]))].join(" | "));
};
if (!options.json) console.log(["model", "against", ...formats].join(" | "));
for (const model of listModels(path.join(options.data, "models"))) {
  if (!model.name.includes(options.only)) continue;
  const read = await library.readModel(model.file);
  if (library.graphCost(read).macs > Number(options["max-macs"])) continue;
  const recorded = recordedCases(model.golden).slice(0, 1);
  if (library.simulateQuantisation(read) === read) {
    show(await roundTrip(model.name, read, recorded, await expected(read, recorded)));
  } else {
    const written = formats.filter((f) => f !== "tflite");
    const integers = await runOnHost(library, read, recorded);
    show(await roundTrip(`${model.name}, as read`, read, recorded, { against: "host", wanted: integers, written }));
    const { graph, toFloat } = floatForm(read);
    const cases = recorded.map(({ inputs }) => ({ inputs: toFloat(inputs) }));
    const wanted = await runOnHost(library, graph, cases);
    show(await roundTrip(model.name, graph, cases, { against: "host", wanted }));
  }
}
if ("pruned ResNet-8".includes(options.only)) await prunedResnet();
await runtimes.close();

if (options.json) console.log(JSON.stringify({ runtimes: own.dependencies, rows }, null, 1));
process.exitCode = rows.every((row) => formats.every((f) => row[f]?.passes ?? true)) ? 0 : 1;
