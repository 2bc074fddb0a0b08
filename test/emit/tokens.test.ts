/** Networks of tokens as packages: integers in, masks for shorter sequences, what is fused into layers on tokens. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { emit, planEmission } from "../../src/emit/index.js";
import { createExecutor } from "../../src/host/executor.js";
import { Random } from "../../src/model/random.js";
import type { Dtype, Graph, TensorRecord } from "../../src/model/types.js";
import { Net } from "../support/networks.js";
import { compileGraph, randomInputs, relativeError } from "./support.js";

const WIDTH = 12;
const WORDS = 30;

/** A block of an encoder: ids and a mask of 1 for real tokens and 0 for padding -> [1, tokens, WIDTH]. */
function encoder(tokens: number, dtype: Dtype = "i32"): Graph {
  const net = new Net(new Random(7), "encoder");
  const input = (name: string) => net.builder.input(name, { dtype, shape: [1, tokens], batchAxis: 0 });
  const [ids, mask] = [input("ids"), input("mask")];
  const cast = (x: string, to: Dtype): string => (to === dtype ? x : net.op("cast", [x], { to }));
  const scalar = (v: number): string => net.builder.constant("number", "f32", [], Float32Array.of(v));
  const norm = (x: string): string =>
    net.op("layer_norm", [x, net.positive(WIDTH), net.weight([WIDTH])], { axis: 2, epsilon: 1e-5 });

  const words = net.op("gather", [net.weight([WORDS, WIDTH], 5), cast(ids, "i32")], { axis: 0 });
  // Positions beyond the sequence are cut off the same table, so that encoders of any length share their weights.
  const table = Float32Array.from({ length: tokens * WIDTH }, (_, i) => Math.sin(i));
  const x = norm(net.add(words, net.builder.constant("positions", "f32", [tokens, WIDTH], table)));
  const real = net.op("reshape", [cast(mask, "f32")], { shape: [-1, 1, 1, tokens] });
  const hidden = net.op("mul", [net.op("sub", [real, scalar(1)]), scalar(1e9)]);
  const qkv = [0, 1, 2].map(() => net.dense(x, WIDTH));
  const mixed = net.op("attention", [...qkv, hidden], { heads: 2, kvHeads: 2, scale: 0.4, causal: false });
  const y = norm(net.add(net.dense(mixed, WIDTH), x));
  return net.build(net.add(net.dense(net.op("gelu", [net.dense(y, 29)], { approximate: "none" }), WIDTH), y));
}

const sentence = (ids: readonly number[], real: number): TensorRecord => ({
  ids: { data: Int32Array.from(ids), shape: [1, ids.length], dtype: "i32" },
  mask: { data: Int32Array.from(ids, (_, i) => Number(i < real)), shape: [1, ids.length], dtype: "i32" },
});

type Run = (inputs: TensorRecord) => Promise<TensorRecord> | TensorRecord;

async function everywhere(graph: Graph): Promise<[string, (inputs: TensorRecord) => Promise<number[]>][]> {
  const [reference, host] = [createExecutor("reference", graph), createExecutor("wasm", graph)];
  const runs: [string, Run][] = [
    ["reference", (inputs) => reference.run(inputs)],
    ["host", (inputs) => host.run(inputs)],
    ...(await compileGraph(graph)).map((runner): [string, Run] => [runner.variant, (inputs) => runner.run(inputs)]),
  ];
  return runs.map(([name, run]) => [name, async (inputs) => Array.from((await run(inputs)).y!.data as Float32Array)]);
}

const ids = [3, 17, 0, 29, 5, 5, 11, 2, 8, 1, 23, 4, 9];

test("padding changes no bit of what real tokens give", async () => {
  const real = 6;
  const inputs = sentence(ids, real);
  const others = sentence(
    ids.map((id, i) => (i < real ? id : WORDS - 1 - id)),
    real,
  );
  for (const [name, run] of await everywhere(encoder(ids.length))) {
    const [a, b] = [await run(inputs), await run(others)];
    expect(a.slice(0, real * WIDTH), name).toEqual(b.slice(0, real * WIDTH));
    expect(a.slice(real * WIDTH), name).not.toEqual(b.slice(real * WIDTH));
  }
});

test("a short sequence in a long encoder gives the bits that an encoder of its length gives", async () => {
  const real = 6;
  const short = await everywhere(encoder(real));
  for (const [i, [name, run]] of (await everywhere(encoder(ids.length))).entries()) {
    const padded = await run(sentence(ids, real));
    const own = await short[i]![1](sentence(ids.slice(0, real), real));
    expect(padded.slice(0, real * WIDTH), name).toEqual(own);
  }
});

const folder = mkdtempSync(path.join(os.tmpdir(), "idap-tokens-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test.each(["i32", "i64"] as const)(
  "a package takes %s tokens as arrays and as typed arrays of its dtype",
  async (dtype) => {
    const graph = encoder(ids.length, dtype);
    const out = path.join(folder, dtype);
    await emit(graph, { out, variants: ["simd"] });
    const declared = readFileSync(path.join(out, "index.d.ts"), "utf8");
    expect(declared).toContain(`${dtype} [1, 13], row-major: 13 values.`);
    expect(declared.includes("BigInt64Array")).toBe(dtype === "i64");

    const { load } = (await import(pathToFileURL(path.join(out, "node.js")).href)) as {
      load: () => Promise<{ run(inputs: object): { y: { data: Float32Array } } }>;
    };
    const model = await load();
    const mask = ids.map((_, i) => Number(i < 9));
    const typed = (values: number[]) =>
      dtype === "i64" ? BigInt64Array.from(values, BigInt) : Int32Array.from(values);
    const plain = model.run({ ids, mask }).y.data.slice();
    expect(model.run({ ids: typed(ids), mask: { data: typed(mask) } }).y.data).toEqual(plain);
    const inputs = Object.fromEntries(
      Object.entries({ ids, mask }).map(([name, v]) => [name, { data: typed(v), shape: [1, 13], dtype }]),
    );
    const exact = (await createExecutor("reference", graph).run(inputs)).y!.data as Float32Array;
    expect(relativeError(plain, exact)).toBeLessThan(1e-5);
  },
);

/** Layers with the given form of gelu behind them: on tokens, a pointwise convolution, and one on a flattened image. */
function curved(approximate: "none" | "tanh"): Graph {
  const net = new Net(new Random(5), "curved");
  const gelu = (x: string): string => net.op("gelu", [x], { approximate });
  const tokens = gelu(net.dense(net.input([7, 6], "tokens"), 21));
  const image = gelu(net.conv(net.input([4, 3, 5], "image"), 13, 1));
  return net.build(tokens, image, gelu(net.dense(net.flatten(image), 9)));
}

test.each(["none", "tanh"] as const)(
  "gelu (%s) is computed by the layer in front of it, with the host's bits",
  async (form) => {
    const graph = curved(form);
    expect(planEmission(graph).kernels.layers.map((l) => l.kernel)).not.toContain("gelu");
    const inputs = randomInputs(graph, 2);
    const host = await createExecutor("wasm", graph).run(inputs);
    const [simd] = await compileGraph(graph, ["simd"]);
    expect(simd!.run(inputs)).toEqual(host);
  },
);
