import { readFileSync } from "node:fs";
import { deviceProfile } from "../../src/model/device-profile.js";

/** The committed default profile. */
export const profile = deviceProfile.parse(
  JSON.parse(readFileSync(new URL("../../targets/devices/node-generic.json", import.meta.url), "utf8")),
);
