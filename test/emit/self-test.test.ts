/** The glue takes no module whose instructions compute something else than they should, although it validates. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { emit } from "../../src/emit/index.js";
import { smallNetwork } from "../support/small-network.js";

const folder = mkdtempSync(path.join(os.tmpdir(), "idap-self-test-"));
const good = path.join(folder, "good");
beforeAll(() => emit(smallNetwork(), { out: good }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FUSED = "return f32x4.relaxed_madd(a, b, c);";

/** The package with a relaxed module of its own source in which a multiply-add is `instead`. */
async function withMultiplyAdd(name: string, instead: string): Promise<string> {
  const dir = path.join(folder, name);
  cpSync(good, dir, { recursive: true });
  const source = (file: string): string => readFileSync(path.join(dir, "source", file), "utf8");
  const command = /Compile: asc (.*)/.exec(source("model.relaxed.ts"))![1]!;
  expect(source("kernels/simd.ts")).toContain(FUSED);
  const { error } = await asc.main(command.split(" "), {
    readFile: (file: string) =>
      /\.ts$/.test(file) && (file.startsWith("kernels/") || file.startsWith("model."))
        ? source(file).replace(FUSED, instead)
        : null,
    writeFile: (_: string, data: string | Uint8Array) => {
      if (typeof data !== "string") writeFileSync(path.join(dir, "model.relaxed.wasm"), data);
    },
    listFiles: () => [],
  });
  expect(error).toBeNull();
  return dir;
}

/** The variant that the package takes in an engine with relaxed SIMD, and the first value it gives. */
function loaded(dir: string): { variant: string; first: number } {
  const flag = process.version.startsWith("v20.") ? ["--experimental-wasm-relaxed-simd"] : [];
  const script = `
    const { load } = await import(${JSON.stringify(pathToFileURL(path.join(dir, "node.js")).href)});
    const model = await load();
    const [input] = model.inputs;
    const data = new Float32Array(input.shape.reduce((n, v) => n * v, 1)).fill(0.5);
    const [output] = Object.values(model.run({ [input.name]: data }));
    console.log(JSON.stringify({ variant: model.variant, first: output.data[0] }));`;
  const child = spawnSync(process.execPath, [...flag, "--input-type=module", "-e", script], { encoding: "utf8" });
  expect(child.stderr).toBe("");
  return JSON.parse(child.stdout) as { variant: string; first: number };
}

test("a module as it was emitted is taken", () => {
  expect(loaded(good).variant).toBe("relaxed");
});

test.each([
  ["takes the operands in another order", "return f32x4.relaxed_madd(c, a, b);"],
  ["subtracts", "return f32x4.sub(c, f32x4.mul(a, b));"],
  ["forgets a lane", "return f32x4.replace_lane(f32x4.relaxed_madd(a, b, c), 2, 0);"],
])("one that %s is not: the strict one runs instead", async (name, instead) => {
  const { variant, first } = loaded(await withMultiplyAdd(name.replaceAll(" ", "-"), instead));
  expect(variant).toBe("simd");
  // Strict and relaxed modules of the good package differ in roundings alone.
  expect(first).toBeCloseTo(loaded(good).first, 4);
});

// V8 11.3, behind the flag, gives dot + dot for the sum of a dot product and c. Zeros with zeros make that 0 instead of c.
test("an opcode that an engine really computes wrongly is found by running it", async () => {
  const dir = await withMultiplyAdd(
    "dot",
    `const zero = i32x4.splat(0), twice = i32x4.trunc_sat_f32x4_s(f32x4.mul(c, f32x4.splat(2)));
     const same = i32x4.relaxed_dot_i8x16_i7x16_add_s(zero, zero, twice);
     return f32x4.add(f32x4.mul(a, b), f32x4.mul(f32x4.convert_i32x4_s(same), f32x4.splat(0.5)));`,
  );
  const broken = process.versions.v8.startsWith("11.3.");
  expect(loaded(dir).variant).toBe(broken ? "simd" : "relaxed");
});
