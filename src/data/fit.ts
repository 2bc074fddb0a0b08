import type { Split } from "../model/dataset.js";
import { IdapError } from "../model/errors.js";
import { sameShape, sizeOf, type Graph, type Shape } from "../model/types.js";
import type { DataSet } from "./types.js";
import { rearrange } from "./view.js";

/**
 * The data set as `graph` wants it: samples in the layout of its input (images are turned from [h, w, c] to [c, h, w]
 * where the model asks for it), with as many classes as the model has outputs.
 * Throws when the samples do not fit the input or a label has no output.
 */
export function fitToModel(data: DataSet, graph: Graph): DataSet {
  const shape = inputShape(graph);
  const order = arrangement(data.train.shape, shape, graph);
  const classes = classesOf(data, graph);
  const fit = (split: Split): Split => rearrange(split, shape, order, classes);
  return {
    ...data,
    train: fit(data.train),
    validation: fit(data.validation),
    calibration: fit(data.calibration),
    test: data.test && fit(data.test),
  };
}

/** Throws as `fitToModel` does when the data set cannot be used with `graph`. */
export function checkFits(data: DataSet, graph: Graph): void {
  arrangement(data.train.shape, inputShape(graph), graph);
  classesOf(data, graph);
}

/** Shape of one sample of `graph`, for readers of files that leave it open; undefined where it has several inputs. */
export function sampleShapeOf(graph: Graph): readonly number[] | undefined {
  return graph.inputs.length === 1 ? inputShape(graph) : undefined;
}

/** Shape of one sample at the graph's only input. */
function inputShape(graph: Graph): number[] {
  const [port, ...others] = graph.inputs;
  if (port === undefined || others.length > 0) {
    throw new IdapError(
      "E_DATA_SHAPE",
      `${graph.name} has ${graph.inputs.length} inputs (${graph.inputs.map((p) => p.name).join(", ")}); data sets are for models with one`,
      "Build it without --data and with --no-prune.",
    );
  }
  const { type } = graph.tensors.get(port.tensor)!;
  return type.shape.filter((_, axis) => axis !== (type.batchAxis ?? 0));
}

/** Order of elements that turns a sample of shape `from` into one of shape `to`; null when it is the same order. */
function arrangement(from: Shape, to: Shape, graph: Graph): Int32Array | null {
  const squeeze = (s: Shape): number[] => s.filter((d) => d !== 1);
  if (sameShape(squeeze(from), squeeze(to))) return null;
  const [h, w, c] = from;
  if (from.length === 3 && sameShape(to, [c!, h!, w!])) {
    const plane = h! * w!;
    return Int32Array.from({ length: sizeOf(from) }, (_, j) => (j % plane) * c! + Math.floor(j / plane));
  }
  throw new IdapError(
    "E_DATA_SHAPE",
    `the samples are [${from.join(", ")}] but input "${graph.inputs[0]!.name}" of ${graph.name} needs [${to.join(", ")}]`,
    "Use data of that shape, or another model.",
  );
}

/** Number of classes that the model tells apart; the data's own number when its first output is no list of scores. */
function classesOf(data: DataSet, graph: Graph): number {
  if (data.train.classes === 0) return 0;
  const { type } = graph.tensors.get(graph.outputs[0]!.tensor)!;
  const scores = type.shape.filter((_, axis) => axis !== (type.batchAxis ?? 0)).filter((d) => d !== 1);
  if (scores.length > 1) return data.train.classes;
  const outputs = scores[0] ?? 1;
  if (outputs > 1 && data.train.classes > outputs) {
    throw new IdapError(
      "E_DATA_LABEL",
      `the data has ${data.train.classes} classes but output "${graph.outputs[0]!.name}" of ${graph.name} tells only ${outputs} apart`,
      "Is this the data that the model was trained for?",
    );
  }
  return Math.max(outputs, data.train.classes);
}
