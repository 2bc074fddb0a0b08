/**
 * Memory layout of every tensor, and the moves that bring values from one layout into another.
 *
 * A tensor is seen as images [n, h, w, c] (other ranks: one row of pixels over the last axis). Pixels are `cs` floats
 * apart, the channel stride: c itself, or c rounded up to 4 where a vector kernel writes or reads it. Tensors that a
 * convolution pads get a border of zero pixels, so that its windows need no tests. Padding channels hold finite numbers
 * that meet zero weights only.
 */
import { sameShape, sizeOf, type Shape } from "../model/types.js";
import { callsOf } from "../kernels/calls/index.js";
import { TILE } from "../kernels/winograd.js";
import {
  identityLoops,
  renameInputs,
  stepInputs,
  stepOutputs,
  stepScratch,
  type Lowered,
  type LoweredPort,
  type ConvStep,
  type MoveStep,
  type Step,
} from "./steps.js";

export interface TensorLayout {
  readonly shape: Shape;
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  /** Floats from pixel to pixel. */
  readonly cs: number;
  /** Zero pixels around the image: top, left, bottom, right. */
  readonly border: readonly [number, number, number, number];
}

export interface LaidOut {
  readonly name: string;
  readonly inputs: readonly LoweredPort[];
  readonly outputs: readonly LoweredPort[];
  readonly layouts: ReadonlyMap<string, TensorLayout>;
  /** Tensors that share the memory of another: name to owner. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
}

export function imageOf(shape: Shape): { n: number; h: number; w: number; c: number } {
  if (shape.length === 4) return { n: shape[0]!, h: shape[1]!, w: shape[2]!, c: shape[3]! };
  const c = shape.length === 0 ? 1 : shape.at(-1)!;
  return { n: 1, h: 1, w: sizeOf(shape) / Math.max(c, 1), c };
}

const NO_BORDER = [0, 0, 0, 0] as const;

export const rowBytes = (l: TensorLayout): number => (l.border[1] + l.w + l.border[3]) * l.cs * 4;
/** From pixel to pixel of a row, and of a column where rows hold a single one. */
export const pixelBytes = (l: TensorLayout): number => (l.w === 1 ? rowBytes(l) : l.cs * 4);
export const imageBytes = (l: TensorLayout): number => (l.border[0] + l.h + l.border[2]) * rowBytes(l);
export const tensorBytes = (l: TensorLayout): number => l.n * imageBytes(l);
/** From the start of the buffer to the first real pixel. */
export const interiorBytes = (l: TensorLayout): number => l.border[0] * rowBytes(l) + l.border[1] * l.cs * 4;
export const hasBorder = (l: TensorLayout): boolean => l.border.some((b) => b > 0);
/** Whether the values lie as the interface wants them: row-major, no gaps. */
export const isDense = (l: TensorLayout): boolean => !hasBorder(l) && (l.cs === l.c || l.n * l.h * l.w === 1);

/** Byte stride of each axis of the shape. */
export function axisStrides(l: TensorLayout): number[] {
  if (l.shape.length === 4) return [imageBytes(l), rowBytes(l), l.cs * 4, 4];
  const strides: number[] = new Array<number>(l.shape.length);
  let stride = l.cs * 4;
  for (let axis = l.shape.length - 1; axis >= 0; axis--) {
    strides[axis] = axis === l.shape.length - 1 ? 4 : stride;
    if (axis < l.shape.length - 1) stride *= l.shape[axis]!;
  }
  return strides;
}

function layoutFor(shape: Shape, vector: boolean, border: TensorLayout["border"] = NO_BORDER): TensorLayout {
  const image = imageOf(shape);
  return { shape, ...image, cs: vector ? Math.ceil(image.c / 4) * 4 : image.c, border };
}

/** Tensors that a step reads or writes with whole vectors over channels. */
function vectorTensors(step: Step): string[] {
  switch (step.kind) {
    case "conv":
      return [step.y, ...(step.residual === null ? [] : [step.residual]), ...(step.winograd ? [step.x] : [])];
    case "depthwise":
    case "pool":
      return [step.x, step.y];
    case "reduce":
      return step.axes.length === 2 ? [step.x, step.y] : [];
    default:
      return [];
  }
}

/** Which tensors get a padded channel stride: those of vector kernels, and what element-wise steps tie to them. */
function vectorSet(steps: readonly Step[], shapes: ReadonlyMap<string, Shape>): Set<string> {
  const vector = new Set(steps.flatMap(vectorTensors));
  for (let grown = true; grown;) {
    grown = false;
    for (const step of steps) {
      const tied =
        step.kind === "unary"
          ? [step.x, step.y]
          : step.kind === "binary" || (step.kind === "kernel" && callsOf(step.op)!.inPlace)
            ? sameShaped(step.y, stepInputs(step), shapes)
            : [];
      if (tied.some((t) => vector.has(t)) && !tied.every((t) => vector.has(t))) {
        for (const t of tied) vector.add(t);
        grown = true;
      }
    }
  }
  return vector;
}

const sameShaped = (y: string, inputs: readonly string[], shapes: ReadonlyMap<string, Shape>): string[] => [
  y,
  ...inputs.filter((x) => sameShape(shapes.get(x)!, shapes.get(y)!)),
];

type Border = [number, number, number, number];

/** Pads with which whole tiles cover the image: what lies outside must be zeros, since transforms mix all of a tile. */
function tiledPads({ pads, winograd }: ConvStep, x: { h: number; w: number }): Border {
  const { scheme, chunks } = winograd!;
  const after = (tiles: number, before: number, extent: number): number =>
    scheme.stride * TILE * (tiles - 1) + scheme.points - before - extent;
  const { rows, columns } = chunks;
  return [pads[0], pads[1], after(rows, pads[0], x.h), after(columns, pads[1], x.w)];
}

/**
 * The border that the padded windows on each tensor need. A residual that is read for the last time gets the border of
 * the sum and the other way round, so that the sum can take its place: a third of ResNet-8's arena.
 */
function borders(steps: readonly Step[], shapes: ReadonlyMap<string, Shape>): Map<string, Border> {
  const result = new Map<string, Border>();
  const lastReader = new Map<string, Step>();
  const grow = (tensor: string, by: readonly number[]): boolean => {
    const old = result.get(tensor) ?? [0, 0, 0, 0];
    const grown = old.map((v, i) => Math.max(v, by[i] ?? 0)) as Border;
    if (grown.every((v, i) => v === old[i])) return false;
    result.set(tensor, grown);
    return true;
  };
  for (const step of steps) {
    for (const x of stepInputs(step)) lastReader.set(x, step);
    if (step.kind === "conv" || step.kind === "depthwise") grow(step.x, step.pads);
    if (step.kind === "conv" && step.winograd) grow(step.x, tiledPads(step, imageOf(shapes.get(step.x)!)));
  }
  for (let grown = true; grown;) {
    grown = false;
    for (const step of steps) {
      if (step.kind !== "conv" || step.residual === null || lastReader.get(step.residual) !== step) continue;
      grown = grow(step.y, result.get(step.residual) ?? []) || grown;
      grown = grow(step.residual, result.get(step.y) ?? []) || grown;
    }
  }
  return result;
}

export function layOut(lowered: Lowered): LaidOut {
  const { shapes } = lowered;
  const vector = vectorSet(lowered.steps, shapes);
  const border = borders(lowered.steps, shapes);
  const layouts = new Map<string, TensorLayout>();
  const used = new Set<string>();
  for (const step of lowered.steps)
    for (const t of [...stepOutputs(step), ...stepInputs(step), ...stepScratch(step)]) used.add(t);
  for (const port of [...lowered.inputs, ...lowered.outputs]) used.add(port.tensor);
  for (const [name, shape] of shapes) {
    if (used.has(name)) layouts.set(name, layoutFor(shape, vector.has(name), border.get(name)));
  }

  const aliases = new Map<string, string>();
  const steps: Step[] = [];
  const unique = (name: string): string => {
    let result = name;
    for (let i = 1; layouts.has(result); i++) result = `${name}.${i}`;
    return result;
  };
  const dense = (name: string, shape: Shape): string => {
    const made = unique(name);
    layouts.set(made, layoutFor(shape, false));
    return made;
  };
  const move = (x: string, y: string, from: { name: string; nodes: readonly string[] }): MoveStep => {
    const { shape } = layouts.get(y)!;
    const zeros = shape.map(() => 0);
    return {
      kind: "move",
      name: from.name,
      nodes: from.nodes,
      x,
      y,
      macs: 0,
      loops: identityLoops(shape),
      xBegin: zeros,
      yBegin: zeros,
    };
  };

  const inputs = lowered.inputs.map((port) => {
    if (isDense(layouts.get(port.tensor)!)) return port;
    const tensor = dense(`${port.tensor}@in`, port.shape);
    steps.push(move(tensor, port.tensor, { name: `input ${port.name}`, nodes: [] }));
    return { ...port, tensor };
  });

  for (const step of lowered.steps) {
    if (step.kind !== "alias") {
      steps.push(step);
      continue;
    }
    // Both sides must be contiguous; a side that is not gets a contiguous twin and a move.
    const xLayout = layouts.get(step.x)!,
      yLayout = layouts.get(step.y)!;
    let x = step.x;
    if (sameShape(xLayout.shape, yLayout.shape) && !isDense(xLayout)) {
      steps.push(move(x, step.y, step));
      continue;
    }
    if (!isDense(xLayout)) {
      x = dense(`${step.x}@flat`, xLayout.shape);
      steps.push(move(step.x, x, step));
    }
    const y = isDense(yLayout) ? step.y : dense(`${step.y}@flat`, yLayout.shape);
    steps.push({ ...step, x, y });
    aliases.set(y, x);
    if (y !== step.y) steps.push(move(y, step.y, step));
  }

  const written = new Set(steps.flatMap(stepOutputs));
  const outputs = lowered.outputs.map((port) => {
    const given = !written.has(port.tensor);
    if (isDense(layouts.get(port.tensor)!) && !given) return port;
    const tensor = dense(`${port.tensor}@out`, port.shape);
    // An output that is an input, too, is copied: the caller may write the next input before reading.
    steps.push(move(port.tensor, tensor, { name: `output ${port.name}`, nodes: [] }));
    return { ...port, tensor };
  });
  return { name: lowered.name, inputs, outputs, layouts, aliases, steps };
}

/** Steps without aliases, with tensors renamed to the owners of their memory; layouts stay by the original names. */
export function ownerOf(laid: LaidOut, tensor: string): string {
  let owner = tensor;
  for (let next = laid.aliases.get(owner); next !== undefined; next = laid.aliases.get(owner)) owner = next;
  return owner;
}

export { renameInputs };
