import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import type { IdapConfig } from "../../src/build/config.js";
import { defineCommand, type Context } from "../../src/cli/command.js";
import { commands } from "../../src/cli/commands/index.js";
import { CONFIG_OPTION, runLoader } from "../../src/cli/config.js";
import { runCli } from "../../src/cli/run.js";
import { requireAll } from "../support/shared-data.js";

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(path.join(tmpdir(), "idap-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return folder;
}

/** A command with one option of each kind, and another that has an option more. */
function toys(seen: (c: Context) => void) {
  const options = [
    { name: "max-drop", kind: "number", min: 0, default: 1, summary: "" },
    { name: "data", kind: "string", summary: "" },
    { name: "macs", kind: "strings", summary: "" },
    { name: "fast", kind: "flag", summary: "" },
    CONFIG_OPTION,
  ] as const;
  const common = { summary: "", about: "", args: [], examples: ["idap x"] };
  const one = defineCommand({ ...common, name: "build", options }, async (c) => {
    seen(c);
    return { json: null, text: "" };
  });
  const other = defineCommand(
    { ...common, name: "compare", options: [{ name: "seeds", kind: "integer", summary: "" }, CONFIG_OPTION] },
    async () => ({ json: null, text: "" }),
  );
  return [one, other];
}

/** What the command got, or what was printed on its error. */
async function runWith(config: string, words: string[] = []): Promise<{ context?: Context; err: string }> {
  const file = path.join(folderWith({ "some.config.mjs": config }), "some.config.mjs");
  const result: { context?: Context; err: string } = { err: "" };
  await runCli(
    ["build", "--config", file, ...words],
    toys((c) => (result.context = c)),
    { out: { write: () => true }, err: { write: (t) => (result.err += t) } },
  );
  return result;
}

describe("a configuration", () => {
  test("gives options; the command line goes before it, defaults come after it", async () => {
    const config = "export default { maxDrop: 2.5, macs: [0.5, '0.25'], fast: true, data: 'folder', seeds: 4 }";
    const { context } = await runWith(config);
    expect(context!.values).toMatchObject({ "max-drop": 2.5, macs: ["0.5", "0.25"], fast: true, data: "folder" });
    const over = await runWith(config, ["--max-drop", "3", "--macs", "0.7", "--fast=false", "--data", "other"]);
    expect(over.context!.values).toMatchObject({ "max-drop": 3, macs: ["0.7"], fast: false, data: "other" });
    expect((await runWith("export default {}")).context!.values["max-drop"]).toBe(1);
  });

  test("gives a loader, unless the command line says where the data is", async () => {
    const config = "export default { data: async ({ seed }) => seed + 1 }";
    const { context } = await runWith(config);
    expect(await context!.loader!({ seed: 4 })).toBe(5);
    expect((await runWith(config, ["--data", "x"])).context!.loader).toBeNull();
  });

  test.each([
    ["an unknown option", "export default { maxDorp: 1 }", /option maxDorp.*\nhint: Did you mean maxDrop/],
    ["a value outside its limits", "export default { maxDrop: -1 }", /--max-drop needs a number of at least 0/],
    [
      "a value of another type",
      "export default { maxDrop: '1' }",
      /some\.config\.mjs: maxDrop must be a number, got string/,
    ],
    ["a flag that is none", "export default { fast: 1 }", /fast must be true or false, got number/],
    ["an option of every command", "export default { json: true }", /option json/],
    ["no default export", "export const maxDrop = 1", /no default export/],
    ["a list", "export default []", /no object/],
    ["an error of its own", "throw new Error('my fault')", /cannot be loaded: my fault/],
    ["no idap there", "import 'idap'", /hint: Install idap in the project/],
  ])("%s is told", async (_name, config, message) => {
    const { err, context } = await runWith(config);
    expect(context).toBeUndefined();
    expect(err).toMatch(message);
  });

  test("a file that is not there", async () => {
    let err = "";
    const io = { out: { write: () => true }, err: { write: (t: string) => (err += t) } };
    expect(
      await runCli(
        ["build", "--config", "/nowhere/x.mjs"],
        toys(() => undefined),
        io,
      ),
    ).toBe(1);
    expect(err).toMatch(/no configuration at \/nowhere\/x\.mjs/);
  });

  test("its type has exactly the options of the commands that read one", () => {
    // Every key once; the compiler refuses this object when the type has more or other keys.
    const keys: Record<keyof IdapConfig, true> = {
      data: true,
      format: true,
      normalize: true,
      classes: true,
      classNames: true,
      label: true,
      labelFrom: true,
      testFiles: true,
      sampleShape: true,
      features: true,
      validation: true,
      batch: true,
      shape: true,
      target: true,
      device: true,
      macs: true,
      sweep: true,
      maxDrop: true,
      oneShot: true,
      criterion: true,
      criteria: true,
      stages: true,
      seeds: true,
      noPrune: true,
      singleFile: true,
      winograd: true,
      executor: true,
      threads: true,
      fast: true,
      seed: true,
      epochs: true,
      learningRate: true,
      runs: true,
      noMeasure: true,
      resume: true,
      out: true,
    };
    const camel = (name: string): string => name.replace(/-([a-z])/g, (_, c: string) => c.toUpperCase());
    const options = commands
      .filter((c) => c.spec.options.some((o) => o.name === "config"))
      .flatMap((c) => c.spec.options.map((o) => camel(o.name)))
      .filter((name) => name !== "config");
    expect(Object.keys(keys).sort()).toEqual([...new Set(options)].sort());
  });
});

describe("a user's own loader", () => {
  const options = { seed: 1, validationFraction: 0.25 };
  const values = Float32Array.from({ length: 16 }, (_, i) => i);
  const labels = [0, 1, 0, 1, 0, 1, 0, 1];

  test("its samples are split, normalised and hashed like those of files", async () => {
    const data = await runLoader(() => ({ train: { shape: [2], values, labels } }), options);
    expect([data.train.count, data.validation.count, data.train.classes]).toEqual([6, 2, 2]);
    expect(await runLoader(() => data, options)).toBe(data);
  });

  test.each([
    ["nothing", {}, /neither train nor test/],
    ["values of another kind", { train: { shape: [2], values: [1, 2] } }, /Uint8Array, Int8Array or Float32Array/],
    ["no shape", { train: { values } }, /needs a shape/],
    ["half a sample", { train: { shape: [3], values } }, /16 values, which is no whole number/],
    ["a NaN", { train: { shape: [1], values: Float32Array.of(0, NaN) } }, /has NaN in sample 1/],
    ["fewer labels", { train: { shape: [2], values, labels: [1] } }, /8 samples but 1 labels/],
    ["labels between", { train: { shape: [8], values, labels: [0, 0.5] } }, /sample 1 has the label 0.5/],
    ["a label outside", { train: { shape: [8], values, labels: [0, 5] }, classes: 2 }, /label 5/],
    ["other test samples", { train: { shape: [2], values }, test: { shape: [4], values } }, /\[2\].*\[4\]/],
  ])("%s is told", async (_name, given, message) => {
    await expect(runLoader(() => given as never, options)).rejects.toThrow(message);
  });

  test("what it throws is told as its own", async () => {
    const failing = (): never => {
      throw new Error("no such table");
    };
    await expect(runLoader(failing, options)).rejects.toMatchObject({
      code: "E_CONFIG",
      message: expect.stringMatching(/loader of the configuration failed: Error: no such table/),
    });
    await expect(runLoader(() => 5 as never, options)).rejects.toThrow(/returned number/);
  });
});

// What Node itself loads can only be seen outside the test runner: the built program, which `npm test` builds first.
const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));

