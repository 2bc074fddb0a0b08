/** The AssemblyScript module of one variant: tiles, one function per layer, and the exported interface. */
import type { Variant } from "../kernels/tiles.js";
import { interiorAddress, convBody, depthwiseBody, type Place } from "./source-conv.js";
import { isWinograd, setupCalls, winogradBody } from "./source-winograd.js";
import { clearBody, plainBody } from "./source-plain.js";
import { TileLibrary } from "./source-tiles.js";
import { sizeOf } from "../model/types.js";
import type { KernelPlan } from "./kernel-plan.js";
import type { LaidOut, TensorLayout } from "./layout.js";
import type { MemoryPlan } from "./memory-plan.js";
import type { Step } from "./steps.js";
import type { WeightsPlan } from "./weights-plan.js";

const LAYER_PREFIX = "layer";
/**
 * Layers and tiles are functions whose names end with a digit. They are exported while the module is compiled, which
 * keeps the compiler from pasting all layers into one function and tiles into their layers.
 */
export const isInternal = (exported: string): boolean => /\d$/.test(exported);

export interface EmissionPlan {
  readonly laid: LaidOut;
  readonly weights: WeightsPlan;
  readonly memory: MemoryPlan;
  readonly kernels: KernelPlan;
}

/** The scalar variant is compiled as `simd` and then rid of its vectors (src/wasm/scalar.ts). */
export const ENABLE: Readonly<Record<Variant, string>> = {
  simd: "simd",
  relaxed: "simd,relaxed-simd",
  scalar: "simd",
};

export function compileOptions(variant: Variant, pages: number): string[] {
  return [
    "-O2",
    "--runtime",
    "stub",
    "--noAssert",
    "--disableWarning",
    "112",
    "--enable",
    ENABLE[variant],
    "--initialMemory",
    String(pages),
    "--maximumMemory",
    String(pages),
  ];
}

/** @param weightsInside the module gets its weights as data: its loader has none to bring */
export function moduleSource(plan: EmissionPlan, variant: Variant, weightsInside = false): string {
  const { laid, memory, kernels } = plan;
  const tiles = new TileLibrary();
  const imports = new Map<string, Set<string>>();
  const call = (file: string, name: string): string => {
    const names = imports.get(file) ?? new Set<string>();
    imports.set(file, names.add(name));
    return name;
  };
  call("selftest", "self_test");
  const place: Place = {
    laid,
    variant,
    tiles,
    at: (tensor) => interiorAddress(laid, tensor, memory.addresses.get(tensor)!),
    passes: memory.transformedOffset,
    coefficients: ({ stride }) => memory.weightsOffset + plan.weights.schemes.get(stride)!.offset,
  };

  const layers: string[] = [];
  laid.steps.forEach((step, i) => {
    if (step.kind === "alias") return;
    const planned = kernels.layers[layers.length]!;
    const chunk = plan.weights.chunks.get(i);
    const weights = chunk ? memory.weightsOffset + chunk.offset : null;
    const clear = memory.clears.get(i);
    const body = [
      ...(clear ?? []).map(({ what, tensor }) =>
        clearBody(what, laid.layouts.get(tensor)!, memory.addresses.get(tensor)!, call),
      ),
      step.kind === "conv"
        ? isWinograd(step, variant)
          ? winogradBody(step, weights!, memory.transformedOffset + plan.weights.transformed.get(i)!.offset, place)
          : convBody(step, weights!, place, call)
        : step.kind === "depthwise"
          ? depthwiseBody(step, weights!, place)
          : plainBody(step, weights, place, call),
    ];
    const tile = planned.tiles?.[variant] ? `; tile ${planned.tiles[variant]}` : "";
    layers.push(
      `/** ${comment(describe(step, laid.layouts))}${tile}. */\n` +
        `export function ${LAYER_PREFIX}${planned.index}(): void {\n${body.join("\n")}\n}\n`,
    );
  });

  const setup = setupCalls(laid, plan.weights, memory, variant);
  if (setup.length > 0) for (const name of ["winograd_weights", "winograd_self_test"]) call("winograd", name);
  const tileText = tiles.text;
  for (const name of ["madd", "relu4", "relu6of4"]) if (tileText.includes(`${name}(`)) call("simd", name);
  const importText = [...imports]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, names]) => `import { ${[...names].sort().join(", ")} } from "./kernels/${file}";`);
  const end = memory.arenaOffset + memory.arenaBytes;
  const { transformedOffset, transformedBytes } = memory;
  const made = transformedBytes > 0 ? `${transformedOffset} transformed weights (${transformedBytes} bytes), ` : "";
  const afterwards = [
    ...(variant === "scalar" ? ["Afterwards vectors are taken out of it: `scalarModule` of the library idap."] : []),
    ...(weightsInside ? ["Then it gets the weights, as a data segment."] : []),
  ];

  return `/**
 * ${comment(laid.name)}, variant ${variant}: ${kernels.layers.length} layers, ${kernels.macs} multiply-accumulates.
 * Written by idap; addresses and sizes are constants of this network.
 *
 * Compile: asc model.${variant}.ts -o model.${variant}.wasm ${compileOptions(variant, memory.pages).join(" ")}
${afterwards.map((line) => ` * ${line}\n`).join("")} *
 * Memory: ${memory.weightsOffset} weights (${memory.weightsBytes} bytes), ${made}${memory.arenaOffset} tensors (${memory.arenaBytes} bytes), ${end} end.
 * Tensors are [height, width, channels] with channels padded to a multiple of 4 where vector code meets them.
 */
${importText.join("\n")}

export function abi_version(): i32 { return 1; }
export function weights_ptr(): usize { return ${memory.weightsOffset}; }
/** What a loader has to put there before \`setup\`. */
export function weights_bytes(): usize { return ${weightsInside ? 0 : memory.weightsBytes}; }
${ports("input", laid.inputs, memory)}
${ports("output", laid.outputs, memory)}
${setup.length === 0 ? plainSetup(memory) : setupText(setup, memory)}
/** Inputs to outputs. Inputs may be overwritten; outputs stay until the next run. */
export function run(): void {
${layers.map((_, i) => `  ${LAYER_PREFIX}${i}();`).join("\n")}
}

${layers.join("\n")}
${tileText}`;
}

