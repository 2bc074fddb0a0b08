// A graph written in a format and given to that format's runtime.
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { withCommonTypes } from "./float-form.mjs";
import { openLiteRt } from "./litert.mjs";
import { runOrt } from "./ort.mjs";
import { runTfjs } from "./tfjs.mjs";

/** `run[format](graph, stem, inputs)` gives `{ outputs }`, records by port name; `close()` removes what was written. */
export function openRuntimes(library) {
  const work = mkdtempSync(path.join(os.tmpdir(), "round-trip-"));
  let browser = null;
  const run = {
    onnx: async (graph, stem, inputs) => {
      const file = path.join(work, `${stem}.onnx`);
      await library.writeModel(graph, file, "onnx");
      return { outputs: await runOrt(file, inputs) };
    },
    tfjs: async (graph, stem, inputs) => {
      const folder = path.join(work, stem);
      await library.writeModel(graph, folder, "tfjs");
      return runTfjs(folder, inputs);
    },
    tflite: async (graph, stem, inputs) => {
      await library.writeModel(withCommonTypes(graph), path.join(work, `${stem}.tflite`), "tflite");
      browser ??= await openLiteRt(work);
      const list = await browser.run(`${stem}.tflite`, withIntegers(inputs));
      const named = list.every(({ name }) => graph.outputs.some((port) => port.name === name));
      return {
        outputs: Object.fromEntries(list.map((value, i) => [named ? value.name : graph.outputs[i].name, value])),
      };
    },
  };
  return {
    work,
    run,
    async close() {
      await browser?.close();
      rmSync(work, { recursive: true, force: true });
    },
  };
}

/** Booleans as the i32 that `withCommonTypes` makes of them. */
function withIntegers(inputs) {
  const wide = (value) =>
    value.dtype === "bool" ? { ...value, data: Int32Array.from(value.data), dtype: "i32" } : value;
  return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, wide(value)]));
}