describe.skipIf(!existsSync(program) && !requireAll)("idap.config.ts", () => {
  const config = `
    import { defineConfig, type IdapConfig } from "idap";
    import { seeds } from "./numbers.ts";
    const options: IdapConfig = { out: "elsewhere", seed: seeds[0] as number, data: async () => { throw new Error(\`loader of \${process.cwd()}\`) } };
    export default defineConfig(options);
  `;
  const numbers = "export const seeds: readonly number[] = [7];";
  const model = path.join(root, "examples/glyphs/model.onnx");

  async function stderrOf(cwd: string): Promise<string> {
    const done = promisify(execFile)(process.execPath, [program, "build", model], { cwd });
    return done.then(
      () => "",
      (error: { stderr: string }) => error.stderr,
    );
  }

  function project(parts: readonly string[]): string {
    const folder = folderWith({ "idap.config.ts": config, "numbers.ts": numbers });
    mkdirSync(path.join(folder, "node_modules"));
    if (parts.includes("idap")) symlinkSync(root, path.join(folder, "node_modules/idap"));
    if (parts.includes("typescript")) {
      symlinkSync(path.join(root, "node_modules/typescript"), path.join(folder, "node_modules/typescript"));
    }
    return folder;
  }

  test("is found, translated and run, with what it imports", async () => {
    const folder = project(["idap", "typescript"]);
    expect(await stderrOf(folder)).toMatch(
      /the data loader of the configuration failed: Error: loader of .*idap-config/,
    );
  });

  test("without anything that reads TypeScript the message says what to do", async () => {
    const native = Boolean((process.features as { typescript?: unknown }).typescript);
    const text = await stderrOf(project(["idap"]));
    if (native) expect(text).toMatch(/loader of/);
    else expect(text).toMatch(/has no typescript\nhint: Write it as idap\.config\.mjs, run npm install -D typescript/);
  });
});
