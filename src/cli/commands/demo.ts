import { describeEntry } from "../../pruner/ledger.js";
import { defineCommand, EXIT } from "../command.js";
import { SEED_OPTION, THREADS_OPTION } from "../options.js";
import { renderBuild } from "../render-build.js";

export const demo = defineCommand(
  {
    name: "demo",
    summary: "Prune, emit and measure the embedded example",
    about:
      "Builds the network of examples/glyphs, trained by idap itself, with images drawn from a seed: prunes it within one point of accuracy, emits the dense and the pruned network, checks both against the host, times both in this Node, and leaves an importable package. Needs no file and no network; takes a minute or two on two cores.",
    args: [],
    options: [
      SEED_OPTION,
      THREADS_OPTION,
      { name: "resume", kind: "flag", summary: "Continue an interrupted demo; it ends at the same bytes" },
      { name: "out", kind: "string", value: "folder", default: "out/glyphs", summary: "Folder of the package" },
    ],
    examples: ["idap demo", "idap demo --seed 3 --out out/glyphs3 --json"],
  },
  async ({ values, progress }) => {
    const { runDemo } = await import("../../build/demo.js");
    const result = await runDemo({
      out: values.out,
      seed: values.seed,
      resume: values.resume,
      ...(values.threads !== undefined && { threads: values.threads }),
      onProgress: progress.report,
      onEntry: (entry) => progress.say(describeEntry(entry)),
    });
    const head = `${result.model} on ${result.data}`;
    return {
      json: result,
      text: `${head}\n\n${renderBuild(result)}`,
      exit: result.accepted ? EXIT.done : EXIT.refused,
    };
  },
);
