/** The loss of a training run, written in the IR: labels, a teacher's outputs, a teacher's inner tensors. */
import { IdapError } from "../model/errors.js";
import { producerOf, typeOf } from "../model/graph.js";
import { GraphPatch } from "../model/patch.js";
import { sameShape, sizeOf, type Graph } from "../model/types.js";
import type { TrainOptions } from "./train-types.js";

/** Name of the input that takes the target probabilities [batch, classes]. */
export const TARGET = "train/target";

export interface LossGraph {
  /** The graph with the loss after it; its outputs are unchanged. */
  readonly graph: Graph;
  readonly loss: string;
  /** Whether the graph has the input TARGET. */
  readonly needsTarget: boolean;
}

/** What the loss compares: the first output, or what goes into its softmax. */
export function logitsOf(graph: Graph): string {
  const output = graph.outputs[0]!.tensor;
  const producer = producerOf(graph).get(output);
  return producer?.op === "softmax" ? producer.inputs[0]! : output;
}

/**
 * Adds the weighted sum of the losses that `options` ask for.
 * @param classes of the labels; 0 where there are none
 */
export function addLoss(student: Graph, classes: number, options: Pick<TrainOptions, "loss" | "match">): LossGraph {
  const { labels = classes > 0 ? 1 : 0, distill } = options.loss;
  const { match } = options;
  for (const [name, weight] of [
    ["labels", labels],
    ["distill", distill?.weight ?? 0],
    ["match", match?.weight ?? 0],
  ] as const) {
    if (!(weight >= 0 && Number.isFinite(weight))) {
      throw new IdapError("E_OPTION", `the weight of the loss "${name}" must be a number of at least 0, got ${weight}`);
    }
  }
  if (labels > 0 && classes === 0) {
    throw new IdapError(
      "E_LABELS",
      "training on labels needs labelled data, and this data has none",
      "Use distillation alone.",
    );
  }
  const merged = mergeTeachers(student, [distill?.teacher, match?.teacher]);
  const needsTarget = labels > 0;
  const logits = logitsOf(student);
  const graph = needsTarget ? withTarget(merged.graph, student, classes) : merged.graph;
  const patch = new GraphPatch(graph);
  const terms: { loss: string; weight: number }[] = [];
  const rows = (tensor: string, width: number): string => asRows(patch, graph, tensor, width);

  if (needsTarget) {
    const [loss] = patch.node(
      "softmax_cross_entropy",
      [rows(logits, classes), TARGET],
      { temperature: 1 },
      "train/labels",
    );
    terms.push({ loss: loss!, weight: labels });
  }
  if (distill && distill.weight > 0) {
    const { temperature: t } = distill;
    if (!(t > 0)) throw new IdapError("E_OPTION", `the temperature of the distillation must be above 0, got ${t}`);
    const width = sizeOf(typeOf(student, logits).shape);
    const taught = merged.nameOf(distill.teacher, logitsOf(distill.teacher));
    if (sizeOf(typeOf(graph, taught).shape) !== width) {
      throw new IdapError(
        "E_TEACHER",
        `the teacher has ${sizeOf(typeOf(graph, taught).shape)} outputs, the student ${width}`,
      );
    }
    const cooled = patch.node(
      "mul",
      [rows(taught, width), patch.constant("train/1/T", [], new Float32Array([1 / t]))],
      {},
      "train/cooled",
    );
    const [soft] = patch.node("softmax", cooled, { axis: 1 }, "train/soft");
    const [loss] = patch.node(
      "softmax_cross_entropy",
      [rows(logits, width), soft!],
      { temperature: t },
      "train/distill",
    );
    terms.push({ loss: loss!, weight: distill.weight });
  }
  for (const [i, [studentTensor, teacherTensor]] of (match && match.weight > 0 ? match.pairs : []).entries()) {
    const taught = merged.nameOf(match!.teacher, teacherTensor);
    const [a, b] = [typeOf(student, studentTensor).shape, typeOf(match!.teacher, teacherTensor).shape];
    if (!sameShape(a, b)) {
      throw new IdapError(
        "E_TEACHER",
        `"${studentTensor}" [${a}] cannot match "${teacherTensor}" [${b}] of the teacher: the shapes differ`,
      );
    }
    const [loss] = patch.node("mean_squared_error", [studentTensor, taught], {}, `train/match/${studentTensor}`);
    terms.push({ loss: loss!, weight: (match!.weight * (match!.factors?.[i] ?? 1)) / match!.pairs.length });
  }
  if (terms.length === 0) {
    throw new IdapError(
      "E_OPTION",
      "training needs a loss: labels, distillation or tensors to match, with a weight above 0",
    );
  }
  const weighted = terms.map(({ loss, weight }, i) =>
    weight === 1
      ? loss
      : patch.node(
          "mul",
          [loss, patch.constant(`train/weight${i}`, [], new Float32Array([weight]))],
          {},
          `train/term${i}`,
        )[0]!,
  );
  const loss = weighted.reduce((sum, term) => patch.node("add", [sum, term], {}, "train/loss")[0]!);
  return { graph: patch.apply(), loss, needsTarget };
}

