import { verifyPackage, type VerifyResult } from "../../measure/index.js";
import { defineCommand } from "../command.js";
import { bytes } from "../table.js";

export const verify = defineCommand(
  {
    name: "verify",
    summary: "Check a package against its passport and run its self-test here",
    about:
      "Compares the hash of every file of a package with its passport, checks each module's memory, imports and exports, runs each module that this engine knows on the stored test vector, and compares the results. Anything wrong is listed with its file, with exit code 1.",
    args: [{ name: "package", summary: "the folder of a package" }],
    options: [],
    examples: ["idap verify out/resnet8"],
  },
  async ({ args }) => {
    const result = await verifyPackage(args[0]!);
    return { json: { ok: true, ...result }, text: render(result) };
  },
);

function render(r: VerifyResult): string {
  const lines = [
    `${r.name} (${r.dir}): ${r.files} files as the passport says, ${bytes(r.memoryBytes)} of fixed memory`,
  ];
  for (const v of r.variants) {
    if (!v.ran) lines.push(`${v.variant}: not run, this engine does not know its instructions`);
    else if (v.variant !== "relaxed") lines.push(`${v.variant}: the expected bits`);
    else {
      const allowed = v.bound === null ? "no bound is stated" : `allowed ${v.bound.toExponential(1)}`;
      lines.push(`${v.variant}: error ${v.error?.toExponential(1)}, ${allowed}`);
    }
  }
  return lines.join("\n");
}
