// Times the kernel families here and writes a device profile: node scripts/calibrate.mjs [name] [simd|relaxed]
// Needs a built dist/. The committed profile targets/devices/node-generic.json was written by this script.
import { writeFileSync } from "node:fs";
import { calibrateDevice } from "../dist/build/calibrate.js";

const [name = "node-generic", variant = "simd"] = process.argv.slice(2);
const profile = await calibrateDevice({
  name,
  variant,
  onProgress: (done, total, what) => process.stderr.write(`\r\x1b[2K${done}/${total} ${what}`),
});
// One row of a table a line.
const text = JSON.stringify(profile, null, 2).replace(
  /\[\s+([\d.,\s]+?)\s+\]/g,
  (_, list) => `[${list.replace(/\s+/g, " ")}]`,
);
writeFileSync(new URL(`../targets/devices/${name}.json`, import.meta.url), `${text}\n`);
process.stderr.write("\n");
