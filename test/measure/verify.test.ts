import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { emit } from "../../src/emit/index.js";
import { readWasmFacts, verifyPackage } from "../../src/measure/index.js";
import { smallNetwork } from "../support/small-network.js";

let root: string;
let good: string;

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), "idap-verify-"));
  good = path.join(root, "good");
  await emit(smallNetwork(), { out: good, report: "<html></html>" });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A copy of the good package that a test may damage. */
function copy(name: string): { dir: string; file: (f: string) => string } {
  const dir = path.join(root, name);
  cpSync(good, dir, { recursive: true });
  return { dir, file: (f) => path.join(dir, f) };
}

type Json = Record<string, any>;

function editPassport(file: string, change: (passport: Json) => void): void {
  const passport = JSON.parse(readFileSync(file, "utf8")) as Json;
  change(passport);
  writeFileSync(file, JSON.stringify(passport, null, 2));
}

const sha256 = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

describe("verifyPackage", () => {
  test("a fresh package passes; what was run is said", async () => {
    const result = await verifyPackage(good);
    expect(result.name).toBe("small");
    const relaxed = WebAssembly.validate(readFileSync(path.join(good, "model.relaxed.wasm")));
    expect(result.variants).toContainEqual({ variant: "simd", ran: true, error: 0, bound: 0 });
    const other = result.variants.find((v) => v.variant === "relaxed")!;
    expect(other.ran).toBe(relaxed);
    if (relaxed) expect(other.error!).toBeLessThanOrEqual(other.bound!);
    const facts = readWasmFacts(readFileSync(path.join(good, "model.simd.wasm")), "model.simd.wasm");
    expect(facts.memory!.initial * 65536).toBe(result.memoryBytes);
  });

  test("timings and the report may change", async () => {
    const { dir, file } = copy("timed");
    writeFileSync(file("measurements.json"), "{}");
    writeFileSync(file("report.html"), "<html>other</html>");
    await expect(verifyPackage(dir)).resolves.toBeDefined();
  });

  test.each(["weights.bin", "model.simd.wasm", "model.relaxed.wasm", "glue.js", "index.d.ts", "source/model.simd.ts"])(
    "one flipped bit in %s is found, and the file is named",
    async (name) => {
      const { dir, file } = copy(`flip-${name.replaceAll("/", "-")}`);
      const bytes = readFileSync(file(name));
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(file(name), bytes);
      await expect(verifyPackage(dir)).rejects.toThrowError(
        expect.objectContaining({ code: "E_VERIFY", message: expect.stringContaining(`${name}: its contents`) }),
      );
    },
  );

  test("a missing file is named, and all faults are told at once", async () => {
    const { dir, file } = copy("missing");
    rmSync(file("weights.bin"));
    writeFileSync(file("glue.js"), "//");
    await expect(verifyPackage(dir)).rejects.toThrowError(/weights\.bin: missing.*|glue\.js: its contents/);
    await expect(verifyPackage(dir)).rejects.toThrowError(
      expect.objectContaining({
        message: expect.stringMatching(/(?=.*weights\.bin: missing)(?=.*glue\.js: its contents)/),
      }),
    );
  });

  test("a passport that was edited no longer agrees with the modules", async () => {
    const { dir, file } = copy("edited");
    editPassport(file("passport.json"), (p) => (p.macs = 1));
    await expect(verifyPackage(dir)).rejects.toThrowError(/model\.simd\.wasm: its own copy of the passport differs/);
  });

  test("weights that were exchanged together with their hashes are found by the modules' own passport", async () => {
    const { dir, file } = copy("exchanged");
    const weights = readFileSync(file("weights.bin"));
    weights.writeFloatLE(weights.readFloatLE(0) + 1, 0);
    writeFileSync(file("weights.bin"), weights);
    editPassport(file("passport.json"), (p) => {
      p.files["weights.bin"] = sha256(file("weights.bin"));
      p.weights.sha256 = sha256(file("weights.bin"));
    });
    await expect(verifyPackage(dir)).rejects.toThrowError(/its own copy of the passport differs/);
  });

  test("a stored result that this engine does not reproduce is found", async () => {
    const { dir, file } = copy("result");
    // Everything is made consistent again but the expected result: what an engine that computes wrongly looks like.
    const wrong = (p: Json): void => {
      p.selfTest.sha256 = "0".repeat(64);
      p.selfTest.first.scores[0] += 1;
    };
    for (const variant of ["simd", "relaxed"]) rewriteSection(file(`model.${variant}.wasm`), wrong);
    editPassport(file("passport.json"), (p) => {
      wrong(p);
      for (const v of ["simd", "relaxed"]) p.files[`model.${v}.wasm`] = sha256(file(`model.${v}.wasm`));
    });
    await expect(verifyPackage(dir)).rejects.toThrowError(
      /model\.simd\.wasm: gives other outputs on the stored test vector.*scores\[0\] is .*stored is/,
    );
  });

  test("a variant that computes something else than the strict one is found", async () => {
    const { dir, file } = copy("variant");
    // The same weights and shapes without the residual sum, sealed as if it were the relaxed module.
    await emit(smallNetwork(1, 8, false), { out: path.join(root, "plain"), variants: ["simd"] });
    writeFileSync(file("model.relaxed.wasm"), readFileSync(path.join(root, "plain", "model.simd.wasm")));
    const own = readWasmFacts(readFileSync(file("model.simd.wasm")), "").custom.get("idap")!;
    rewriteSection(file("model.relaxed.wasm"), () => JSON.parse(new TextDecoder().decode(own)) as Json);
    editPassport(file("passport.json"), (p) => (p.files["model.relaxed.wasm"] = sha256(file("model.relaxed.wasm"))));
    await expect(verifyPackage(dir)).rejects.toThrowError(/model\.relaxed\.wasm: its outputs differ from the strict/);
  });

  test("memory that may grow, and files outside the package, are refused", async () => {
    const pages = copy("pages");
    editPassport(pages.file("passport.json"), (p) => (p.memory.pages += 1));
    await expect(verifyPackage(pages.dir)).rejects.toThrowError(/model\.simd\.wasm: has .* pages of memory/);
    const outside = copy("outside");
    editPassport(outside.file("passport.json"), (p) => (p.files["../x"] = "0".repeat(64)));
    await expect(verifyPackage(outside.dir)).rejects.toThrowError(/outside the package/);
  });

  test.each([
    ["no folder", "nowhere", null, "E_NO_PACKAGE"],
    ["no JSON", "nojson", "{", "E_VERIFY"],
    ["another kind of file", "other", `{"idap":2}`, "E_VERIFY"],
  ])("%s is one clear sentence", async (_what, name, text, code) => {
    let dir = path.join(root, name);
    if (text !== null) {
      const c = copy(name);
      dir = c.dir;
      writeFileSync(c.file("passport.json"), text);
    }
    await expect(verifyPackage(dir)).rejects.toThrowError(
      expect.objectContaining({ code, message: expect.stringContaining(name) }),
    );
  });
});

/** Replaces the custom section `idap` of a module, which is its last section. */
function rewriteSection(file: string, change: (passport: Json) => Json | void): void {
  const bytes = readFileSync(file);
  const own = readWasmFacts(bytes, file).custom.get("idap")!;
  const passport = JSON.parse(new TextDecoder().decode(own)) as Json;
  const content = Buffer.from(JSON.stringify(change(passport) ?? passport));
  const name = Buffer.from("idap");
  const body = Buffer.concat([Buffer.from([name.length]), name, content]);
  const length: number[] = [];
  for (let n = body.length; ; n >>>= 7) {
    length.push(n > 127 ? (n & 127) | 128 : n);
    if (n <= 127) break;
  }
  // Header of the section: its id, its length (as many bytes as the number needs), its name.
  const old = 1 + name.length + own.length;
  const start = bytes.length - old - 1 - Math.ceil(Math.log2(old + 1) / 7);
  writeFileSync(file, Buffer.concat([bytes.subarray(0, start), Buffer.from([0, ...length]), body]));
}
