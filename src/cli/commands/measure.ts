import { measurePackages, writeMeasurements, type Measurement } from "../../measure/index.js";
import { defineCommand } from "../command.js";
import { bytes, table } from "../table.js";

export const measure = defineCommand(
  {
    name: "measure",
    summary: "Time packages in this Node, against each other if there are several",
    about:
      "Times a package that idap build wrote: loading, the first run, and the steady state with its percentiles, copies of inputs and outputs included, and writes the figures into the package's measurements.json. With --against the packages alternate run by run in one process, so that the ratio does not depend on what else the machine does.",
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
    ],
    examples: ["idap measure out/resnet8", "idap measure out/pruned --against out/dense --runs 500"],
  },
  async ({ args, values }) => {
    // The first directory is what the others are compared with.
    const dirs = [...values.against, args[0]!];
    const measured = await measurePackages(dirs, {
      runs: values.runs,
      minMs: values.minutes * 60_000,
      ...(values.variant !== undefined && { variant: values.variant as "simd" | "relaxed" }),
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
          ms(compileMs + instantiateMs + weightsMs + selftestMs),
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
