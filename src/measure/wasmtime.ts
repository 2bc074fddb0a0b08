/**
 * wasmtime, an engine without a browser: by its command line, or by Python's package of the same name. The package's module
 * runs as it is; the timing is a module beside it (wasmtime-driver.ts), and the weights are embedded in a third one.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { IdapError } from "../model/errors.js";
import type { Variant } from "./engine.js";
import { hasWeightsInside, jobOf, localGroups, timingOptions, type Group, type LocalPackage } from "./job.js";
import type { ShellChoice } from "./jsc.js";
import { thisMachine } from "./machine.js";
import { measurementsOf, type Measurement } from "./result.js";
import { cannotBeTimed } from "./run-program.js";
import { findProgram, namedProgram, runShell } from "./shell.js";
import { parseDriverOutput, type DriverFigures } from "./wasmtime-output.js";
import { driverModule } from "./wasmtime-driver.js";
import { readWasmFacts } from "./wasm-file.js";
import { bridgeModule, memoryModule } from "./wasm-modules.js";
import type { TimedPackage, TimingOptions } from "./device/timing.mjs";

/** A way to start wasmtime. */
interface Wasmtime {
  readonly version: string;
  /** Compiles the package modules, then runs the driver with them. */
  run(setup: Setup): Promise<RunResult>;
}

interface Setup {
  readonly folder: string;
  /** Package modules, in order. */
  readonly models: readonly string[];
}

type RunResult =
  | { readonly output: Buffer; readonly compileMs: readonly number[]; readonly rejected: null }
  /** Number of the package that this engine does not compile. */
  | { readonly rejected: number };

export async function measureInWasmtime(groups: readonly Group[], options: ShellChoice = {}): Promise<Measurement[][]> {
  const timing = timingOptions(options);
  const local = localGroups(groups, options);
  const wasmtime = await findWasmtime(options.executable);
  const measured: Measurement[][] = [];
  for (const [g, group] of local.entries()) {
    const ticker = ticking(timing, (part) =>
      options.onProgress?.({ phase: "time", part, at: group[0]!.dir, group: g, groups: local.length }),
    );
    try {
      const { clockStepMs, packages } = await timeGroup(wasmtime, group, timing);
      const engine = { runtime: "wasmtime" as const, version: wasmtime.version, ...thisMachine(), clockStepMs };
      measured.push(...measurementsOf([group], { clockStepMs, groups: [packages] }, engine));
    } finally {
      clearInterval(ticker);
    }
  }
  return measured;
}

/** The engine says nothing while it runs; how far a measurement of given length is, the clock says. */
function ticking({ minMs, warmupMs }: TimingOptions, tell: (part: number) => void): NodeJS.Timeout {
  const started = Date.now();
  const whole = minMs + warmupMs + 1000;
  return setInterval(() => tell(Math.min(1, (Date.now() - started) / whole)), 500);
}

