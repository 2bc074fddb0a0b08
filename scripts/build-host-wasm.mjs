// Compiles assembly/host.ts to dist/host/host.{simd,relaxed}.wasm and copies the plain JavaScript of src/host beside them.
// Run by the build; `compileHost` is also called by src/host/module.ts when the library runs from its sources.
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The bytes of one variant: "simd" (strict arithmetic, the same bits everywhere) or "relaxed" (fused multiply-add). */
export async function compileHost(variant) {
  let bytes = null;
  const flags = [
    "-O3",
    "--runtime",
    "stub",
    "--noAssert",
    "--importMemory",
    "--enable",
    "simd",
    "--enable",
    "bulk-memory",
  ];
  if (variant === "relaxed") flags.push("--enable", "relaxed-simd");
  const { error, stderr } = await asc.main(
    ["assembly/host.ts", ...flags, "--baseDir", root, "--outFile", "host.wasm"],
    {
      writeFile: (name, contents) => {
        if (name.endsWith(".wasm")) bytes = contents;
      },
    },
  );
  if (error || !bytes) throw new Error(`the host kernels do not compile\n${stderr.toString()}`);
  return bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = path.join(root, "dist/host");
  mkdirSync(out, { recursive: true });
  for (const variant of ["simd", "relaxed"])
    writeFileSync(path.join(out, `host.${variant}.wasm`), await compileHost(variant));
  const plain = readdirSync(path.join(root, "src/host")).filter(
    (file) => file.endsWith(".mjs") || file.endsWith(".d.mts"),
  );
  for (const file of plain) copyFileSync(path.join(root, "src/host", file), path.join(out, file));
}
