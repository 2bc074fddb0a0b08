// Inference, side by side: our packages against tfjs-backend-wasm and onnxruntime-web.
//
//   npm run bench:inference -- [--json] [--seconds 4] [--networks resnet8,dscnn,vww] [--nodes 20,24]
//
// One thread, batch 1, copies of inputs and outputs included, candidates interleaved in one process, medians. Outputs are
// checked against our f64 reference executor. tfjs runs direct op calls with fused bias and activation, which spares it
// its graph executor; onnxruntime-web runs the ONNX file that we write. Node 24 comes from npm for one process.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = path.resolve(here, "../..");
const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "4" },
    networks: { type: "string", default: "resnet8,dscnn,vww" },
    nodes: { type: "string", default: "20,24" },
    data: { type: "string", default: process.env.IDAP_SHARED_DATA ?? path.resolve(root, "../shared/data") },
  },
});
/** What a quiet machine must show: best variant on Node 24, strict SIMD on Node 20, as multiples of tfjs-wasm's time. */
const REQUIRED = { best24: 1.8, simd20: 1.5 };

const MODELS = {
  resnet8: "pretrainedResnet.tflite",
  dscnn: "kws_ref_model_float32.tflite",
  vww: "vww_96_float.tflite",
};

function run(command, args, quiet = true) {
  const result = spawnSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  if (result.status !== 0) {
    process.stderr.write(
      `${command} ${args.join(" ")} failed\n${result.stdout ?? ""}${result.stderr ?? result.error ?? ""}`,
    );
    process.exit(1);
  }
  if (!quiet) process.stderr.write(result.stderr);
  return result.stdout;
}

if (!existsSync(path.join(here, "node_modules"))) {
  run("npm", ["ci", "--prefix", here, "--ignore-scripts", "--no-audit", "--no-fund"]);
}
if (!existsSync(path.join(root, "dist/emit/index.js"))) run("npm", ["run", "-s", "build"]);

const { readModel, onnxBytes } = await import(path.join(root, "dist/formats/index.js"));
const { emit } = await import(path.join(root, "dist/emit/index.js"));
const networks = [];
for (const name of options.networks.split(",")) {
  const file = MODELS[name];
  if (!file) throw new Error(`unknown network "${name}"; there are ${Object.keys(MODELS).join(", ")}`);
  const model = path.join(options.data, "models/mlperf-tiny", file);
  if (!existsSync(model)) throw new Error(`${model} is missing: the bench needs the folder of real models (--data)`);
  const graph = await readModel(model);
  const dir = path.join(here, "out", name);
  mkdirSync(path.dirname(dir), { recursive: true });
  const { kernelPlan } = await emit(graph, { out: dir, name });
  const onnx = path.join(here, "out", `${name}.onnx`);
  writeFileSync(onnx, onnxBytes(graph));
  const golden = path.join(options.data, "models/mlperf-tiny/golden", file);
  networks.push({ name, model, dir, onnx, golden, macs: kernelPlan.macs });
}

const jobFile = path.join(here, "out", "job.json");
writeFileSync(jobFile, JSON.stringify({ networks, seconds: Number(options.seconds), dist: path.join(root, "dist") }));
const measure = path.join(here, "measure.mjs");
const current = process.versions.node.split(".")[0];
const runs = options.nodes.split(",").map((major) => {
  const args = [measure, jobFile];
  const out =
    major === current ? run(process.execPath, args) : run("npx", ["-y", "-p", `node@${major}`, "node", ...args]);
  return JSON.parse(out.slice(out.indexOf("{")));
});

const verdicts = runs.flatMap(({ node, results }) =>
  results.flatMap((r) => {
    const tfjs = r.ms["tfjs-wasm"];
    const major = Number(node.split(".")[0]);
    if (major >= 24) {
      const ratio = tfjs / Math.min(r.ms.simd, r.ms.relaxed ?? Infinity);
      return [
        {
          node,
          network: r.network,
          rule: "best variant",
          ratio,
          required: REQUIRED.best24,
          ok: ratio >= REQUIRED.best24,
        },
      ];
    }
    const ratio = tfjs / r.ms.simd;
    return [{ node, network: r.network, rule: "simd", ratio, required: REQUIRED.simd20, ok: ratio >= REQUIRED.simd20 }];
  }),
);

if (options.json) {
  console.log(JSON.stringify({ runs, verdicts, ok: verdicts.every((v) => v.ok) }, null, 2));
} else {
  for (const { node, results } of runs) {
    console.log(`\nNode ${node}: median ms, one thread, batch 1, copies included`);
    console.log(
      "network   MMAC    simd      relaxed   tfjs-wasm ort-web   | tfjs / simd, relaxed   ort / simd, relaxed",
    );
    for (const r of results) {
      const ms = (name) => (r.ms[name] === undefined ? "-" : r.ms[name].toFixed(4)).padEnd(9);
      const over = (rival, ours) => (r.ms[ours] === undefined ? "-" : (r.ms[rival] / r.ms[ours]).toFixed(2));
      console.log(
        `${r.network.padEnd(9)} ${(r.macs / 1e6).toFixed(2).padEnd(7)} ${ms("simd")} ${ms("relaxed")} ${ms("tfjs-wasm")} ${ms("ort-web")} | ` +
          `${over("tfjs-wasm", "simd")}, ${over("tfjs-wasm", "relaxed")}`.padEnd(23) +
          `${over("ort-web", "simd")}, ${over("ort-web", "relaxed")}`,
      );
    }
  }
  for (const v of verdicts) {
    console.log(
      `${v.ok ? "ok  " : "MISS"} Node ${v.node} ${v.network}: ${v.ratio.toFixed(2)} x tfjs-wasm with the ${v.rule} (needs ${v.required})`,
    );
  }
}
process.exitCode = verdicts.every((v) => v.ok) ? 0 : 2;
