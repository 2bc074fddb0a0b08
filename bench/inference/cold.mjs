// A cold start: from nothing but the script to the first answer, with one engine and one network. Runs in Node and in
// the page.
import { ENGINES, OURS } from "./engines.mjs";
import { watchMemories } from "./memory.mjs";

/** Engines that start cold: our package as it loads by itself stands for both of its variants. */
export function coldEngines(names) {
  const rivals = names.filter((name) => ENGINES[name].runtime !== "ours");
  return rivals.length === names.length ? rivals : ["ours", ...rivals];
}

/** Milliseconds to load runtime and model, then to the first result; WebAssembly memory after it. */
export async function coldStart(network, name, runtimes, files) {
  const { runtime, create } = name === "ours" ? OURS : ENGINES[name];
  if (!runtimes[runtime]) return null;
  const wasmBytes = watchMemories();
  const started = performance.now();
  const engine = await create(network, await runtimes[runtime](), files);
  const loaded = performance.now();
  await engine.run();
  const answered = performance.now();
  return { loadMs: loaded - started, firstMs: answered - loaded, wasmBytes: wasmBytes() };
}
