/** `model.h`: what a C program needs to know of a module, whichever runtime (or wasm2c) runs it. */
import type { Variant } from "../kernels/tiles.js";
import { sizeOf, type Dtype } from "../model/types.js";
import type { EmissionPlan } from "./source.js";
import type { LoweredPort } from "./steps.js";

/** Functions of every module: result, name, parameter. */
const FUNCTIONS = [
  ["int32_t", "abi_version", "void", "the interface described here is 1"],
  ["uint32_t", "weights_ptr", "void", "where the weights are"],
  ["uint32_t", "weights_bytes", "void", "how many of them a loader has to put there before setup(): none"],
  ["void", "setup", "void", "once, after the module was instantiated"],
  ["int32_t", "selftest", "void", "after setup(): 1 if the engine computes as it should"],
  ["int32_t", "input_count", "void", ""],
  ["uint32_t", "input_ptr", "int32_t", ""],
  ["uint32_t", "input_bytes", "int32_t", ""],
  ["int32_t", "output_count", "void", ""],
  ["uint32_t", "output_ptr", "int32_t", ""],
  ["uint32_t", "output_bytes", "int32_t", ""],
  ["void", "reset", "void", "forgets everything but the weights"],
  ["void", "run", "void", "inputs to outputs; inputs may be overwritten"],
] as const;

/** In memory every element is 4 bytes. */
const TYPES: Readonly<Record<Dtype, readonly [type: string, note: string]>> = {
  f32: ["float", ""],
  i32: ["int32_t", ""],
  i8: ["int32_t", ", values from -128 to 127"],
  u8: ["int32_t", ", values from 0 to 255"],
  bool: ["int32_t", ", 0 or 1"],
  i64: ["int32_t", ", values of 32 bits"],
};

/** Text of a model file, safe inside a comment and a string. */
const plain = (text: string): string =>
  text
    .replaceAll("*/", "* /")
    .replace(/[\\"]/g, "'")
    .replace(/[\s\p{C}]+/gu, " ");

function ports(kind: "INPUT" | "OUTPUT", list: readonly LoweredPort[], { memory }: EmissionPlan): string {
  const one = ({ name, shape, dtype, tensor }: LoweredPort, i: number): string => {
    const at = `MODEL_${kind}${i}`;
    const [type, note] = TYPES[dtype];
    const dims = shape.length === 0 ? [1] : shape;
    return `/* "${plain(name)}": [${shape.join(", ")}], row-major${note} */
#define ${at}_NAME "${plain(name)}"
#define ${at}_TYPE ${type}
#define ${at}_OFFSET ${memory.addresses.get(tensor)!}u
#define ${at}_ELEMENTS ${sizeOf(shape)}u
#define ${at}_BYTES ${4 * sizeOf(shape)}u
#define ${at}_RANK ${shape.length}
#define ${at}_SHAPE { ${dims.join(", ")} }
`;
  };
  return `#define MODEL_${kind}S ${list.length}
${list.map(one).join("\n")}`;
}

export function cHeader(name: string, plan: EmissionPlan, variants: readonly Variant[]): string {
  const { memory, laid } = plan;
  const files = variants.map((v) => `model.${v}.wasm`).join(", ");
  const prototypes = FUNCTIONS.map(
    ([result, f, param, note]) => ` *   ${result} ${f}(${param})${note === "" ? "" : `: ${note}`}`,
  ).join("\n");
  return `/*
 * ${plain(name)}: a network compiled to WebAssembly by idap (${files}).
 *
 * The module imports nothing, has its weights inside, and one memory of a fixed size. To use it:
 *   1. instantiate it;  2. call setup(), and check that selftest() gives 1;
 *   3. for every inference write the inputs into the memory, call run(), and read the outputs from the memory.
 * Offsets are bytes from the memory's beginning; numbers there are little-endian.
 *
 * Exports, besides the memory, which is called "memory":
${prototypes}
 */
#ifndef IDAP_MODEL_H
#define IDAP_MODEL_H

#include <stdint.h>

#define MODEL_NAME "${plain(name)}"
#define MODEL_ABI_VERSION 1

/* The module's memory: so many pages of 65536 bytes, no more and no less. */
#define MODEL_MEMORY_PAGES ${memory.pages}u
#define MODEL_MEMORY_BYTES ${memory.pages * 65536}u
/* What of it is used: weights, and the tensors of a run. */
#define MODEL_WEIGHTS_OFFSET ${memory.weightsOffset}u
#define MODEL_WEIGHTS_BYTES ${memory.weightsBytes}u
#define MODEL_ARENA_OFFSET ${memory.arenaOffset}u
#define MODEL_ARENA_BYTES ${memory.arenaBytes}u

${ports("INPUT", laid.inputs, plan)}
${ports("OUTPUT", laid.outputs, plan)}
#endif
`;
}
