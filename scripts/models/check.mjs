// One model as its figures: read, run on the host, emitted, quantisation simulated. No timings: the same figures each time.
import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { evaluate, hybridOutputs, largestLocalError, roundingSensitivity } from "./exact.mjs";
import { compare, namedInputs, recordedCases } from "./recorded.mjs";

/** Of an output's range: what is promised of float models. */
export const FLOAT_BOUND = 1e-4;
/** The recorded one and ours each have their own errors. */
const RUNTIMES = 2;
/** Share of values that simulated quantisation must bring within one step. */
const SIMULATED = 0.99;
const PIXELS = 0.98;
/** MoveNet's heat maps have 48 x 48 cells; of three values the first two are places. */
const CELL = 1 / 48;
/** Models with more multiplications are not run in f64. */
export const REFERENCE_MACS = 2e7;

/** What the plain float run of a quantised model is judged by; others by their best score. */
const JUDGED = [
  [/deeplab/, "pixels"],
  [/movenet/, "key points"],
  [/ad01|dtln|hello_world/, "steps"],
];
const judgeOf = (name) => JUDGED.find(([pattern]) => pattern.test(name))?.[1] ?? "best score";

const FORMATS = { ".tflite": "TFLite", ".onnx": "ONNX", ".json": "TF.js", ".h5": "Keras", ".hdf5": "Keras" };

/** Runs every recorded case on an executor of the host; lists of values in the order of the ports. */
export async function runOnHost(library, graph, cases, executor = "wasm") {
  const engine = library.createExecutor(executor, graph, { threads: 1 });
  try {
    const results = [];
    for (const { inputs } of cases) {
      const got = await engine.run(namedInputs(graph, inputs));
      results.push(graph.outputs.map((port) => got[port.name]));
    }
    return results;
  } finally {
    await engine.close();
  }
}

/** Runs every recorded case on a package, through its own load() and run(). */
export async function runPackage(folder, graph, cases, variant = "simd") {
  const { load } = await import(pathToFileURL(path.join(folder, "node.js")).href);
  const model = await load({ variant });
  return cases.map(({ inputs }) => {
    const got = model.run(Object.fromEntries(graph.inputs.map((port, i) => [port.name, inputs[i].data])));
    // The package gives views of its memory, which the next run writes again.
    return graph.outputs.map(({ name }) => ({ ...got[name], data: got[name].data.slice() }));
  });
}

/** The size of a step of each output: 1 for integers, of floats what their scale says. */
function stepsOf(graph, simulated) {
  return graph.outputs.map((port, i) => {
    if (graph.tensors.get(port.tensor).type.dtype !== "f32") return 1;
    const quant = graph.tensors.get(port.tensor).quant ?? simulated.tensors.get(simulated.outputs[i].tensor).quant;
    return quant ? quant.scale[0] : null;
  });
}

function overOutputs(graph, results, cases, figure) {
  return results.flatMap((values, c) =>
    values.map((value, i) => ({ output: graph.outputs[i].name, index: i, ...figure(value, cases[c].outputs[i], i) })),
  );
}

const largest = (list, of) => list.reduce((m, x) => (of(x) > of(m) ? x : m));
const smallest = (list, of) => list.reduce((m, x) => (of(x) < of(m) ? x : m));

/** The output that is furthest from the recorded one, as a share of its range, beside what it may be. */
function floatFigure(library, graph, cases, results, sensitivity) {
  const all = overOutputs(graph, results, cases, (got, want) => compare(got, want));
  const share = ({ difference, range }) => (difference === 0 ? 0 : difference / range);
  const wide = all.filter((s) => share(s) > FLOAT_BOUND);
  const rest = all.filter((s) => !wide.includes(s));
  const derived = wide.map((s) => ({
    output: s.output,
    error: share(s),
    bound: (RUNTIMES * sensitivity()[s.index]) / s.range,
  }));
  const error = rest.length > 0 ? share(largest(rest, share)) : null;
  return { error, derived, passes: derived.every((d) => d.error <= d.bound) };
}

/** What a quantised model gives in plain float, judged as its kind of output wants it. */
function plainFigure(judge, graph, cases, results) {
  const all = overOutputs(graph, results, cases, (got, want) => ({ ...compare(got, want), got, want }));
  if (judge === "pixels") {
    const { equal } = smallest(all, (s) => s.equal);
    return { judge, equal, passes: equal >= PIXELS };
  }
  if (judge === "key points") {
    const place = ({ got, want }) =>
      got.data.reduce((m, v, i) => (i % 3 < 2 ? Math.max(m, Math.abs(v - want.data[i])) : m), 0);
    const cells = place(largest(all, place)) / CELL;
    return { judge, cells, passes: cells <= 1 };
  }
  const { difference } = largest(all, (s) => s.difference);
  const same = all.every((s) => s.sameTop);
  return { judge, steps: difference, sameTop: same, passes: judge === "steps" || same };
}