/** Takes the next variant of a package that the engine rejects, until all run. */
async function timeGroup(
  wasmtime: Wasmtime,
  group: readonly LocalPackage[],
  timing: TimingOptions,
): Promise<{ clockStepMs: number; packages: TimedPackage[] }> {
  const choice = group.map(() => 0);
  for (;;) {
    const variants = group.map((pkg, k) => pkg.variants[choice[k]!]!);
    const folder = mkdtempSync(path.join(os.tmpdir(), "idap-wasmtime-"));
    let rejected: number;
    try {
      const { models, pages } = await writeModules(folder, group, variants, timing);
      const result = await wasmtime.run({ folder, models });
      rejected = result.rejected ?? -1;
      if (result.rejected === null) {
        const figures = parseDriverOutput(result.output, group.length);
        if (figures.failed === null) {
          const packages = figures.packages.map((f, k) => timed(f, variants[k]!, result.compileMs[k]!, pages[k]!));
          return { clockStepMs: figures.clockStepMs, packages };
        }
        rejected = figures.failed;
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const { dir, variants: all } = group[rejected]!;
    if (++choice[rejected]! >= all.length) {
      throw cannotBeTimed({
        dir,
        error: `no variant of ${all.join(", ")} compiles in wasmtime ${wasmtime.version} and passes its self-test`,
      });
    }
  }
}

async function writeModules(
  folder: string,
  group: readonly LocalPackage[],
  variants: readonly Variant[],
  timing: TimingOptions,
): Promise<{ models: string[]; pages: number[] }> {
  const models = group.map((pkg, k) => path.resolve(pkg.dir, `model.${variants[k]!}.wasm`));
  const pages = models.map((file) => {
    const { memory } = readWasmFacts(readFileSync(file), file);
    if (memory === null) throw cannotBeTimed({ dir: path.dirname(file), error: "its module has no memory" });
    return memory.initial;
  });
  // Inputs and outputs lie in the packages' memories, so that all of them together are room enough; and the samples.
  const own = 64 + pages.reduce((a, b) => a + b, 0) + group.length;
  const job = jobOf([group], timing, (pkg) => pkg.dir);
  const write = (name: string, bytes: Uint8Array): void => writeFileSync(path.join(folder, `${name}.wasm`), bytes);
  write("env", memoryModule(own));
  write("driver", await driverModule(job.groups[0]!, timing, own));
  group.forEach((pkg, k) => {
    const weights = hasWeightsInside(pkg) ? new Uint8Array() : readFileSync(path.join(pkg.dir, "weights.bin"));
    write(`b${k}`, bridgeModule(`p${k}`, pages[k]!, own, weights));
  });
  return { models, pages };
}

function timed(figures: DriverFigures, variant: Variant, compileMs: number, pages: number): TimedPackage {
  const { weightsMs, selftestMs, ...rest } = figures;
  return {
    ...rest,
    variant,
    // Modules are instantiated before the driver's clock begins.
    load: { compileMs, instantiateMs: null, weightsMs, selftestMs },
    download: null,
    memoryBytes: pages * 65536,
    processBytes: null,
  };
}

/** A wasmtime that can be started; throws where there is none. */
export async function findWasmtime(named?: string): Promise<Wasmtime> {
  if (named !== undefined) {
    const program = namedProgram(named, "wasmtime");
    const engine = /python[\d.]*(\.exe)?$/.test(program) ? await byPython(program) : await byCommandLine(program);
    if (engine !== null) return engine;
    throw new IdapError("E_MEASURE", `${program} is no wasmtime`, "Name wasmtime, or a Python that has its package.");
  }
  const cli = findProgram(["wasmtime"], [path.join(os.homedir(), ".wasmtime/bin/wasmtime")]);
  const python = findProgram(["python3", "python"]);
  const found = (cli && (await byCommandLine(cli))) ?? (python && (await byPython(python)));
  if (found) return found;
  throw new IdapError(
    "E_MEASURE",
    "no wasmtime was found on this machine",
    "Install it (or Python's package wasmtime), or name its executable, or a Python that has the package, with --engine.",
  );
}

async function byCommandLine(program: string): Promise<Wasmtime | null> {
  const told = await runShell(program, ["--version"]);
  const version = /wasmtime (?:\S+ )?(\d\S*)/.exec(told.out.toString("utf8"))?.[1];
  if (told.code !== 0 || version === undefined) return null;
  const compile = async (folder: string, from: string, to: string): Promise<number | null> => {
    const started = performance.now();
    const { code } = await runShell(program, ["compile", "-o", path.join(folder, to), from]);
    return code === 0 ? performance.now() - started : null;
  };
  return {
    version,
    async run({ folder, models }) {
      // What starting the program costs is taken off: compiling a module of nothing.
      const empty = path.join(folder, "env.wasm");
      const start = Math.min(
        ...[await compile(folder, empty, "e"), await compile(folder, empty, "e")].map((t) => t ?? 0),
      );
      const compileMs: number[] = [];
      for (const [k, model] of models.entries()) {
        const ms = await compile(folder, model, `p${k}.cwasm`);
        if (ms === null) return { rejected: k };
        compileMs.push(Math.max(0, ms - start));
      }
      const at = (file: string): string => path.join(folder, file);
      const preloads = [`env=${at("env.wasm")}`];
      models.forEach((_, k) => preloads.push(`p${k}=${at(`p${k}.cwasm`)}`, `b${k}=${at(`b${k}.wasm`)}`));
      const args = ["run", "--allow-precompiled", ...preloads.flatMap((p) => ["--preload", p]), at("driver.wasm")];
      return { rejected: null, compileMs, output: await finished(program, args) };
    },
  };
}

/** Compiles, links and runs the same modules; compile times go into a file, the figures to stdout. */
const PYTHON = `
import json, sys, time, wasmtime
folder, *models = sys.argv[1:]
engine = wasmtime.Engine()
load = lambda name: wasmtime.Module.from_file(engine, folder + "/" + name + ".wasm")
compiled, times = [], []
for k, model in enumerate(models):
    started = time.perf_counter()
    try:
        compiled.append(wasmtime.Module.from_file(engine, model))
    except wasmtime.WasmtimeError:
        json.dump({"rejected": k}, open(folder + "/compiled.json", "w"))
        sys.exit(0)
    times.append(1000 * (time.perf_counter() - started))
json.dump({"times": times}, open(folder + "/compiled.json", "w"))
linker = wasmtime.Linker(engine)
linker.define_wasi()
store = wasmtime.Store(engine)
wasi = wasmtime.WasiConfig()
wasi.inherit_stdout()
store.set_wasi(wasi)
define = lambda name, module: linker.define_instance(store, name, linker.instantiate(store, module))
define("env", load("env"))
for k, module in enumerate(compiled):
    define("p%d" % k, module)
    define("b%d" % k, load("b%d" % k))
linker.instantiate(store, load("driver")).exports(store)["_start"](store)
`;

async function byPython(program: string): Promise<Wasmtime | null> {
  const ask = "import importlib.metadata as m, wasmtime; print(m.version('wasmtime'))";
  const told = await runShell(program, ["-c", ask]);
  if (told.code !== 0) return null;
  return {
    version: `${told.out.toString("utf8").trim()} (Python)`,
    async run({ folder, models }) {
      const output = await finished(program, ["-c", PYTHON, folder, ...models]);
      const told = JSON.parse(readFileSync(path.join(folder, "compiled.json"), "utf8")) as {
        rejected?: number;
        times?: number[];
      };
      return told.rejected === undefined
        ? { rejected: null, output, compileMs: told.times ?? [] }
        : { rejected: told.rejected };
    },
  };
}

async function finished(program: string, args: readonly string[]): Promise<Buffer> {
  const { code, out, err } = await runShell(program, args);
  if (code === 0) return out;
  throw new IdapError("E_MEASURE", `${program} ended without an answer (exit code ${code}): ${err}`);
}
