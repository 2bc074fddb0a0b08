import { graphCost } from "../../analyzer/cost.js";
import { predictLatency } from "../../analyzer/latency.js";
import { loadDevice } from "../../build/targets.js";
import { readModel } from "../../formats/index.js";
import { analyzeCoupling, type Group } from "../../model/coupling.js";
import type { DeviceProfile } from "../../model/device-profile.js";
import type { Graph, Port, TensorType } from "../../model/types.js";
import { defineCommand } from "../command.js";
import { bytes, count, short, table } from "../table.js";

export const inspect = defineCommand(
  {
    name: "inspect",
    summary: "Show the operators, shapes, cost and coupled axes of a model",
    about:
      "Reads a model (ONNX, TFLite, TF.js layers) and shows each operator with its output shape, multiply-accumulates (MACs), parameters and predicted time on a device. A model with operators that idap cannot read is refused with all of them listed.",
    args: [{ name: "model", summary: "a model file (.onnx, .tflite, or a TF.js model.json)" }],
    options: [
      {
        name: "device",
        kind: "string",
        value: "name",
        default: "node-generic",
        summary: "Device profile for the predicted time: a name in targets/devices or the path of a profile",
      },
      {
        name: "batch",
        kind: "integer",
        value: "n",
        min: 1,
        default: 1,
        summary: "The batch size that the file fixes, where it fixes one other than 1",
      },
      {
        name: "groups",
        kind: "flag",
        summary: "Show which axes form one set of channels, how many of them may be cut, and what forbids the others",
      },
    ],
    examples: ["idap inspect model.tflite", "idap inspect model.onnx --groups", "idap inspect model.json --json"],
  },
  async ({ args, values }) => {
    const device = loadDevice(values.device);
    const graph = await readModel(args[0]!, { batch: values.batch });
    const groups = values.groups ? analyzeCoupling(graph).groups : null;
    const summary = summarise(graph, groups, device);
    return { json: summary, text: render(summary) };
  },
);

const typeText = (t: TensorType): string => {
  const dims = t.shape.map((d, i) => (i === t.batchAxis ? (d === 1 ? "n" : `${d}n`) : String(d)));
  return `${t.dtype} [${dims.join(", ")}]`;
};

function summarise(graph: Graph, groups: readonly Group[] | null, device: DeviceProfile) {
  const cost = graphCost(graph);
  const latency = predictLatency(graph, device);
  const port = (p: Port): { name: string; type: string } => ({
    name: p.name,
    type: typeText(graph.tensors.get(p.tensor)!.type),
  });
  return {
    name: graph.name,
    inputs: graph.inputs.map(port),
    outputs: graph.outputs.map(port),
    macs: cost.macs,
    params: cost.params,
    weightBytes: cost.weightBytes,
    latency: { device: latency.device, predictedMs: latency.ms },
    nodes: graph.nodes.map((node, i) => ({
      name: node.name,
      op: node.op,
      output: typeText(graph.tensors.get(node.outputs[0]!)!.type),
      macs: cost.nodes[i]!.macs,
      params: cost.nodes[i]!.params,
      predictedMs: latency.nodes[i]!.ms,
    })),
    ...(groups !== null && { groups: groups.map(describeGroup) }),
  };
}

function describeGroup(group: Group) {
  const frozen = new Map<string, number>();
  for (const atom of group.atoms) if (atom.frozen !== null) frozen.set(atom.frozen, (frozen.get(atom.frozen) ?? 0) + 1);
  return {
    id: group.id,
    channels: group.atoms.length,
    cuttable: group.atoms.filter((a) => a.frozen === null).length,
    frozenBecause: [...frozen.keys()],
    axes: group.axes.map((a) => `${a.tensor}.${a.axis}`),
  };
}

function render(s: ReturnType<typeof summarise>): string {
  const ports = (list: readonly { name: string; type: string }[]): string =>
    list.map((p) => `${p.name} ${p.type}`).join(", ");
  const parts = [
    `${s.name}: ${count(s.macs)} MACs, ${count(s.params)} parameters (${bytes(s.weightBytes)})`,
    `predicted ${s.latency.predictedMs.toFixed(3)} ms on ${s.latency.device}, batch 1`,
    `inputs   ${ports(s.inputs)}`,
    `outputs  ${ports(s.outputs)}`,
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

/** The first axes of a group by their short names, and how many there are besides; `--json` has all. */
function axesText(axes: readonly string[]): string {
  const shown = axes.slice(0, 3).map((a) => short(a, 28));
  return axes.length > 3 ? `${shown.join(" ")} and ${axes.length - 3} more` : shown.join(" ");
}
