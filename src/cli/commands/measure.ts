import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import {
  measureIn,
  measureServed,
  profilePackage,
  renderQr,
  RUNTIMES,
  writeDeviceResults,
  writeMeasurements,
  describeEngine,
  type Runtime,
  type ServeEvent,
  type TimingProgress,
  type Variant,
} from "../../measure/index.js";
import { IdapError } from "../../model/errors.js";
import { defineCommand } from "../command.js";
import type { Progress } from "../progress.js";
import { renderDevices, renderMeasurements } from "../render-measure.js";
import { renderProfile } from "../render-profile.js";

export const measure = defineCommand(
  {
    name: "measure",
    summary: "Time packages where they will run: this Node, a browser, another engine, a phone",
    about:
      "Times a package that idap build wrote: loading, the first run, and the steady state with its percentiles, copies of inputs and outputs included, and writes the figures into the package's measurements.json. With --against the packages alternate run by run, so that the ratio does not depend on what else the device does. --runtime chooses another engine of this machine. --serve shares the packages with any device: it prints an address and its QR code, the device opens the page, runs the packages and sends its figures back; with --host 0.0.0.0 every device in the network reaches it, and the address holds a secret. With --profile it times the layers one by one in Node and writes nothing.",
    args: [{ name: "package", summary: "the folder of a package; with --calibrate the file of the profile" }],
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
        summary: "Keep sampling for at least this long, and report the first and the last minute apart",
      },
      {
        name: "variant",
        kind: "string",
        value: "name",
        choices: ["simd", "relaxed", "scalar"],
        summary: "The module to time: simd, relaxed or scalar",
        defaultText: "the one that the package would choose here",
      },
      {
        name: "runtime",
        kind: "string",
        value: "name",
        choices: RUNTIMES,
        default: "node",
        summary: "Where to run: node, chromium, jsc (Safari's engine) or wasmtime",
      },
      {
        name: "engine",
        kind: "string",
        value: "path",
        summary: "The executable of --runtime; for wasmtime also a Python that has its package",
        defaultText: "found on PATH or at its usual place",
      },
      { name: "headed", kind: "flag", summary: "Show Chromium's window" },
      {
        name: "throttle",
        kind: "number",
        value: "n",
        above: 1,
        max: 100,
        summary: "Let Chromium slow its processor down by this factor: a simulated device",
      },
      { name: "serve", kind: "flag", summary: "Share the packages with devices that open the printed address" },
      {
        name: "host",
        kind: "string",
        value: "address",
        default: "127.0.0.1",
        summary: "Address of this machine to listen on with --serve; 0.0.0.0 for all",
      },
      {
        name: "port",
        kind: "integer",
        value: "n",
        min: 0,
        max: 65535,
        default: 0,
        summary: "Port to listen on with --serve; 0 takes a free one",
      },
      {
        name: "devices",
        kind: "integer",
        value: "n",
        min: 1,
        max: 100,
        default: 1,
        summary: "End --serve after figures of this many devices",
      },
      {
        name: "timeout",
        kind: "number",
        value: "minutes",
        above: 0,
        max: 1440,
        default: 10,
        summary: "End --serve in any case after this long, the minutes of --minutes on top",
      },
      {
        name: "calibrate",
        kind: "flag",
        summary:
          "Time the kernel families over a grid of shapes where --runtime, --throttle or --serve say, and write the device profile that <package> then names, for idap build --device",
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
      "idap measure out/resnet8 --runtime chromium",
      "idap measure out/resnet8 --serve --host 0.0.0.0",
      "idap measure out/resnet8 --profile",
      "idap measure phone.json --calibrate --serve --host 0.0.0.0",
    ],
  },
  async ({ args, values, progress }) => {
    // The first directory is what the others are compared with.
    const dirs = [...values.against, args[0]!];
    const runtime = values.runtime as Runtime;
    checkTogether(runtime, values);
    const variant = values.variant as Variant | undefined;
    if (values.profile) {
      const profile = await profilePackage(args[0]!, { runs: values.runs, ...(variant && { variant }) });
      return { json: { profile }, text: renderProfile(profile) };
    }
    if (values.calibrate) return calibration(args[0]!, { ...values, runtime, variant }, progress);
    const minMs = values.minutes * 60_000;
    const timing = { runs: values.runs, minMs, ...(variant && { variant }) };
    if (values.serve) {
      const results = await measureServed([dirs], {
        ...timing,
        host: values.host,
        port: values.port,
        devices: values.devices,
        timeoutMs: values.timeout * 60_000 + minMs,
        onListening: (urls) => announce(urls, values.quiet),
        onEvent: (event) => tell(event, progress),
      });
      writeDeviceResults(args[0]!, results);
      return { json: { devices: results }, text: renderDevices(results) };
    }
    const groups = await measureIn(runtime, [dirs], {
      ...timing,
      ...(values.engine !== undefined && { executable: values.engine }),
      ...(values.throttle !== undefined && { throttle: values.throttle }),
      headed: values.headed,
      timeoutMs: 600_000 + minMs,
      onProgress: (event) => report(event, `timing in ${runtime}`, progress),
    });
    const measured = groups[0]!;
    writeMeasurements(args[0]!, measured);
    return { json: { packages: measured }, text: renderMeasurements(measured) };
  },
);

