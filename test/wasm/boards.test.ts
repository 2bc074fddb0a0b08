/** Packages for boards: one file, a C header, and C that wasm2c makes of the module, here and on an emulated 32-bit ARM. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { emit, factsOf, sha256 } from "../../src/emit/index.js";
import { readModel } from "../../src/formats/index.js";
import { measurePackages, profilePackage, verifyPackage } from "../../src/measure/index.js";
import { readPassport } from "../../src/measure/passport.js";
import { testVector } from "../../src/model/test-vector.js";
import { hasSimd } from "../../src/wasm/index.js";
import { requireAll, sharedData } from "../support/shared-data.js";
import { smallNetwork } from "../support/small-network.js";

const RUNTIME = ["/usr/share/wabt/wasm2c", "/usr/src/wasm2c"].find((dir) => existsSync(`${dir}/wasm-rt-impl.c`));
const found = (program: string): boolean =>
  (process.env.PATH ?? "").split(path.delimiter).some((dir) => existsSync(path.join(dir, program)));

/** Compilers whose programs run here. VFPv4 has fused multiply-adds, which a compiler must be kept from. */
const COMPILERS = [
  { name: "this machine", cc: ["gcc"], run: [] },
  { name: "32-bit ARM", cc: ["arm-linux-gnueabihf-gcc", "-static", "-mfpu=vfpv4"], run: ["qemu-arm"] },
] as const;

const RESNET8 = sharedData("models/mlperf-tiny/pretrainedResnet.tflite");
const NETWORKS = ["small", ...(RESNET8 !== null || requireAll ? ["resnet8"] : [])];

let root: string;
const at = (name: string): string => path.join(root, name);

