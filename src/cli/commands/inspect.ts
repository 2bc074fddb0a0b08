import { memoryPlanSvg } from "../../build/memory-figure.js";
import { loadDevice } from "../../build/targets.js";
import { readModel } from "../../formats/index.js";
import { analyzeCoupling } from "../../model/coupling.js";
import { writeAtomically } from "../../model/serialize.js";
import { defineCommand } from "../command.js";
import { describeModel, type ModelDescription } from "../describe-model.js";
import { MODEL_ARGUMENT, MODEL_OPTIONS, readOptions } from "../options.js";
import { readingProgress } from "../progress.js";
import { bytes, count, short, table } from "../table.js";

export const inspect = defineCommand(
  {
    name: "inspect",
    summary: "Show the operators, shapes, cost and coupled axes of a model, and what becomes of it",
    about:
      "Reads a model (ONNX, TFLite, TF.js, Keras) and shows which operators it has and where they run, what emission folds, and each node with its output shape, multiply-accumulates (MACs), parameters and predicted time on a device. Shapes are those of the inner layout, with the channels last; inputs and outputs are as the file has them. A model with operators that idap cannot read is refused with all of them listed.",
    args: [MODEL_ARGUMENT],
    options: [
      {
        name: "device",
        kind: "string",
        value: "name",
        default: "node-generic",
        summary: "Device profile for the predicted time: a name in targets/devices or the path of a profile",
      },
      ...MODEL_OPTIONS,
      {
        name: "groups",
        kind: "flag",
        summary: "Show which axes form one set of channels, how many of them may be cut, and what forbids the others",
      },
      {
        name: "memory",
        kind: "string",
        value: "file.svg",
        summary: "Draw the emitted network's memory plan, lifetimes over places, as a standalone SVG",
      },
    ],
    examples: [
      "idap inspect model.tflite",
      "idap inspect model.onnx --groups",
      "idap inspect model.onnx --memory plan.svg",
      "idap inspect detector.onnx --shape image=1,3,320,320",
      "idap inspect model.json --json",
    ],
  },
  async ({ args, values, progress }) => {
    const device = loadDevice(values.device);
    const onProgress = readingProgress(args[0]!, progress);
    const graph = await readModel(args[0]!, { ...readOptions(values), onProgress });
    const groups = values.groups ? analyzeCoupling(graph).groups : null;
    const description = describeModel(graph, groups, device);
    if (values.memory !== undefined) await writeAtomically(values.memory, memoryPlanSvg(graph));
    return { json: description, text: render(description) };
  },
);

function render(s: ModelDescription): string {
  const ports = (list: ModelDescription["inputs"]): string => list.map((p) => `${p.name} ${p.type}`).join(", ");
  const parts = [
    `${s.name}: ${count(s.macs)} MACs, ${count(s.params)} parameters (${bytes(s.weightBytes)})`,
    `predicted ${s.latency.predictedMs.toFixed(3)} ms on ${s.latency.device}, batch 1`,
    `inputs   ${ports(s.inputs)}`,
    `outputs  ${ports(s.outputs)}`,
    ...quantisationText(s.quantisation),
    ...emissionText(s.emission),
    "",
    table(
      ["operator", "nodes", "MACs", "parameters", "ms", "runs on"],
      s.operators.map((o) => [
        o.op,
        count(o.count),
        count(o.macs),
        count(o.params),
        o.predictedMs.toFixed(4),
        [...(o.host ? ["host"] : []), ...(o.device ? [o.folded ? "device (folded)" : "device"] : [])].join(", "),
      ]),
    ),
    "",
    table(
      ["node", "operator", "output", "MACs", "parameters", "ms"],
      s.nodes.map((n) => [short(n.name), n.op, n.output, count(n.macs), count(n.params), n.predictedMs.toFixed(4)]),
    ),
  ];
  if (s.groups !== undefined) {
    parts.push(
      "",
      table(
        ["group", "channels", "cuttable", "axes"],
        s.groups.map((g) => [short(g.id), String(g.channels), String(g.cuttable), axesText(g.axes)]),
      ),
    );
    for (const g of s.groups)
      for (const why of g.frozenBecause) parts.push(`${short(g.id)} cannot be cut because ${why}`);
  }
  return parts.join("\n");
}

function quantisationText(q: ModelDescription["quantisation"]): string[] {
  if (q === null) return [];
  const channels = q.perChannel > 0 ? `, ${q.perChannel} of them with a scale for each channel` : "";
  return [`scales   ${q.weights} weights and ${q.activations} activations of ${q.dtypes.join(", ")}${channels}`];
}

function emissionText(e: ModelDescription["emission"]): string[] {
  if (!e.supported) return [`emission refused: ${e.reason}`, ...(e.hint === null ? [] : [`hint     ${e.hint}`])];
  const parts = [
    `${count(e.steps)} steps`,
    some(e.fused, "node computed on the way", "nodes computed on the way"),
    some(e.aliases, "reshape that moves nothing", "reshapes that move nothing"),
    some(e.batchNorms.folded, "batch norm folded", "batch norms folded"),
    some(e.batchNorms.multiplied, "batch norm as product and sum", "batch norms as product and sum"),
    some(e.constantNodes, "constant node", "constant nodes"),
    e.transposes.model > 0
      ? `${e.transposes.emitted} of ${some(e.transposes.model, "transpose", "transposes")} left`
      : "",
  ];
  return [`emission ${parts.filter((p) => p !== "").join(", ")}`];
}

function some(n: number, one: string, many: string): string {
  return n === 0 ? "" : `${count(n)} ${n === 1 ? one : many}`;
}

/** The first axes of a group by their short names, and how many there are besides; `--json` has all. */
function axesText(axes: readonly string[]): string {
  const shown = axes.slice(0, 3).map((a) => short(a, 28));
  return axes.length > 3 ? `${shown.join(" ")} and ${axes.length - 3} more` : shown.join(" ");
}
