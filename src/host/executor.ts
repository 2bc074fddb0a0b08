/** Which executor runs a graph. */
import type { Graph } from "../model/types.js";
import type { Executor, ExecutorOptions } from "./executor-types.js";
import { ReferenceExecutor } from "./reference.js";
import { WasmExecutor } from "./wasm-executor.js";

export type { Executor, ExecutorOptions } from "./executor-types.js";

/**
 * @param id "wasm": our own SIMD kernels, f32; "reference": naive f64, for tests and tiny tensors
 */
export function createExecutor(id: "wasm" | "reference", graph: Graph, options: ExecutorOptions = {}): Executor {
  return id === "wasm" ? new WasmExecutor(graph, options) : new ReferenceExecutor(graph);
}
