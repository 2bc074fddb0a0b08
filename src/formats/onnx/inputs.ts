import { IdapError } from "../../model/errors.js";
import type { Dtype, TensorType } from "../../model/types.js";
import { checkShape } from "../shared/check.js";
import type { ValueInfoProto } from "./generated/onnx_pb.js";
import { BATCH } from "./producer.js";
import { dtypeOf } from "./wire.js";

export interface InputOptions {
  readonly file: string;
  /** Extent of axis 0 that stands for the batch. */
  readonly batch: number;
  /** Written by our writer, which marks the batch. */
  readonly ours: boolean;
  /** Shapes that the caller states, by input. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/** An extent as the file states it: a number, or what it calls one that it leaves open. */
type Extent = number | string;

function extentsOf(info: ValueInfoProto, { file, shapes }: InputOptions): Extent[] {
  const what = `${file}: input "${info.name}"`;
  const given = shapes[info.name];
  const type = info.type?.value;
  if (type?.case !== "tensorType") {
    const kind = type?.case === undefined ? "states no type" : `is a ${type.case.replace("Type", "")}, not a tensor`;
    throw new IdapError("E_SHAPE", `${what} ${kind}`, "Export the model with tensors as its inputs.");
  }
  const stated = type.value.shape?.dim.map(({ value }, i): Extent => {
    if (value.case === "dimValue" && value.value > 0n) return Number(value.value);
    return (value.case === "dimParam" && value.value) || `axis ${i}`;
  });
  if (!stated) {
    if (given) return [...given];
    throw new IdapError("E_SHAPE", `${what} states no shape`, `Give it: --shape ${info.name}=1,3,224,224`);
  }
  if (!given) return stated;
  const fits = given.length === stated.length && stated.every((d, i) => typeof d === "string" || d === given[i]);
  if (!fits) {
    throw new IdapError("E_SHAPE", `${what} is [${stated.join(", ")}], to which [${given.join(", ")}] does not fit`);
  }
  return [...given];
}

/**
 * The element type and shape of an input that the file declares without elements: an optional operand that is left out, or
 * one that is asked for its type alone. There is nothing to give, so it is no port; null for all others.
 */
export function emptyInput(
  info: ValueInfoProto,
  { file, shapes }: InputOptions,
): { dtype: Dtype; shape: number[] } | null {
  const type = info.type?.value;
  if (type?.case !== "tensorType" || shapes[info.name]) return null;
  const dims = type.value.shape?.dim.map((d) => (d.value.case === "dimValue" ? Number(d.value.value) : -1)) ?? [];
  if (dims.length !== 1 || dims[0] !== 0) return null;
  return { dtype: dtypeOf(type.value.elemType, `${file}: input "${info.name}"`), shape: dims };
}

/** The batch may stay open: axis 0, or what our writer marks. */
function openAxis(extents: readonly Extent[]): number | null {
  const marked = extents.findIndex((d) => typeof d === "string" && BATCH.test(d));
  if (marked >= 0) return marked;
  return typeof extents[0] === "string" ? 0 : null;
}

/** Throws one error that names every extent which neither the file nor the caller states. */
export function needShapes(inputs: readonly ValueInfoProto[], options: InputOptions): void {
  for (const name of Object.keys(options.shapes)) {
    if (!inputs.some((i) => i.name === name)) {
      const known = inputs.map((i) => i.name).join(", ");
      throw new IdapError("E_SHAPE", `${options.file} has no input "${name}" to give a shape; it has ${known}`);
    }
  }
  const open = inputs.flatMap((info) => {
    const extents = extentsOf(info, options);
    const batch = openAxis(extents);
    const names = extents.filter((d, i) => typeof d === "string" && i !== batch);
    return names.length > 0 ? [{ info, extents, names }] : [];
  });
  if (open.length === 0) return;
  const parts = open.map(({ info, extents, names }) => {
    const shown = extents.map((d) => d).join(", ");
    return `"${info.name}" [${shown}] leaves ${names.join(", ")} open`;
  });
  const flags = open.map(
    ({ info, extents }) => `--shape ${info.name}=${extents.map((d) => (typeof d === "number" ? d : "…")).join(",")}`,
  );
  throw new IdapError(
    "E_SHAPE",
    `${options.file} needs sizes: input ${parts.join("; input ")}`,
    `Only the batch may be open. Give them, each … as a number: ${flags.join(" ")}`,
  );
}

/**
 * Type at batch 1. The batch axis is the open one, or axis 0 where it has the extent that stands for the batch; in our
 * own files only what is marked.
 */
export function inputType(info: ValueInfoProto, options: InputOptions, traced: boolean): TensorType {
  const what = `${options.file}: input "${info.name}"`;
  const extents = extentsOf(info, options);
  const type = info.type!.value;
  const dtype = dtypeOf(type.case === "tensorType" ? type.value.elemType : 0, what);
  const axis = openAxis(extents);
  const samples = (d: Extent): number => {
    if (typeof d === "number") return d;
    const marked = BATCH.exec(d)?.[1];
    return (marked ? Number(marked) : 1) * (traced || options.ours ? 1 : options.batch);
  };
  const shape = [...checkShape(extents.map(samples), what)];
  if (!traced) return { dtype, shape, batchAxis: null };
  if (axis !== null) return { dtype, shape, batchAxis: axis };
  const { batch, ours } = options;
  if (ours || shape.length === 0 || shape[0] !== batch) return { dtype, shape, batchAxis: null };
  shape[0] = 1;
  return { dtype, shape, batchAxis: 0 };
}
