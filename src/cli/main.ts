#!/usr/bin/env node
import { commands } from "./commands/index.js";
import { runCli } from "./run.js";

// A closed pipe (`idap inspect m.onnx | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const code = await runCli(process.argv.slice(2), commands, { out: process.stdout, err: process.stderr });
// Nothing that a command left open may keep the program alive; what was printed goes out first.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
