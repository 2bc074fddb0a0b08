import { describe, expect, test } from "vitest";
import { defineCommand, EXIT, type Outcome } from "../../src/cli/command.js";
import { runCli } from "../../src/cli/run.js";
import { IdapError } from "../../src/model/errors.js";

function commandThat(run: () => Promise<Outcome>) {
  return defineCommand({ name: "build", summary: "", about: "", args: [], options: [], examples: ["idap build"] }, run);
}

async function cli(words: string[], run: () => Promise<Outcome>) {
  let out = "";
  let err = "";
  const code = await runCli(words, [commandThat(run)], {
    out: { write: (s) => (out += s) },
    err: { write: (s) => (err += s) },
  });
  return { code, out, err };
}

const done = async (): Promise<Outcome> => ({ json: { a: 1 }, text: "a is 1" });

describe("one command line", () => {
  test("text for people, one document for programs", async () => {
    expect(await cli(["build"], done)).toEqual({ code: 0, out: "a is 1\n", err: "" });
    const json = await cli(["build", "--json"], done);
    expect(JSON.parse(json.out)).toEqual({ a: 1 });
  });

  test("a refusal is exit code 2 and still a document", async () => {
    const refused = await cli(["build", "--json"], async () => ({
      json: { accepted: false },
      text: "",
      exit: EXIT.refused,
    }));
    expect(refused.code).toBe(2);
    expect(JSON.parse(refused.out)).toEqual({ accepted: false });
  });

  test("what the user caused: one sentence, a hint, no stack, exit code 1, a document with --json", async () => {
    const fail = async (): Promise<Outcome> => {
      throw new IdapError("E_X", "got a, need b", "Do c.");
    };
    expect(await cli(["build"], fail)).toEqual({ code: 1, out: "", err: "error: got a, need b\nhint: Do c.\n" });
    const json = await cli(["build", "--json"], fail);
    expect(JSON.parse(json.out)).toEqual({ error: { code: "E_X", message: "got a, need b", hint: "Do c." } });
  });

  test("what we caused: exit code 3 with a request to report it", async () => {
    const fail = async (): Promise<Outcome> => {
      throw new TypeError("x is not a function");
    };
    const { code, out, err } = await cli(["build", "--json"], fail);
    expect(code).toBe(3);
    expect(err).toMatch(/please report/);
    expect(err).toMatch(/TypeError: x is not a function\n\s+at /);
    expect(JSON.parse(out).error.code).toBe("E_INTERNAL");
  });

  test.each([
    [["bild"], "idap has no command bild", "Did you mean build?"],
    [["--seed", "1"], "the first word must be a command, got --seed", "There are build."],
  ])("%j", async (words, message, hint) => {
    expect(await cli(words, done)).toEqual({ code: 1, out: "", err: `error: ${message}\nhint: ${hint}\n` });
  });

  test("help and version", async () => {
    expect((await cli([], done)).out).toMatch(/Usage: idap <command>/);
    expect((await cli(["build", "--help"], done)).out).toMatch(/Usage: idap build \[options\]/);
    expect((await cli(["--version"], done)).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
