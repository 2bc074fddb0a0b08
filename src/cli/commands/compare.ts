import type { CompareResult, CompareStages } from "../../build/index.js";
import { IdapError } from "../../model/errors.js";
import { PRUNE_DEFAULTS } from "../../pruner/defaults.js";
import { defineCommand } from "../command.js";
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
import { table } from "../table.js";

export const compare = defineCommand(
  {
    name: "compare",
    summary: "Prune a model with several criteria and seeds under the same budget, side by side",
    about:
      "Prunes to the same shares of the multiply-accumulates with the same recovery, once for each criterion and seed, and reports accuracy, predicted and measured time with the spread over the seeds. Writes compare.json, a picture (compare.svg) and one file for each run, from which an interrupted comparison goes on with --resume.",
    args: [MODEL_ARGUMENT],
    options: [
      ...MODEL_OPTIONS,
      ...DATA_OPTIONS,
      {
        name: "criteria",
        kind: "string",
        value: "a,b,c",
        summary: "Criteria, separated by commas; the others are compared with the first",
        defaultText: "all",
      },
      { name: "seeds", kind: "integer", value: "n", min: 1, max: 100, default: 3, summary: "Runs of each criterion" },
      {
        name: "macs",
        kind: "strings",
        value: "share",
        summary: "Share of the multiply-accumulates to prune to; may be given several times",
        defaultText: "0.5",
      },
      {
        name: "stages",
        kind: "string",
        value: "name",
        choices: ["filters", "layers", "both"],
        default: "filters",
        summary: "Stages of the pruner: filters, layers or both",
      },
      {
        name: "epochs",
        kind: "integer",
        value: "n",
        min: 0,
        max: 1000,
        summary: "Epochs of the fine-tuning that ends each run",
        defaultText: String(PRUNE_DEFAULTS.finalEpochs),
      },
      { name: "one-shot", kind: "flag", summary: "Recover without training: statistics and compensation only" },
      {
        name: "device",
        kind: "string",
        value: "name",
        summary: "Device profile that predicts times and weighs what a channel costs",
        defaultText: "the target's",
      },
      SEED_OPTION,
      THREADS_OPTION,
      { name: "fast", kind: "flag", summary: "Use relaxed SIMD on the host where there is some" },
      { name: "no-measure", kind: "flag", summary: "Time nothing" },
      { name: "resume", kind: "flag", summary: "Keep the runs that are finished" },
      { name: "out", kind: "string", value: "folder", default: "out/compare", summary: "Folder of the results" },
      CONFIG_OPTION,
    ],
    examples: ["idap compare resnet8.tflite --data cifar10 --criteria divergence,l1,taylor --macs 0.5 --macs 0.25"],
  },
  async ({ args, values, progress, loader }) => {
    const data = await givenData(values, loader);
    if (data === undefined) {
      throw new IdapError("E_DATA", "a comparison needs labelled samples", "Give a folder with --data.");
    }
    const { seed, ...load } = loadOptions(values);
    const shares = values.macs.map((text) => {
      const share = text.trim() === "" ? NaN : Number(text);
      if (!(share > 0 && share < 1)) {
        throw new IdapError("E_OPTION", `--macs must be a share between 0 and 1, got ${text}`);
      }
      return share;
    });
    // The compiler is large: it is loaded when it is needed.
    const { compare: run } = await import("../../build/index.js");
    const result = await run({
      model: args[0]!,
      read: readOptions(values),
      data,
      load,
      seed,
      seeds: values.seeds,
      ...(values.criteria !== undefined && { criteria: values.criteria.split(",").map((name) => name.trim()) }),
      ...(shares.length > 0 && { macs: shares }),
      stages: values.stages as CompareStages,
      pruning: {
        oneShot: values["one-shot"],
        ...(values.epochs !== undefined && { finalEpochs: values.epochs }),
      },
      ...(values.device !== undefined && { device: values.device }),
      ...(values.threads !== undefined && { threads: values.threads }),
      fast: values.fast,
      measure: !values["no-measure"],
      resume: values.resume,
      out: values.out,
      onProgress: progress.report,
    });
    return { json: result, text: render(result) };
  },
);

const percent = (x: number): string => (100 * x).toFixed(2);

function render({ dense, rows, out }: CompareResult): string {
  const tested = rows.some((r) => r.test !== null);
  const body = rows.map((r) => {
    const main = r.test ?? r.validation;
    const { behind } = r;
    return [
      r.criterion,
      percent(r.macs),
      percent(main.mean),
      `${percent(main.min)} to ${percent(main.max)}`,
      r.predictedMs.toFixed(4),
      r.measuredShare === null ? "-" : r.measuredShare.toFixed(3),
      behind === null
        ? ""
        : `${(-behind.mean).toFixed(2)}${behind.interval ? ` (${(-behind.interval[1]).toFixed(2)} to ${(-behind.interval[0]).toFixed(2)})` : ""}`,
    ];
  });
  const what = tested ? "test" : "validation";
  const first = rows[0]!;
  return [
    table(
      [
        "criterion",
        "MACs %",
        `${what} %`,
        "seeds",
        "predicted ms",
        "measured / dense",
        `points against ${first.criterion} (95 %)`,
      ],
      [
        ["dense", "100.00", percent(dense.test ?? dense.validation), "", dense.predictedMs.toFixed(4), "1.000", ""],
        ...body,
      ],
    ),
    "",
    `${first.validation.n} seed(s) each. ${out} holds compare.json and compare.svg.`,
  ].join("\n");
}