/** Times the kernel families on a device and writes its profile. */
async function calibration(
  file: string,
  values: {
    readonly runtime: Runtime;
    readonly variant: Variant | undefined;
    readonly engine: string | undefined;
    readonly throttle: number | undefined;
    readonly headed: boolean;
    readonly serve: boolean;
    readonly host: string;
    readonly port: number;
    readonly timeout: number;
    readonly quiet: boolean;
  },
  progress: Progress,
): Promise<{ json: unknown; text: string }> {
  if (!file.endsWith(".json")) {
    throw new IdapError(
      "E_OPTION",
      `--calibrate writes a profile, and ${file} is no name of one`,
      "End it with .json.",
    );
  }
  const folder = path.dirname(path.resolve(file));
  if (!existsSync(folder)) {
    throw new IdapError("E_OPTION", `there is no folder ${folder} for the profile`, "Make it, or name another.");
  }
  const { calibrate, SLOWED } = await import("../../build/index.js");
  const { runtime, variant, engine, throttle, headed, serve, host, port, timeout, quiet } = values;
  const timeoutMs = timeout * 60_000;
  const profile = await calibrate({
    name: path.basename(file, ".json"),
    ...(variant && { variant }),
    ...(throttle !== undefined && SLOWED),
    onProgress: (done, total, what) =>
      progress.report({ stage: what, done, total, fraction: done / total, etaSeconds: null }),
    time: async (groups, timing) => {
      if (!serve) {
        return measureIn(runtime, groups, {
          ...timing,
          ...(engine !== undefined && { executable: engine }),
          ...(throttle !== undefined && { throttle }),
          headed,
          timeoutMs,
          onProgress: (event) => report(event, `timing in ${runtime}`, progress),
        });
      }
      const results = await measureServed(groups, {
        ...{ ...timing, host, port, devices: 1, timeoutMs },
        onListening: (urls) => announce(urls, quiet),
        onEvent: (event) => tell(event, progress),
      });
      return results[0]!.groups;
    },
  });
  await writeFile(file, `${JSON.stringify(profile, null, 2)}\n`);
  const { median, low, high } = profile.error;
  const error = `median error ${(100 * median).toFixed(1)} % on networks left out, ratios ${low} to ${high}`;
  return { json: { profile }, text: `${file}: ${profile.measuredOn}; ${error}` };
}

interface Choices {
  readonly calibrate: boolean;
  readonly devices: number;
  readonly profile: boolean;
  readonly serve: boolean;
  readonly headed: boolean;
  readonly throttle: number | undefined;
  readonly engine: string | undefined;
  readonly against: readonly string[];
}

/** Options that say different things are told, not ignored. */
function checkTogether(runtime: Runtime, values: Choices): void {
  const wrong = (message: string, hint: string): IdapError => new IdapError("E_OPTION", message, hint);
  if (values.calibrate && (values.profile || values.against.length > 0)) {
    throw wrong("--calibrate times networks of its own", "Leave out --profile and --against.");
  }
  if (values.calibrate && values.devices > 1) {
    throw wrong("a profile is of one device", "Leave out --devices, and calibrate one after the other.");
  }
  if (values.profile && values.against.length > 0) {
    throw wrong("--profile looks at one package", "Leave out --against.");
  }
  if (values.profile && (values.serve || runtime !== "node")) {
    throw wrong("--profile times layers in Node", "Leave out --serve and --runtime.");
  }
  if (values.serve && (runtime !== "node" || values.engine !== undefined)) {
    throw wrong(
      "with --serve the device that opens the page brings its own engine",
      "Leave out --runtime and --engine.",
    );
  }
  if (runtime !== "chromium" && (values.headed || values.throttle !== undefined)) {
    throw wrong("--headed and --throttle are for Chromium", "Add --runtime chromium.");
  }
}

/** The address is what the user waits for: it is printed even with --quiet, and never to stdout, which may be JSON. */
function announce(urls: readonly string[], quiet: boolean): void {
  const { stderr } = process;
  stderr.write(`Open on the device:\n${urls.map((url) => `  ${url}\n`).join("")}`);
  if (stderr.isTTY && !quiet) stderr.write(`\n${renderQr(urls[0]!)}\n\n`);
}

function report(event: TimingProgress, stage: string, progress: Progress): void {
  const { phase, part, group, groups } = event;
  const detail = { load: "loading", warm: "warming up", time: "sampling" }[phase];
  progress.report({ stage, done: Math.round(100 * ((group + part) / groups)), total: 100, detail });
}

function tell(event: ServeEvent, progress: Progress): void {
  const name = `device ${event.device}`;
  switch (event.kind) {
    case "joined":
      return progress.say(`${name} has opened the page: ${describeEngine(event.engine)}`);
    case "progress":
      return report(event.progress, name, progress);
    case "finished":
      return progress.say(`${name} has sent its figures`);
    case "failed":
      return progress.say(`${name} could not run the packages: ${event.message}`);
    case "lost":
      return progress.say(`${name} has gone silent; it may come back`);
  }
}