beforeAll(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), "idap-boards-"));
  await emit(smallNetwork(), { out: at("small"), variants: ["simd", "scalar"], singleFile: true });
  if (RESNET8 !== null) {
    await emit(await readModel(RESNET8), {
      out: at("resnet8"),
      variants: ["scalar"],
      singleFile: true,
      winograd: "off",
    });
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const module = (name: string, variant = "scalar"): Uint8Array => readFileSync(at(`${name}/model.${variant}.wasm`));

/** Inputs of the stored test vector, and the outputs that this engine's module makes of them. */
function vector(name: string): { input: Uint8Array; output: Uint8Array } {
  const { facts } = readPassport(at(name));
  const [port] = facts.inputs;
  const values = testVector(port!.dtype, port!.bytes / 4, facts.selfTest.scale, facts.selfTest.offset);
  const input = new Uint8Array(values.buffer);
  const e = new WebAssembly.Instance(new WebAssembly.Module(module(name) as BufferSource)).exports as unknown as Record<
    string,
    (i?: number) => number
  > & { memory: WebAssembly.Memory };
  e["setup"]!();
  new Uint8Array(e.memory.buffer, e["input_ptr"]!(0)).set(input);
  e["run"]!();
  return { input, output: new Uint8Array(e.memory.buffer, e["output_ptr"]!(0), e["output_bytes"]!(0)).slice() };
}

describe("a package for boards", () => {
  test("is one module without imports and without SIMD, and its passport, glue and header know", async () => {
    const scalar = module("small");
    expect(hasSimd(scalar)).toBe(false);
    expect(hasSimd(module("small", "simd"))).toBe(true);
    const { imports, dataBytes } = factsOf(scalar);
    const { facts } = readPassport(at("small"));
    expect(imports).toBe(0);
    expect(dataBytes).toBeGreaterThanOrEqual(facts.weights.bytes);
    expect(existsSync(at("small/weights.bin"))).toBe(false);
    expect(facts.weights.inside).toBe(true);
    const { load } = (await import(at("small/node.js"))) as {
      load(options?: object): Promise<{ variant: string; run(inputs: object): Record<string, { data: Float32Array }> }>;
    };
    const inputs = { image: Float32Array.from({ length: 192 }, (_, i) => Math.sin(i)) };
    const results = [];
    for (const variant of ["simd", "scalar"])
      results.push((await load({ variant })).run(inputs)["scores"]!.data.slice());
    expect(results[1]).toEqual(results[0]);

    // An engine without SIMD validates no module that has some.
    const validate = vi
      .spyOn(WebAssembly, "validate")
      .mockImplementation((bytes) => !hasSimd(new Uint8Array(bytes as Uint8Array<ArrayBuffer>)));
    try {
      expect((await load()).variant).toBe("scalar");
    } finally {
      validate.mockRestore();
    }
    expect((await load()).variant).toBe("simd");
  });

  test("is verified, timed and profiled like others", async () => {
    const verified = await verifyPackage(at("small"));
    expect(verified.variants.map((v) => [v.variant, v.ran, v.error])).toEqual([
      ["simd", true, 0],
      ["scalar", true, 0],
    ]);
    const timing = { runs: 5, warmup: 1, warmupMs: 0, variant: "scalar" } as const;
    const [m] = await measurePackages([at("small")], timing);
    expect([m!.variant, m!.outputs]).toEqual(["scalar", "identical"]);
    const profile = await profilePackage(at("small"), { runs: 6, warmupMs: 0, variant: "scalar" });
    expect(profile.variant).toBe("scalar");
  });

  test("with another weight is noticed", async () => {
    const file = at("small/model.scalar.wasm");
    const good = readFileSync(file);
    const { facts } = readPassport(at("small"));
    const bad = Uint8Array.from(good);
    // The custom section with the passport comes last, the weights before it.
    const place = good.indexOf(Buffer.from("idap")) - facts.weights.bytes / 2;
    bad[place]! ^= 1;
    const passport = readFileSync(at("small/passport.json"), "utf8");
    writeFileSync(file, bad);
    // Sealed again: only the weights' own hash can tell.
    writeFileSync(at("small/passport.json"), passport.replace(sha256(good), sha256(bad)));
    try {
      await expect(verifyPackage(at("small"))).rejects.toThrowError(/model\.scalar\.wasm: not the weights/);
    } finally {
      writeFileSync(file, good);
      writeFileSync(at("small/passport.json"), passport);
    }
  });
});

const wanted = requireAll || (RUNTIME !== undefined && found("wasm2c"));
if (!wanted) console.warn('skipped "through wasm2c": install Debian\'s wabt');
describe.skipIf(!wanted)("through wasm2c, by the program in docs/boards.md", () => {
  for (const { name, cc, run } of COMPILERS) {
    const here = requireAll || [cc[0], ...run].every(found);
    if (!here) console.warn(`skipped "on ${name}": no ${[cc[0], ...run].join(" or no ")}`);
    test.skipIf(!here).each(NETWORKS)(`%s gives the same bits on ${name}`, (network) => {
      const dir = mkdtempSync(at(`${network}-`));
      const command = (program: string, args: readonly string[], input?: Uint8Array): Buffer => {
        const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: dir, input, maxBuffer: 1 << 26 });
        expect(status, `${program}: ${error?.message ?? stderr.toString("utf8")}`).toBe(0);
        return stdout;
      };
      const docs = readFileSync(new URL("../../docs/boards.md", import.meta.url), "utf8");
      writeFileSync(path.join(dir, "main.c"), /```c\n([\s\S]*?)```/.exec(docs)![1]!);
      copyFileSync(at(`${network}/model.h`), path.join(dir, "model.h"));
      command("wasm2c", [at(`${network}/model.scalar.wasm`), "--module-name=model", "-o", "network.c"]);
      const flags = ["-O2", "-ffp-contract=off", "-I.", `-I${RUNTIME!}`];
      const sources = ["main.c", "network.c", `${RUNTIME!}/wasm-rt-impl.c`];
      // The flags that the docs name are the ones that are tried.
      expect(docs).toContain(flags.slice(0, 3).join(" "));
      command(cc[0], [...cc.slice(1), ...flags, ...sources, "-lm", "-o", "network"]);
      const { input, output } = vector(network);
      const program = path.join(dir, "network");
      // Twice: a second run meets memory that the first has used.
      const outputs = command(run[0] ?? program, run.length > 0 ? [program] : [], Buffer.concat([input, input]));
      const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
      expect(hex(outputs)).toBe(hex(output).repeat(2));
      expect(new Set(output).size).toBeGreaterThan(4);
    });
  }
});
