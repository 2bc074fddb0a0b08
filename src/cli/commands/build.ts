import type { BuildOptions, DeviceBudget } from "../../build/types.js";
import { IdapError } from "../../model/errors.js";
import { PRUNE_DEFAULTS } from "../../pruner/defaults.js";
import { describeEntry, type LedgerEntry } from "../../pruner/ledger.js";
import { defineCommand, EXIT } from "../command.js";
import { CONFIG_OPTION } from "../config.js";
import {
  DATA_OPTIONS,
  givenData,
  loadOptions,
  MODEL_ARGUMENT,
  MODEL_OPTIONS,
  readOptions,
  SEED_OPTION,
  THREADS_OPTION,
} from "../options.js";
import { renderBuild } from "../render-build.js";
import type { Values } from "../spec.js";

const OPTIONS = [
  {
    name: "target",
    kind: "string",
    value: "name",
    default: "wasm",
    summary: "What to emit for: a name in targets",
  },
  ...MODEL_OPTIONS,
  ...DATA_OPTIONS,
  {
    name: "device",
    kind: "strings",
    value: "name[=ms]",
    summary:
      "Device profile that predicts times: a name in targets/devices or the path of a profile; with =ms pruning goes on until one inference is inside, measured where the device is here. Several give a package each, in folders of their names",
    defaultText: "the target's",
  },
  {
    name: "macs",
    kind: "number",
    value: "share",
    above: 0,
    below: 1,
    summary: "Stop pruning when this share of the multiply-accumulates is left",
  },
  {
    name: "max-drop",
    kind: "number",
    value: "points",
    min: 0,
    max: 100,
    default: PRUNE_DEFAULTS.maxDrop,
    summary: "Accuracy that pruning may cost, in points on the validation split",
  },
  {
    name: "one-shot",
    kind: "flag",
    summary: "Recover without training: statistics and compensation only",
  },
  {
    name: "criterion",
    kind: "string",
    value: "name",
    default: "divergence",
    summary: "What ranks the channels: divergence, or a classical criterion to compare with",
  },
  {
    name: "no-prune",
    kind: "flag",
    summary: "Emit the model as it is",
  },
  {
    name: "winograd",
    kind: "string",
    value: "when",
    choices: ["auto", "off"],
    default: "auto",
    summary:
      "Winograd's method for 3x3 convolutions: auto (where it pays and its error bound is small) or off (plain sums everywhere)",
  },
  {
    name: "single-file",
    kind: "flag",
    summary:
      "Put the weights inside the modules, and a C header beside them: for boards and engines that are no browser",
  },
  {
    name: "executor",
    kind: "string",
    value: "name",
    choices: ["wasm", "reference"],
    default: "wasm",
    summary: "What computes on the host: wasm, or reference (f64, slow)",
  },
  THREADS_OPTION,
  {
    name: "fast",
    kind: "flag",
    summary: "Use relaxed SIMD on the host where there is some: faster, but other machines may give other bytes",
  },
  SEED_OPTION,
  {
    name: "epochs",
    kind: "integer",
    value: "n",
    min: 0,
    max: 1000,
    summary: "Epochs of each round of the final fine-tuning",
    defaultText: String(PRUNE_DEFAULTS.finalEpochs),
  },
  {
    name: "learning-rate",
    kind: "string",
    value: "rate",
    default: String(PRUNE_DEFAULTS.finalLr),
    summary: "Highest learning rate of every training, or auto: found by a range test on one batch",
  },
  {
    name: "runs",
    kind: "integer",
    value: "n",
    min: 1,
    default: 200,
    summary: "Timed runs of the dense and of the pruned package",
  },
  {
    name: "sweep",
    kind: "flag",
    summary:
      "Draw every accepted network beside the package: accuracy over milliseconds, as SVG, and the figures as JSON",
  },
  {
    name: "no-measure",
    kind: "flag",
    summary: "Time nothing; the build then makes no claim about measured speed",
  },
  {
    name: "resume",
    kind: "flag",
    summary: "Continue an interrupted build; it ends at the same bytes",
  },
  {
    name: "out",
    kind: "string",
    value: "folder",
    default: "out/model",
    summary: "Folder of the package",
  },
  CONFIG_OPTION,
] as const;

