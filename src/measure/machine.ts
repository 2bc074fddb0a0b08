import os from "node:os";
import type { Engine } from "./engine.js";

/** What is said of this machine, for engines that run on it and do not tell. */
export function thisMachine(): Pick<Engine, "cpu" | "cores" | "arch" | "os"> {
  const cpus = os.cpus();
  return { cpu: cpus[0]?.model.trim() ?? "unknown", cores: cpus.length, arch: process.arch, os: process.platform };
}