function plainSetup({ arenaOffset, arenaBytes, scratchOffset }: MemoryPlan): string {
  return `/** Call once after the weights are in place. */
export function setup(): void { reset(); }

/** Forgets everything but the weights. */
export function reset(): void { memory.fill(${arenaOffset}, 0, ${arenaBytes}); }

/** 1 if the engine computes every kind of instruction used here correctly. */
export function selftest(): i32 { return self_test(${scratchOffset}); }
`;
}

/** A self-test before `setup` fails, so that nobody who loads a module can forget to have its weights transformed. */
function setupText(calls: readonly string[], { arenaOffset, arenaBytes, scratchOffset }: MemoryPlan): string {
  return `/** Whether the layers' weights have been made of those of the file. */
let ready = false;

/** Call once after the weights are in place: transforms 3x3 weights for Winograd's method. */
export function setup(): void {
${calls.map((c) => `  ${comment(c)}`).join("\n")}
  ready = true;
  reset();
}

/** Forgets everything but the weights. */
export function reset(): void { memory.fill(${arenaOffset}, 0, ${arenaBytes}); }

/** 1 if the engine computes every kind of instruction used here correctly, and \`setup\` was called. */
export function selftest(): i32 {
  return ready && self_test(${scratchOffset}) && winograd_self_test(${scratchOffset}) ? 1 : 0;
}
`;
}

/** Names from a model file, safe inside a comment. */
const comment = (text: string): string => text.replaceAll("*/", "* /").replace(/\s+/g, " ");

function ports(kind: "input" | "output", list: LaidOut["inputs"], memory: MemoryPlan): string {
  const choose = (values: readonly number[]): string =>
    values.map((v, i) => (i === values.length - 1 ? `return ${v};` : `if (i == ${i}) return ${v};`)).join(" ") ||
    "return 0;";
  return (
    `export function ${kind}_count(): i32 { return ${list.length}; }\n` +
    `export function ${kind}_ptr(i: i32): usize { ${choose(list.map((p) => memory.addresses.get(p.tensor)!))} }\n` +
    `export function ${kind}_bytes(i: i32): usize { ${choose(list.map((p) => 4 * sizeOf(p.shape)))} }\n`
  );
}

function describe(step: Step, layouts: ReadonlyMap<string, TensorLayout>): string {
  const shape = (name: string): string => `[${layouts.get(name)!.shape.join(", ")}]`;
  const y = shape(step.y);
  const macs = step.macs > 0 ? `, ${step.macs} MAC` : "";
  switch (step.kind) {
    case "conv": {
      const [kh, kw] = step.kernel;
      const parts = [
        `${kh}x${kw} convolution`,
        step.strides.some((s) => s > 1) ? `stride ${step.strides.join("x")}` : "",
        step.dilations.some((d) => d > 1) ? `dilation ${step.dilations.join("x")}` : "",
        step.groups > 1 ? `${step.groups} groups` : "",
        step.residual === null ? "" : `+ ${step.residual}`,
        step.act === "none" ? "" : step.act,
      ];
      return `${step.name}: ${parts.filter(Boolean).join(", ")}; ${shape(step.x)} -> ${y}${macs}`;
    }
    case "depthwise":
      return (
        `${step.name}: depthwise ${step.kernel.join("x")}, stride ${step.strides.join("x")}` +
        `${step.act === "none" ? "" : `, ${step.act}`}; ${shape(step.x)} -> ${y}${macs}`
      );
    case "pool":
      return `${step.name}: ${step.mode} pool ${step.kernel.join("x")}; ${shape(step.x)} -> ${y}`;
    case "binary":
      return `${step.name}: ${step.op} ${shape(step.a)}, ${"tensor" in step.b ? shape(step.b.tensor) : `constant [${step.b.shape.join(", ")}]`} -> ${y}`;
    case "fill":
      return `${step.name}: fill ${y} with ${step.value}`;
    case "unary":
      return `${step.name}: ${step.op} ${y}`;
    case "reduce":
      return `${step.name}: ${step.op} over axes ${step.axes.join(", ")} of ${shape(step.x)} -> ${y}`;
    case "softmax":
      return `${step.name}: softmax over axis ${step.axis} of ${y}`;
    case "kernel":
      return `${step.name}: ${step.op} -> ${y}${macs}`;
    case "move":
      return `${step.name}: copy ${shape(step.x)} -> ${y}`;
    case "alias":
      return `${step.name}: ${shape(step.x)} seen as ${y}`;
  }
}