/** Logits as [batch, width]; they may carry axes of extent 1. */
function asRows(patch: GraphPatch, graph: Graph, tensor: string, width: number): string {
  const { shape, batchAxis } = typeOf(graph, tensor);
  if (batchAxis !== 0 || sizeOf(shape) !== width) {
    throw new IdapError("E_CLASSES", `the model's output "${tensor}" is [${shape}], but the data has ${width} classes`);
  }
  return shape.length === 2 ? tensor : patch.node("reshape", [tensor], { shape: [-1, width] }, "train/rows")[0]!;
}

function withTarget(graph: Graph, student: Graph, classes: number): Graph {
  const out = typeOf(student, logitsOf(student));
  if (sizeOf(out.shape) !== classes) {
    throw new IdapError(
      "E_CLASSES",
      `the model's output is [${out.shape}], but the data has ${classes} classes`,
      "Each class needs one output.",
    );
  }
  const tensor = { name: TARGET, type: { dtype: "f32", shape: [1, classes], batchAxis: 0 } } as const;
  return {
    ...graph,
    inputs: [...graph.inputs, { name: TARGET, tensor: TARGET }],
    tensors: new Map(graph.tensors).set(TARGET, tensor),
  };
}

/** The student's graph with the teachers' nodes in it, reading the same input; their outputs are no outputs. */
function mergeTeachers(
  student: Graph,
  teachers: readonly (Graph | undefined)[],
): { graph: Graph; nameOf: (teacher: Graph, tensor: string) => string } {
  const distinct = [...new Set(teachers)].filter((teacher) => teacher !== undefined);
  const names = new Map<Graph, (tensor: string) => string>();
  const tensors = new Map(student.tensors);
  const nodes = [...student.nodes];
  distinct.forEach((teacher, i) => {
    const inputs = new Map(
      teacher.inputs.map((port, k) => {
        const own = student.inputs[k]?.tensor;
        if (own === undefined || !sameShape(typeOf(student, own).shape, typeOf(teacher, port.tensor).shape)) {
          throw new IdapError(
            "E_TEACHER",
            `the teacher "${teacher.name}" does not take the student's inputs ("${port.name}" differs)`,
          );
        }
        return [port.tensor, own] as const;
      }),
    );
    const rename = (tensor: string): string => inputs.get(tensor) ?? `teacher${i}/${tensor}`;
    names.set(teacher, rename);
    for (const [name, tensor] of teacher.tensors) {
      if (!inputs.has(name)) tensors.set(rename(name), { ...tensor, name: rename(name) });
    }
    for (const node of teacher.nodes) {
      nodes.push({
        ...node,
        name: `teacher${i}/${node.name}`,
        inputs: node.inputs.map(rename),
        outputs: node.outputs.map(rename),
      });
    }
  });
  const nameOf = (teacher: Graph, tensor: string): string => {
    typeOf(teacher, tensor);
    return names.get(teacher)!(tensor);
  };
  return { graph: { ...student, tensors, nodes }, nameOf };
}
