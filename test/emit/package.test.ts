import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { emit, emitFiles, customSection, factsOf, type EmitResult } from "../../src/emit/index.js";
import { Random } from "../../src/model/random.js";
import type { Graph } from "../../src/model/types.js";
import { Net } from "../support/networks.js";

const ABI = [
  "abi_version",
  "input_bytes",
  "input_count",
  "input_ptr",
  "memory",
  "output_bytes",
  "output_count",
  "output_ptr",
  "reset",
  "run",
  "selftest",
  "setup",
  "weights_bytes",
  "weights_ptr",
];

/** A small residual network with odd widths. */
function network(seed = 1): Graph {
  const net = new Net(new Random(seed), "small");
  const x = net.op("relu", [net.conv(net.input([8, 8, 3], "image"), 10)]);
  const y = net.op("relu", [net.op("add", [net.conv(x, 10), x])]);
  const pooled = net.op("reduce_mean", [net.depthwise(y)], { axes: [1, 2], keepDims: false });
  const logits = net.op("dense", [pooled, net.weight([10, 5]), net.weight([5])]);
  net.builder.output(net.op("softmax", [logits], { axis: 1 }), "class scores");
  return net.builder.build();
}

const folder = mkdtempSync(path.join(os.tmpdir(), "idap-package-"));
const out = path.join(folder, "small");
let result: EmitResult;
beforeAll(async () => {
  result = await emit(network(), {
    out,
    ledger: [{ step: 1 }],
    maxError: 1e-7,
    extraFiles: { "model.onnx": Uint8Array.of(1, 2) },
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const read = (file: string): Uint8Array => readFileSync(path.join(out, file));

describe("the files of a package", () => {
  test("modules have the ABI and nothing else: no imports, no data, memory as planned", () => {
    for (const variant of ["simd", "relaxed"]) {
      const wasm = read(`model.${variant}.wasm`);
      const { pages } = result.passport.memory;
      expect(factsOf(wasm)).toEqual({ imports: 0, dataBytes: 0, memory: { initial: pages, maximum: pages } });
    }
    const module = new WebAssembly.Module(read("model.simd.wasm") as BufferSource);
    expect(
      WebAssembly.Module.exports(module)
        .map((e) => e.name)
        .sort(),
    ).toEqual(ABI);
  });

  test("planned bytes are emitted bytes", () => {
    const { weights, memory, plan } = result.passport;
    expect(read("weights.bin").length).toBe(weights.bytes);
    expect(memory.weightsOffset + weights.bytes).toBeLessThanOrEqual(memory.arenaOffset);
    const end = Math.max(...plan!.buffers.map((b) => memory.arenaOffset + b.offset + b.bytes));
    expect(end).toBe(memory.arenaOffset + memory.arenaBytes);
    expect(Math.ceil(end / 65536)).toBe(memory.pages);
    expect(result.bytes.weights).toBe(weights.bytes);
    const inFile = Math.max(...plan!.layers.flatMap((l) => (l.weights ? [l.weights.offset + l.weights.bytes] : [])));
    expect(inFile).toBe(weights.bytes - (weights.constants ?? 0));
  });

  test("the glue stays below 2 kB", () => {
    expect(result.bytes.glue).toBeLessThanOrEqual(2000);
    const [common, page, node] = ["glue.js", "index.js", "node.js"].map((f) => read(f).length);
    expect(result.bytes.glue).toBe(common! + Math.max(page!, node!));
  });

  test("each module carries the passport, and passport.json the hash of every file", () => {
    const { files, plan, ledger, ...passport } = JSON.parse(Buffer.from(read("passport.json")).toString()) as Record<
      string,
      unknown
    >;
    for (const variant of ["simd", "relaxed"]) {
      const section = Buffer.from(customSection(read(`model.${variant}.wasm`), "idap")!).toString();
      expect(JSON.parse(section)).toEqual(passport);
    }
    expect(plan).toBeDefined();
    const listed = Object.keys(files as object).sort();
    const there = readdirSync(out, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile())
      .map((e) => path.relative(out, path.join(e.parentPath, e.name)));
    expect(listed).toEqual(there.filter((f) => f !== "passport.json").sort());
    expect(ledger).toEqual([{ step: 1 }]);
    expect(passport["error"]).toMatchObject({ maxError: 1e-7 });
  });

  test("the source folder compiles by the command in its first lines, to the code that was shipped", async () => {
    const { default: asc } = await import("assemblyscript/asc");
    for (const variant of ["simd", "relaxed"]) {
      const entry = `model.${variant}.ts`;
      const command = /Compile: asc (.*)/.exec(Buffer.from(read(`source/${entry}`)).toString())![1]!;
      let built = new Uint8Array();
      const { error } = await asc.main(command.split(" "), {
        readFile: (name: string) =>
          existsSync(path.join(out, "source", name)) ? Buffer.from(read(`source/${name}`)).toString() : null,
        writeFile: (_: string, data: string | Uint8Array) => {
          if (typeof data !== "string") built = Uint8Array.from(data);
        },
        listFiles: () => [],
      });
      expect(error).toBeNull();
      // The shipped module lacks the exports of layers and has the passport; its code section is the same.
      expect(codeSection(built)).toEqual(codeSection(read(`model.${variant}.wasm`)));
    }
  });

  test("the types fit what a TypeScript user writes", () => {
    const user = path.join(folder, "user.ts");
    writeFileSync(
      user,
      `import { load, type Outputs } from "./small/index.js";
       const model = await load({ variant: "simd" });
       const outputs: Outputs = model.run({ image: new Float32Array(192) });
       export const scores: Float32Array = outputs["class scores"].data;
       // @ts-expect-error the port has another name
       model.run({ picture: [] });`,
    );
    const program = ts.createProgram([user], {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      types: [],
      lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
    });
    // A file without a package.json above is CommonJS for TypeScript; that complaint is not about the package.
    const problems = ts.getPreEmitDiagnostics(program).filter((d) => d.code !== 1309 && d.code !== 1479);
    expect(problems.map((d) => ts.flattenDiagnosticMessageText(d.messageText, " "))).toEqual([]);
  });
});

/** Body of section 10. */
function codeSection(wasm: Uint8Array): Buffer {
  for (let at = 8; at < wasm.length;) {
    const id = wasm[at]!;
    let length = 0,
      next = at + 1;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[next++]!;
      length += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    if (id === 10) return Buffer.from(wasm.subarray(next, next + length));
    at = next + length;
  }
  throw new Error("no code section");
}

interface LoadedModel {
  variant: string;
  run(inputs: Record<string, unknown>): Record<string, { data: Float32Array; shape: number[]; dtype: string }>;
}

describe("the package in use", () => {
  const load = async (options: object = {}): Promise<LoadedModel> => {
    const module = (await import(pathToFileURL(path.join(out, "node.js")).href)) as {
      load(o: object): Promise<LoadedModel>;
    };
    return module.load(options);
  };

  test("run gives views, the same objects every time, and the result of the last inputs", async () => {
    const model = await load({ variant: "simd" });
    const random = new Random(3);
    const a = Float32Array.from({ length: 192 }, () => random.normal());
    const b = a.map((v) => -v);
    const first = model.run({ image: a });
    const scores = first["class scores"]!;
    const kept = scores.data.slice();
    expect(scores.shape).toEqual([1, 5]);
    expect(scores.dtype).toBe("f32");
    expect(kept.reduce((s, v) => s + v, 0)).toBeCloseTo(1, 5);
    expect(model.run({ image: { data: b } })["class scores"]).toBe(scores);
    expect(scores.data).not.toEqual(kept);
    expect(model.run({ image: a })["class scores"]!.data).toEqual(kept);
  });

  test("a warm-up changes no answer", async () => {
    const inputs = { image: new Float32Array(192).fill(0.25) };
    const [cold, warm] = [await load({ variant: "simd" }), await load({ variant: "simd", warmUp: true })];
    expect(warm.run(inputs)["class scores"]!.data).toEqual(cold.run(inputs)["class scores"]!.data);
  });

  test("a wrong input is named, with what it needs", async () => {
    const model = await load();
    expect(() => model.run({ image: new Float32Array(3) })).toThrow('input "image" needs 192 values (1x8x8x3), got 3');
    expect(() => model.run({})).toThrow("got undefined");
  });

  test("weights of another model are refused", async () => {
    const other = path.join(folder, "other");
    await emit(network(), { out: other, variants: ["simd"] });
    writeFileSync(path.join(other, "weights.bin"), new Uint8Array(16));
    const module = (await import(pathToFileURL(path.join(other, "node.js")).href)) as { load(): Promise<unknown> };
    await expect(module.load()).rejects.toThrow("weights.bin has 16 bytes");
  });

  test("10,000 runs grow the heap by less than 64 kB; the worker answers", () => {
    const script = `
      import { Worker } from "node:worker_threads";
      const { load } = await import(${JSON.stringify(pathToFileURL(path.join(out, "node.js")).href)});
      const model = await load();
      const inputs = { image: new Float32Array(192).fill(0.5) };
      const heap = () => { gc(); gc(); return process.memoryUsage().heapUsed; };
      for (let i = 0; i < 500; i++) model.run(inputs);
      const before = heap();
      for (let i = 0; i < 10000; i++) model.run(inputs);
      const grown = heap() - before;
      const expected = [...model.run(inputs)["class scores"].data];
      const worker = new Worker(new URL(${JSON.stringify(pathToFileURL(path.join(out, "worker.js")).href)}), { execArgv: [] });
      const answer = await new Promise((resolve, reject) => {
        worker.on("message", resolve); worker.on("error", reject);
        worker.postMessage({ id: 7, inputs });
      });
      const wrong = await new Promise((resolve) => { worker.once("message", resolve); worker.postMessage({ id: 8, inputs: {} }); });
      await worker.terminate();
      console.log(JSON.stringify({ grown, expected, answer: { id: answer.id, data: [...answer.outputs["class scores"].data] }, wrong }));`;
    const child = spawnSync(process.execPath, ["--expose-gc", "--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    expect(child.stderr).toBe("");
    const { grown, expected, answer, wrong } = JSON.parse(child.stdout) as {
      grown: number;
      expected: number[];
      answer: unknown;
      wrong: { id: number; error: string };
    };
    expect(grown).toBeLessThan(65536);
    expect(answer).toEqual({ id: 7, data: expected });
    expect(wrong.id).toBe(8);
    expect(wrong.error).toContain('input "image"');
  });
});

describe("emission", () => {
  test("the same graph gives the same bytes", async () => {
    const [a, b] = [await emitFiles(network()), await emitFiles(network())];
    expect([...a.keys()]).toEqual([...b.keys()]);
    for (const [file, bytes] of a) expect(Buffer.from(bytes).equals(Buffer.from(b.get(file)!)), file).toBe(true);
    const other = await emitFiles(network(2));
    expect(Buffer.from(other.get("weights.bin")!).equals(Buffer.from(a.get("weights.bin")!))).toBe(false);
  });

  test("everything that cannot be emitted is named at once", async () => {
    const net = new Net(new Random(1), "odd");
    const x = net.input([4, 4, 2]);
    net.builder.output(net.op("relu_grad", [x, net.op("relu6_grad", [x, x])]));
    await expect(emitFiles(net.builder.build())).rejects.toMatchObject({
      code: "E_NOT_EMITTED",
      message: expect.stringMatching(/2 part\(s\).*relu6_grad.*relu_grad/) as string,
    });
  });

  test("a folder that is not ours stays as it is; ours is replaced whole; a failure leaves nothing", async () => {
    const foreign = path.join(folder, "foreign");
    mkdirSync(foreign);
    writeFileSync(path.join(foreign, "precious.txt"), "mine");
    await expect(emit(network(), { out: foreign })).rejects.toMatchObject({ code: "E_OUT_NOT_OURS" });
    expect(readdirSync(foreign)).toEqual(["precious.txt"]);

    writeFileSync(path.join(out, "stale.txt"), "old");
    await expect(emit(network(), { out, overwrite: false })).rejects.toMatchObject({ code: "E_OUT_EXISTS" });
    const failing = async (): Promise<number> => Promise.reject(new Error("not certified"));
    await expect(emit(network(), { out, certify: failing })).rejects.toThrow("not certified");
    expect(existsSync(path.join(out, "stale.txt"))).toBe(true);
    await emit(network(), { out });
    expect(existsSync(path.join(out, "stale.txt"))).toBe(false);

    await expect(emit(network(), { out: path.join(folder, "never"), certify: failing })).rejects.toThrow();
    expect(readdirSync(folder).filter((f) => f.includes("never") || f.includes(".new") || f.includes(".old"))).toEqual(
      [],
    );
  });
});
