import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { deviceProfile, target, type DeviceProfile, type Target } from "../model/device-profile.js";
import { IdapError } from "../model/errors.js";

const folder = fileURLToPath(new URL("../../targets/", import.meta.url));

function names(dir: string): string[] {
  return readdirSync(dir)
    .filter((f) => f.endsWith(".json") && f !== "features.json")
    .map((f) => f.slice(0, -5))
    .sort();
}

function parse<T>(schema: z.ZodType<T>, file: string, what: string): T {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new IdapError("E_PROFILE", `${what} ${file} cannot be read: ${(error as Error).message}`);
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new IdapError("E_PROFILE", `${what} ${file}: ${issue.path.join(".")}: ${issue.message}`);
}

/** A target by name. */
export function loadTarget(name: string): Target {
  const known = names(folder);
  if (!known.includes(name)) {
    throw new IdapError("E_TARGET", `unknown target "${name}"`, `Use one of ${known.join(", ")}.`);
  }
  return parse(target, path.join(folder, `${name}.json`), "target");
}

/** A device profile by name (`targets/devices`) or by path. */
export function loadDevice(nameOrPath: string): DeviceProfile {
  const devices = path.join(folder, "devices");
  const known = names(devices);
  if (known.includes(nameOrPath))
    return parse(deviceProfile, path.join(devices, `${nameOrPath}.json`), "device profile");
  if (nameOrPath.endsWith(".json") && existsSync(nameOrPath)) return parse(deviceProfile, nameOrPath, "device profile");
  throw new IdapError(
    "E_DEVICE",
    `unknown device "${nameOrPath}"`,
    `Use one of ${known.join(", ")}, or the path of a profile.`,
  );
}
