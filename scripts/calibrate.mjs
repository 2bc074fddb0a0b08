// Times the kernel families in this Node and writes a device profile: node scripts/calibrate.mjs [name] [simd|relaxed]
// Needs a built dist/. `idap measure --calibrate` does the same in every engine; what is shipped in targets/devices was
// written by `node bench/latency/run.mjs --calibrate`, which judges the profiles at once.
import { writeFileSync } from "node:fs";
import { calibrate } from "../dist/build/calibrate.js";

const [name = "node-generic", variant] = process.argv.slice(2);
const profile = await calibrate({
  name,
  ...(variant !== undefined && { variant }),
  onProgress: (done, total, what) => process.stderr.write(`\r\x1b[2K${done}/${total} ${what}`),
});
writeFileSync(new URL(`../targets/devices/${name}.json`, import.meta.url), `${JSON.stringify(profile, null, 2)}\n`);
process.stderr.write("\n");