function simulatedFigure(judge, graph, cases, results, steps) {
  const all = overOutputs(graph, results, cases, (got, want, i) => compare(got, want, steps[i] ?? CELL));
  // The class of a pixel has no steps.
  const share = judge === "pixels" ? smallest(all, (s) => s.equal).equal : smallest(all, (s) => s.withinOne).withinOne;
  const most = judge === "pixels" ? null : largest(all, (s) => s.steps).steps;
  const unit = judge === "pixels" ? "pixels" : steps.includes(null) ? "cells" : "steps";
  return { share, most, unit, passes: share >= SIMULATED };
}

const macsOf = (library, graph) => library.graphCost(graph).macs;

function kindOf(library, graph, simulated) {
  if (simulated !== graph) return "quantised";
  return [...graph.tensors.values()].some((t) => t.data && t.quant) ? "8-bit weights" : "float";
}

/** Figures of the host, for float models and those with 8-bit weights, or of the simulation. */
async function hostFigures(library, { graph, simulated, kind, judge, cases, small, sensitivity }) {
  const executors = small ? ["wasm", "reference"] : ["wasm"];
  const figures = {};
  for (const executor of executors) {
    const results = await runOnHost(library, graph, cases, executor);
    figures[executor] =
      kind === "quantised"
        ? plainFigure(judge, graph, cases, results)
        : floatFigure(library, graph, cases, results, sensitivity);
  }
  if (kind === "quantised") {
    figures.simulated = {};
    for (const executor of executors) {
      const results = await runOnHost(library, simulated, cases, executor);
      figures.simulated[executor] = simulatedFigure(judge, graph, cases, results, stepsOf(graph, simulated));
    }
  }
  if (kind === "8-bit weights") {
    // The recorded runtime rounds activations before these weights; a run that does so too has to give its outputs.
    const results = cases.map(({ inputs }) => hybridOutputs(library, graph, inputs));
    figures.rounded = floatFigure(library, graph, cases, results, sensitivity);
  }
  return figures;
}

/**
 * @param model an entry of `listModels`
 * @param options.out an empty folder for the package
 * @param options.host false: the package alone
 * @param options.variants of the package; "simd" is the one that runs
 * @returns the figures, or what refused the model; `passes` says whether all bounds hold
 */
export async function checkModel(library, model, { out, host = true, variants }) {
  const facts = {
    name: model.name,
    format: FORMATS[path.extname(model.file)],
    runtime: model.runtime,
    bytes: statSync(model.file).size,
  };
  const cases = recordedCases(model.golden);
  let graph;
  try {
    graph = await library.readModel(model.file);
  } catch (error) {
    if (error?.name !== "IdapError") throw error;
    return { ...facts, refused: error.message, passes: /custom|control/.test(error.message) };
  }
  const simulated = library.simulateQuantisation(graph);
  const kind = kindOf(library, graph, simulated);
  const judge = judgeOf(model.name);
  const macs = macsOf(library, graph);
  const small = macs <= REFERENCE_MACS;
  let measured = null;
  const sensitivity = () =>
    (measured ??= cases
      .map(({ inputs }) => roundingSensitivity(library, graph, inputs))
      .reduce((a, b) => a.map((v, i) => Math.max(v, b[i]))));

  const operators = {};
  for (const { op } of graph.nodes) operators[op] = (operators[op] ?? 0) + 1;
  const inputs = graph.inputs.map(({ name, tensor }) => ({ name, ...graph.tensors.get(tensor).type }));
  const outputs = graph.outputs.map(({ name, tensor }) => ({ name, ...graph.tensors.get(tensor).type }));
  const result = { ...facts, kind, judge, cases: cases.length, macs, inputs, outputs, operators };
  if (host) {
    result.host = await hostFigures(library, { graph, simulated, kind, judge, cases, small, sensitivity });
  }

  if (kind === "float" && result.host?.wasm.derived.length > 0) {
    result.localError = await largestLocalError(library, graph, cases[0].inputs);
  }

  mkdirSync(out, { recursive: true });
  const { bytes } = await library.emit(graph, { out, name: "checked", ...(variants && { variants }) });
  const results = await runPackage(out, graph, cases);
  result.emitted =
    kind === "quantised"
      ? plainFigure(judge, graph, cases, results)
      : floatFigure(library, graph, cases, results, sensitivity);
  if (kind === "8-bit weights") {
    const exact = cases.map(({ inputs }) => ({ outputs: evaluate(library, graph, inputs, {}) }));
    result.emittedToExact = floatFigure(library, graph, exact, results, sensitivity);
  }
  result.package = { code: bytes.code.simd, glue: bytes.glue, weights: bytes.weights };
  result.passes = verdict(result);
  return result;
}

/** With 8-bit weights plain float is judged against f64, and f64 with the recorded runtime's rounding against the recording. */
function verdict({ kind, host, emitted, emittedToExact, localError = 0 }) {
  if (localError > 1) return false;
  const judged =
    kind === "8-bit weights"
      ? [host?.rounded, emittedToExact]
      : [host?.wasm, host?.reference, emitted, ...Object.values(host?.simulated ?? {})];
  return judged.every((figure) => figure === undefined || figure.passes);
}
