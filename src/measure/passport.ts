import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { IdapError } from "../model/errors.js";
import { VARIANTS } from "./engine.js";

/** Files of a package that no hash covers: they hold timings, which differ between equal builds. */
export const UNHASHED_FILES: readonly string[] = ["passport.json", "measurements.json", "report.html"];

const port = z.object({
  name: z.string(),
  shape: z.array(z.int().positive()),
  dtype: z.enum(["f32", "i32", "i8", "u8", "bool", "i64"]),
  bytes: z.int().positive(),
});

/** What checking a package needs of its passport; other fields are kept and not looked at. */
const passportSchema = z.looseObject({
  idap: z.literal(1),
  name: z.string(),
  inputs: z.array(port).min(1),
  outputs: z.array(port).min(1),
  variants: z.array(z.enum(VARIANTS)).min(1),
  weights: z.object({
    bytes: z.int().nonnegative(),
    /** Every module has them inside; there is no weights.bin. */
    inside: z.boolean().optional(),
    constants: z.int().nonnegative().optional(),
    sha256: z.string(),
  }),
  memory: z.looseObject({ pages: z.int().positive() }),
  error: z.looseObject({ bound: z.number().nonnegative().nullable(), largestInputs: z.boolean().optional() }),
  selfTest: z.object({
    scale: z.number(),
    offset: z.number(),
    sha256: z.string().nullable(),
    first: z.record(z.string(), z.array(z.number())).nullable(),
  }),
  files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
});

export type PassportFacts = z.infer<typeof passportSchema>;

export interface ReadPassport {
  readonly facts: PassportFacts;
  /** The passport as each module must carry it in its custom section `idap`: without ledger, plan and list of files, compact. */
  readonly section: string;
  /** Layers and buffers, as the emitter wrote them. */
  readonly plan: unknown;
}

/** Reads `passport.json`; throws E_VERIFY where it is missing, no JSON, or not a passport. */
export function readPassport(dir: string): ReadPassport {
  const file = path.join(dir, "passport.json");
  const wrong = (why: string): IdapError =>
    new IdapError("E_VERIFY", `passport.json of ${dir}: ${why}`, "Build the package again.");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new IdapError(
      "E_NO_PACKAGE",
      `${dir}: no package: it has no passport.json`,
      "Name a folder that `idap build` wrote.",
    );
  }
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (e) {
    throw wrong(`not JSON (${(e as Error).message})`);
  }
  const parsed = passportSchema.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw wrong(`not a passport that we know: ${issue.path.join(".") || "it"}: ${issue.message}`);
  }
  const { files: _files, ledger: _ledger, plan, ...rest } = raw as Record<string, unknown>;
  return { facts: parsed.data, section: JSON.stringify(rest), plan };
}