export const build = defineCommand(
  {
    name: "build",
    summary: "Prune a model within an accuracy budget and emit it as a WebAssembly package",
    about:
      "Reads a model, removes channels (stage 1) and whole layers or branches (stage 2) with recovery training as long as the accuracy on a validation split stays within the budget, emits the result as an importable package, checks its numbers against the host, and times it against the dense model. A build that does not get faster or does not stay within the budget is refused with the reason and exit code 2.",
    args: [MODEL_ARGUMENT],
    options: OPTIONS,
    examples: [
      "idap build resnet8.tflite --data cifar10 --max-drop 1.5 --out out/resnet8",
      "idap build kws.tflite --no-prune --out out/kws",
      "idap build kws.tflite --no-prune --target board --out out/kws-board",
      "idap build net.onnx --data mnist --normalize unit --device node-generic=0.5",
      "idap build net.onnx --data mnist --device node-24=0.3ms --device phone.json=2ms --sweep --out out/net",
    ],
  },
  async ({ args, values, progress, loader }) => {
    const data = await givenData(values, loader);
    const options = { ...buildOptions(args[0]!, values), ...(data !== undefined && { data }) };
    // The compiler is large: it is loaded when it is needed.
    const { build: run, buildForDevices } = await import("../../build/index.js");
    const watched = {
      ...options,
      onProgress: progress.report,
      onEntry: (entry: LedgerEntry) => progress.say(describeEntry(entry)),
    };
    const devices = values.device.map(parseDevice);
    if (devices.length > 1) {
      const result = await buildForDevices(watched, devices);
      const text = result.devices.map((r) => `${r.latency.device}\n\n${renderBuild(r)}`).join("\n\n");
      return { json: result, text, exit: result.accepted ? EXIT.done : EXIT.refused };
    }
    const result = await run(watched);
    return { json: result, text: renderBuild(result), exit: result.accepted ? EXIT.done : EXIT.refused };
  },
);

/** Options of the library's `build` from those of the command line. */
export function buildOptions(model: string, values: Values<typeof OPTIONS>): BuildOptions {
  // Several devices are the library's `buildForDevices`; a single one is an option like others.
  const device = values.device.length === 1 ? parseDevice(values.device[0]!) : undefined;
  const target = {
    ...(values.macs !== undefined && { macs: values.macs }),
    ...(device?.ms !== undefined && { ms: device.ms }),
  };
  const { seed, ...load } = loadOptions(values);
  const lr = parseLearningRate(values["learning-rate"]);
  return {
    model,
    read: readOptions(values),
    out: values.out,
    target: values.target,
    ...(device !== undefined && { device: device.device }),
    ...(values.data !== undefined && { data: values.data }),
    load,
    seed,
    winograd: values.winograd as "auto" | "off",
    ...(values["single-file"] && { singleFile: true }),
    prune: !values["no-prune"],
    pruning: {
      maxDrop: values["max-drop"],
      criterion: values.criterion,
      oneShot: values["one-shot"],
      target,
      lr,
      finalLr: lr,
      ...(values.epochs !== undefined && { finalEpochs: values.epochs }),
    },
    executor: values.executor as "wasm" | "reference",
    ...(values.threads !== undefined && { threads: values.threads }),
    fast: values.fast,
    resume: values.resume,
    measure: !values["no-measure"],
    sweep: values.sweep,
    runs: values.runs,
  };
}

function parseLearningRate(text: string): number | "auto" {
  const rate = text === "auto" ? text : Number(text.trim() === "" ? NaN : text);
  if (rate === "auto" || (rate > 0 && Number.isFinite(rate))) return rate;
  throw new IdapError("E_OPTION", `--learning-rate must be auto or a number above 0, got ${text}`);
}

/** `node-generic=0.5` → the profile and the budget in milliseconds. */
export function parseDevice(text: string): DeviceBudget {
  const at = text.lastIndexOf("=");
  if (at < 0) return { device: text };
  const ms = text.slice(at + 1).trim() === "" ? NaN : Number(text.slice(at + 1).replace(/ms$/, ""));
  if (at === 0 || !Number.isFinite(ms) || ms <= 0) {
    throw new IdapError("E_OPTION", `--device needs a name, or name=ms with ms above 0, got ${text}`);
  }
  return { device: text.slice(0, at), ms };
}
