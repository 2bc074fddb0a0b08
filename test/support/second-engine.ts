import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A WebAssembly engine that is not V8, driven as a child process. */
export interface SecondEngine {
  readonly name: string;
  /** Instantiates the module, loads the weights, runs once on `inputs`, and returns the output bytes and the self-test. */
  run(job: EngineJob): EngineResult;
}

export interface EngineJob {
  readonly wasm: string;
  readonly weights: string;
  readonly inputs: readonly Uint8Array[];
}

export interface EngineResult {
  readonly selftest: number;
  readonly memoryBytes: number;
  readonly outputs: Uint8Array[];
}

/** What to do where there is none; printed with the skip, and the message of the failure in CI. */
export const SECOND_ENGINE_HINT =
  "no second WebAssembly engine: install Debian's libjavascriptcoregtk-4.0-bin (jsc, Safari's engine) or the Python package wasmtime, or set IDAP_JSC to a jsc binary";

const JSC_SCRIPT = `
const [wasm, weights, ...inputs] = arguments;
const { exports: e } = new WebAssembly.Instance(new WebAssembly.Module(read(wasm, "binary")), {});
new Uint8Array(e.memory.buffer, e.weights_ptr(), e.weights_bytes()).set(read(weights, "binary"));
e.setup();
const selftest = e.selftest();
inputs.forEach((file, i) => new Uint8Array(e.memory.buffer, e.input_ptr(i), e.input_bytes(i)).set(read(file, "binary")));
e.run();
const outputs = [];
for (let i = 0; i < e.output_count(); i++) {
  const bytes = new Uint8Array(e.memory.buffer, e.output_ptr(i), e.output_bytes(i));
  outputs.push(Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(""));
}
print(JSON.stringify({ selftest: Number(selftest), memoryBytes: e.memory.buffer.byteLength, outputs }));
`;

const WASMTIME_SCRIPT = `
import json, sys, wasmtime
store = wasmtime.Store()
wasm, weights, *inputs = sys.argv[1:]
instance = wasmtime.Instance(store, wasmtime.Module.from_file(store.engine, wasm), [])
e = instance.exports(store)
call = lambda name, *a: e[name](store, *a)
memory = e["memory"]
put = lambda file, at: memory.write(store, open(file, "rb").read(), at)
put(weights, call("weights_ptr"))
call("setup")
selftest = call("selftest")
for i, file in enumerate(inputs): put(file, call("input_ptr", i))
call("run")
outputs = []
for i in range(call("output_count")):
    at = call("output_ptr", i)
    outputs.append(bytes(memory.read(store, at, at + call("output_bytes", i))).hex())
print(json.dumps({"selftest": int(selftest), "memoryBytes": memory.data_len(store), "outputs": outputs}))
`;

let found: SecondEngine | null | undefined;

/** Looks once: JavaScriptCore first (it stands for Safari, the floor of what we promise), then wasmtime. */
export function findSecondEngine(): SecondEngine | null {
  if (found !== undefined) return found;
  const jsc = [
    process.env.IDAP_JSC ?? "",
    ...(process.env.PATH ?? "").split(path.delimiter).map((dir) => path.join(dir, "jsc")),
    ...["4.0", "4.1", "6.0"].map((v) => `/usr/lib/x86_64-linux-gnu/webkit2gtk-${v}/jsc`),
  ].find((file) => file !== "" && existsSync(file));
  if (jsc !== undefined) {
    found = engine("JavaScriptCore", "js", JSC_SCRIPT, (script, args) => [jsc, [script, "--", ...args]]);
  } else if (spawnSync("python3", ["-c", "import wasmtime"]).status === 0) {
    found = engine("wasmtime", "py", WASMTIME_SCRIPT, (script, args) => ["python3", [script, ...args]]);
  } else {
    found = null;
  }
  return found;
}

function engine(
  name: string,
  extension: string,
  script: string,
  command: (script: string, args: string[]) => [string, string[]],
): SecondEngine {
  return {
    name,
    run({ wasm, weights, inputs }) {
      const dir = mkdtempSync(path.join(tmpdir(), "idap-engine-"));
      try {
        const file = path.join(dir, `run.${extension}`);
        writeFileSync(file, script);
        const inputFiles = inputs.map((bytes, i) => {
          const input = path.join(dir, `input${i}.bin`);
          writeFileSync(input, bytes);
          return input;
        });
        const [program, args] = command(file, [path.resolve(wasm), path.resolve(weights), ...inputFiles]);
        const result = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28, timeout: 60_000 });
        if (result.status !== 0) throw new Error(`${name} failed: ${result.stdout}${result.stderr}`);
        const answer = JSON.parse(result.stdout) as { selftest: number; memoryBytes: number; outputs: string[] };
        return { ...answer, outputs: answer.outputs.map((hex) => Uint8Array.from(Buffer.from(hex, "hex"))) };
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    },
  };
}

/** Runs the same job in this process (V8), for comparison. */
export async function runHere({ wasm, weights, inputs }: EngineJob): Promise<EngineResult> {
  const { instance } = await WebAssembly.instantiate(readFileSync(wasm), {});
  const e = instance.exports as unknown as Record<string, (i?: number) => number> & { memory: WebAssembly.Memory };
  const view = (at: number, bytes: number): Uint8Array => new Uint8Array(e.memory.buffer, at, bytes);
  view(e.weights_ptr!(), e.weights_bytes!()).set(readFileSync(weights));
  e.setup!();
  const selftest = e.selftest!();
  inputs.forEach((bytes, i) => view(e.input_ptr!(i), e.input_bytes!(i)).set(bytes));
  e.run!();
  const outputs = Array.from({ length: e.output_count!() }, (_, i) =>
    view(e.output_ptr!(i), e.output_bytes!(i)).slice(),
  );
  return { selftest, memoryBytes: e.memory.buffer.byteLength, outputs };
}
