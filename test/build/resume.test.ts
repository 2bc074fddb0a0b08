import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { requireAll } from "../support/shared-data.js";
import { filesOf, quickBuild, writeTinyProject } from "./support.js";

// A process that can be killed runs JavaScript: the built library, which `npm test` builds first.
const library = fileURLToPath(new URL("../../dist/build/index.js", import.meta.url));
const root = mkdtempSync(path.join(os.tmpdir(), "idap-kill-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const program = `
  import { build } from ${JSON.stringify(`file://${library}`)};
  const options = JSON.parse(process.argv[2]);
  await build({ ...options, onProgress: (p) => process.stdout.write(p.stage + "\\n") });
`;

const script = path.join(root, "build.mjs");
writeFileSync(script, program);

/** Runs a build in a process of its own; kills it when `kill` says so. */
async function child(options: unknown, kill: (output: string) => boolean): Promise<"killed" | "done"> {
  const process_ = spawn(process.execPath, [script, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  process_.stderr.on("data", (d: Buffer) => (errors += d.toString()));
  process_.stdout.on("data", (d: Buffer) => {
    output += d.toString();
    if (kill(output)) process_.kill("SIGKILL");
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((r) =>
    process_.on("close", (c, s) => r([c, s])),
  );
  if (signal === "SIGKILL") return "killed";
  if (code !== 0) throw new Error(errors);
  return "done";
}

test.skipIf(!existsSync(library) && !requireAll)(
  "SIGKILL in the middle of an iteration, then --resume: the same bytes",
  async () => {
    const project = await writeTinyProject(root);
    const options = (name: string) => quickBuild(project, path.join(root, name, "net"), { measure: false });
    expect(await child(options("whole"), () => false)).toBe("done");

    // Killed while the second iteration of stage 1 trains: the first is on disk, the second half done.
    const killed = await child(options("killed"), (out) => (out.match(/iteration 2: .*\n/g)?.length ?? 0) >= 2);
    expect(killed).toBe("killed");
    const state = JSON.parse(readFileSync(path.join(root, "killed/.idap-run-net/state.json"), "utf8")) as {
      ledger: { stage: string }[];
    };
    expect(state.ledger.filter((e) => e.stage === "filters")).toHaveLength(1);
    expect(state.ledger.at(-1).stage).toBe("filters");
    await sleep(50);
    expect(await child({ ...options("killed"), resume: true }, () => false)).toBe("done");
    expect(filesOf(path.join(root, "killed/net"))).toEqual(filesOf(path.join(root, "whole/net")));
  },
  120_000,
);
