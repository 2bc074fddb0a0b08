import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((f) => f !== "" && existsSync(path.join(root, f)));
const text = tracked.filter((f) => /\.(ts|mts|mjs|js|json|md|yml)$/.test(f) || f === ".ci/run");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

function linesThat(files: readonly string[], pattern: RegExp): string[] {
  return files.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim().slice(0, 100)}`] : [])),
  );
}

describe("repository", () => {
  test("no path of somebody's machine", () => {
    expect(linesThat(text, /(^|[^\w./-])\/(home|root|tmp|work|Users)\/[\w.]/)).toEqual([]);
  });

  test("the lock file names packages, not the hosts they were fetched from", () => {
    expect(linesThat(["package-lock.json"], /"resolved": *"https?:/)).toEqual([]);
  });

  test("no file of code holds two: at most 600 lines", () => {
    const code = text.filter((f) => /\.(ts|mts|mjs)$/.test(f) && !f.includes("/generated/"));
    const long = code.map((f) => [f, read(f).split("\n").length] as const).filter(([, n]) => n > 600);
    expect(long).toEqual([]);
  });

  test("no test is focused, and none is skipped but for missing data", () => {
    const tests = text.filter((f) => /^test\/.*\.ts$/.test(f) && !f.startsWith("test/support/"));
    expect(linesThat(tests, /\b(test|it|describe)\.(only|todo)\(/)).toEqual([]);
  });

  test("no note of unfinished work is left in the code", () => {
    const marks = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "HA" + "CK", "X" + "XX"].join("|")})\\b`);
    expect(
      linesThat(
        text.filter((f) => /\.(ts|mts|mjs)$/.test(f)),
        marks,
      ),
    ).toEqual([]);
  });

  test("nothing that is built or measured is committed", () => {
    expect(tracked.filter((f) => /^(dist|out|coverage|node_modules)\//.test(f))).toEqual([]);
  });

  test("run-time dependencies stay few, and no rival is among them", () => {
    const pkg = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
    expect(Object.keys(pkg.dependencies).length).toBeLessThanOrEqual(6);
    expect(Object.keys(pkg.dependencies).filter((d) => /tensorflow|onnxruntime|litert/.test(d))).toEqual([]);
  });
});

describe("the built package", () => {
  const node = (code: string): string =>
    execFileSync(process.execPath, ["--input-type=module", "--eval", code], { cwd: root, encoding: "utf8" });

  test("every entry of exports and bin exists, types too", () => {
    const pkg = JSON.parse(read("package.json")) as {
      exports: Record<string, string | Record<string, string>>;
      bin: Record<string, string>;
    };
    const files = [
      ...Object.values(pkg.exports).flatMap((e) => (typeof e === "string" ? [e] : Object.values(e))),
      ...Object.values(pkg.bin),
    ];
    expect(files.filter((f) => !existsSync(path.join(root, f)))).toEqual([]);
  });

  test("imports under its own name and exports the library", () => {
    const names = node(`console.log(Object.keys(await import("idap")).join(" "))`).trim().split(" ");
    for (const name of [
      "readModel",
      "writeModel",
      "createExecutor",
      "emit",
      "build",
      "loadData",
      "measurePackages",
      "train",
    ]) {
      expect(names).toContain(name);
    }
  });
});
