import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { commandHelp, programHelp } from "../../src/cli/help.js";
import { parseCommand } from "../../src/cli/parse.js";
import type { CommandSpec } from "../../src/cli/spec.js";
import { nearest } from "../../src/cli/suggest.js";

const spec: CommandSpec = {
  name: "build",
  summary: "Build",
  about: "Builds.",
  args: [{ name: "model", summary: "a model file" }],
  options: [
    { name: "max-drop", kind: "number", value: "points", min: 0, max: 100, default: 1, summary: "Budget" },
    { name: "seed", kind: "integer", min: 0, default: 0, summary: "Seed" },
    { name: "share", kind: "number", above: 0, below: 1, summary: "Share" },
    { name: "out", kind: "string", summary: "Folder" },
    { name: "target", kind: "string", choices: ["wasm"], default: "wasm", summary: "Target" },
    { name: "device", kind: "strings", summary: "Device" },
    { name: "no-prune", kind: "flag", summary: "No pruning" },
  ],
  examples: ["idap build m.onnx"],
};

const values = (...words: string[]) => parseCommand(spec, ["m.onnx", ...words]).values;
const failure = (...words: string[]): { code: string; message: string; hint?: string } => {
  try {
    parseCommand(spec, words);
  } catch (error) {
    return error as { code: string; message: string; hint?: string };
  }
  throw new Error("parsed");
};

describe("command lines", () => {
  test("defaults, kinds, order, = and blanks", () => {
    expect(values()).toEqual({
      "max-drop": 1,
      seed: 0,
      share: undefined,
      out: undefined,
      target: "wasm",
      device: [],
      "no-prune": false,
      json: false,
      quiet: false,
      help: false,
    });
    const given = parseCommand(spec, ["--no-prune", "--max-drop=2.5", "m", "--device", "a", "--device=b", "--json"]);
    expect(given.args).toEqual(["m"]);
    expect(given.values).toMatchObject({ "max-drop": 2.5, device: ["a", "b"], "no-prune": true, json: true });
  });

  test("a string is taken as it stands, whatever it looks like", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        if (!text.startsWith("--")) expect(values("--out", text).out).toBe(text);
        expect(values(`--out=${text}`).out).toBe(text);
      }),
    );
    expect(values("--out", "007").out).toBe("007");
    expect(values("--out", "-1").out).toBe("-1");
  });

  test.each([
    [["m", "--max-drop", "-1"], "--max-drop needs a number of at least 0 and of at most 100, got -1"],
    [["m", "--max-drop", "x"], "--max-drop needs a number of at least 0 and of at most 100, got x"],
    [["m", "--max-drop", "101"], "got 101"],
    [["m", "--seed", "1.5"], "--seed needs a whole number of at least 0, got 1.5"],
    [["m", "--seed", "Infinity"], "got Infinity"],
    [["m", "--share", "0"], "--share needs a number above 0 and below 1, got 0"],
    [["m", "--share", "1"], "got 1"],
    [["m", "--out"], "--out needs a value: --out <out>"],
    [["m", "--out="], "--out needs a value"],
    [["m", "--out", "--json"], "--out needs a value"],
    [["m", "--seed", "1", "--seed", "2"], "--seed is given twice"],
    [["m", "--no-prune=yes"], "--no-prune takes no value"],
    [["m", "--target", "wsm"], '--target must be one of wasm, got "wsm"'],
    [[], "idap build needs a model file as its <model>"],
    [["m", "n", "o"], "idap build takes only <model>, got also n o"],
    [["m", "-x"], "idap build has no option -x"],
  ])("%j", (words, message) => {
    expect(failure(...words)).toMatchObject({ code: "E_OPTION", message: expect.stringContaining(message) });
  });

  test.each([
    ["--max-dorp", "Did you mean --max-drop?"],
    ["--no-prun", "Did you mean --no-prune?"],
    ["--jsn", "Did you mean --json?"],
    ["--prune", "Did you mean --no-prune?"],
    ["--completely-different", "See idap build --help."],
  ])("unknown option %s", (word, hint) => {
    expect(failure("m", word)).toMatchObject({ message: `idap build has no option ${word}`, hint });
  });

  test("help asks for no argument", () => {
    expect(parseCommand(spec, ["--help"]).values.help).toBe(true);
    expect(parseCommand(spec, ["-h"]).values.help).toBe(true);
  });
});

describe("help", () => {
  test("names every option with its default and stays inside 100 columns", () => {
    const help = commandHelp(spec);
    for (const o of spec.options) expect(help).toContain(`--${o.name}`);
    expect(help).toMatch(/--max-drop <points>\s+Budget \(default: 1\)/);
    expect(Math.max(...help.split("\n").map((l) => l.length))).toBeLessThanOrEqual(102);
    expect(programHelp("0", [spec])).toMatch(/build <model>\s+Build/);
  });
});

describe("nearest word", () => {
  test.each([
    ["bild", "build"],
    ["biuld", "build"],
    ["measre", "measure"],
    ["xyz", null],
  ])("%s → %s", (word, expected) => {
    expect(nearest(word, ["build", "measure", "verify"])).toBe(expected);
  });
});
