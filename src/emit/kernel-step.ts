/** Steps whose kernel calls are described once for host and device: from a node to a step, and from a step to calls. */
import type { CallContext, Operand } from "../kernels/define-calls.js";
import { callsOf } from "../kernels/calls/index.js";
import { packedBytes, toWords, type Words } from "../model/words.js";
import { invariant } from "../model/errors.js";
import { stridesOf, type Dtype, type Node, type Shape, type TensorData } from "../model/types.js";
import { axisStrides, type TensorLayout } from "./layout.js";
import type { StepSink } from "./lower-plain.js";
import type { KernelStep } from "./steps.js";

/** A call to be written: file of the kernel, its name, its arguments. */
export interface KernelCall {
  readonly file: string;
  readonly kernel: string;
  readonly args: readonly number[];
}

type Run = Pick<CallContext, "temp" | "table" | "call">;

function runCalls(step: KernelStep, inputs: readonly Operand[], outputs: readonly Operand[], run: Run): void {
  const def = callsOf(step.op);
  invariant(def, `${step.op} has a description of its kernel calls`);
  const constant = (i: number): TensorData | null => {
    const operand = step.inputs[i]!;
    return "values" in operand ? operand.values : null;
  };
  def.calls({ op: step.op, attrs: step.attrs, inputs, outputs, constant, ...run });
}

const denseStrides = (shape: Shape): number[] => stridesOf(shape).map((s) => 4 * s);

/** The step of a node; its tables and scratch tensors are found by a run at made-up addresses. */
export function kernelStep(
  node: Pick<Node, "name" | "op" | "attrs" | "inputs" | "outputs">,
  sink: StepSink,
): KernelStep {
  const operand = (name: string): Operand => {
    const shape = sink.shape(name);
    return { address: 0, shape, strides: denseStrides(shape), dtype: sink.dtype(name) };
  };
  const [y, ...others] = node.outputs;
  const draft: KernelStep = {
    kind: "kernel",
    name: node.name,
    nodes: [node.name],
    op: node.op,
    attrs: node.attrs,
    inputs: node.inputs.map((name) => {
      const values = sink.constant(name);
      return values ? { values, shape: sink.shape(name) } : { tensor: name };
    }),
    inputDtypes: node.inputs.map((name) => sink.dtype(name)),
    y: y!,
    others,
    outputDtypes: node.outputs.map((name) => sink.dtype(name)),
    scratch: [],
    tables: [],
    macs: sink.macs,
  };
  const scratch: string[] = [];
  const tables: Words[] = [];
  runCalls(draft, node.inputs.map(operand), node.outputs.map(operand), {
    temp: (bytes) => {
      scratch.push(sink.temporary(`${y!}@scratch`, [Math.ceil(bytes / 4)]));
      return 0;
    },
    table: (data) => {
      tables.push(data);
      return 0;
    },
    call: () => {},
  });
  return { ...draft, scratch, tables };
}

/** Whether a fixed input of this number is read from tables alone. */
function isTabled(step: KernelStep, input: number): boolean {
  return callsOf(step.op)?.tabled?.includes(input) ?? false;
}

/** Everything fixed that a step reads, in the order of its places: constant operands, then tables. */
export function stepConstants(step: KernelStep): Words[] {
  const values = step.inputs.flatMap((operand, i) =>
    "values" in operand && !isTabled(step, i) ? [toWords(operand.values, `a constant of "${step.name}"`)] : [],
  );
  return [...values, ...step.tables];
}

/**
 * The calls of a step.
 * @param weights address of its constants, each rounded up to 16 bytes
 * @param at address of a tensor's first element
 */
export function stepCalls(
  step: KernelStep,
  weights: number | null,
  layouts: ReadonlyMap<string, TensorLayout>,
  at: (tensor: string) => number,
): KernelCall[] {
  let next = weights ?? 0;
  const fixed = (bytes: number): number => {
    const address = next;
    next += packedBytes(bytes);
    return address;
  };
  const placed = (tensor: string, dtype: Dtype): Operand => {
    const layout = layouts.get(tensor)!;
    return { address: at(tensor), shape: layout.shape, strides: axisStrides(layout), dtype };
  };
  const inputs = step.inputs.map((operand, i): Operand => {
    const dtype = step.inputDtypes[i]!;
    if ("tensor" in operand) return placed(operand.tensor, dtype);
    const { shape, values } = operand;
    return { address: isTabled(step, i) ? 0 : fixed(4 * values.length), shape, strides: denseStrides(shape), dtype };
  });
  const outputs = [step.y, ...step.others].map((tensor, i) => placed(tensor, step.outputDtypes[i]!));
  const calls: KernelCall[] = [];
  let scratch = 0;
  runCalls(step, inputs, outputs, {
    temp: () => at(step.scratch[scratch++]!),
    table: (data) => fixed(4 * data.length),
    call: (file, kernel, ...args) => calls.push({ file, kernel, args }),
  });
  return calls;
}
