import {
  measurePackages,
  profilePackage,
  writeMeasurements,
  type Measurement,
  type Variant,
} from "../../measure/index.js";
import { IdapError } from "../../model/errors.js";
import { defineCommand } from "../command.js";
import { renderProfile } from "../render-profile.js";
import { bytes, table } from "../table.js";

export const measure = defineCommand(
  {
    name: "measure",
    summary: "Time packages in this Node, against each other if there are several",
    about:
      "Times a package that idap build wrote: loading, the first run, and the steady state with its percentiles, copies of inputs and outputs included, and writes the figures into the package's measurements.json. With --against the packages alternate run by run in one process, so that the ratio does not depend on what else the machine does. With --profile it times the layers one by one instead and writes nothing.",
    args: [{ name: "package", summary: "the folder of a package" }],
    options: [
      {
        name: "against",
        kind: "strings",
        value: "package",
        summary: "Another package to time in the same process; the ratio says how many times as fast <package> is",
      },
      { name: "runs", kind: "integer", value: "n", min: 1, default: 200, summary: "Timed samples of each package" },
      {
        name: "minutes",
        kind: "number",
        value: "n",
        min: 0,
        max: 1440,
        default: 0,
        summary: "Keep sampling for at least this long",
      },
      {
        name: "variant",
        kind: "string",
        value: "name",
        choices: ["simd", "relaxed"],
        summary: "The module to time: simd or relaxed",
        defaultText: "the one that the package would choose here",
      },
      {
        name: "runtime",
        kind: "string",
        value: "name",
        choices: ["node"],
        default: "node",
        summary: "Where to run: node",
      },
      {
        name: "profile",
        kind: "flag",
        summary:
          "Time each layer, beside what its arithmetic and its bytes would cost at this machine's limits, measured in the same run",
      },
    ],
    examples: [
      "idap measure out/resnet8",
      "idap measure out/pruned --against out/dense --runs 500",
      "idap measure out/resnet8 --profile",
    ],
  },
  async ({ args, values }) => {
    // The first directory is what the others are compared with.
    const dirs = [...values.against, args[0]!];
    const variant = values.variant as Variant | undefined;
    if (values.profile) {
      if (values.against.length > 0) {
        throw new IdapError("E_OPTION", "--profile looks at one package", "Leave out --against.");
      }
      const profile = await profilePackage(args[0]!, { runs: values.runs, ...(variant && { variant }) });
      return { json: { profile }, text: renderProfile(profile) };
    }
    const measured = await measurePackages(dirs, {
      runs: values.runs,
      minMs: values.minutes * 60_000,
      ...(variant && { variant }),
    });
    writeMeasurements(args[0]!, measured);
    return { json: { packages: measured }, text: render(measured) };
  },
);

function render(measured: readonly Measurement[]): string {
  const { engine } = measured[0]!;
  const ms = (x: number): string => x.toFixed(4);
  const lines = [
    `Node ${engine.version} (V8 ${engine.v8}), ${engine.cpu}, ${engine.cores} cores`,
    "",
    table(
      ["package", "variant", "p50 ms", "p90 ms", "p99 ms", "first ms", "load ms", "memory"],
      measured.map((m) => {
        const { compileMs, instantiateMs, weightsMs, selftestMs } = m.load;
        return [
          m.dir,
          m.variant,
          ms(m.steady.p50),
          ms(m.steady.p90),
          ms(m.steady.p99),
          ms(m.firstRunMs),
          ms(compileMs + (instantiateMs ?? 0) + weightsMs + selftestMs),
          bytes(m.memoryBytes),
        ];
      }),
    ),
  ];
  const base = measured[0]!;
  for (const m of measured.slice(1)) {
    const r = m.speedup!;
    lines.push(
      "",
      `${m.dir} is ${r.median.toFixed(2)} times as fast as ${base.dir} (median of pairs; 80 % of them between ${r.low.toFixed(2)} and ${r.high.toFixed(2)})`,
    );
  }
  return lines.join("\n");
}
