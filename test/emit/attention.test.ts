/** Attention at the edges of its kernel: blocks of 8 tokens, 4 keys and 8 columns at a time. Reference, host, packages. */
import { describe, expect, test } from "vitest";
import { createExecutor } from "../../src/host/executor.js";
import { GraphBuilder } from "../../src/model/builder.js";
import type { Graph, TensorRecord, TensorType } from "../../src/model/types.js";
import { expectCase } from "../host/support.js";
import { w, x, type OpCase } from "../support/op-cases.js";
import { expectEmitted } from "./cases.js";
import { compileGraph, randomInputs, relativeError } from "./support.js";

interface Sizes {
  tokens: number;
  keys: number;
  heads?: number;
  kvHeads?: number;
  d?: number;
  dv?: number;
  causal?: boolean;
  mask?: TensorType;
}

const attentionCase = ({
  tokens,
  keys,
  heads = 1,
  kvHeads = heads,
  d = 4,
  dv = d,
  causal = false,
  mask,
}: Sizes): OpCase => ({
  title: `${tokens} tokens, ${keys} keys, ${heads}/${kvHeads} heads of ${d} and ${dv}${causal ? ", causal" : ""}`,
  op: "attention",
  attrs: { heads, kvHeads, scale: d ** -0.5, causal },
  inputs: [x(tokens, heads * d), x(keys, kvHeads * d), x(keys, kvHeads * dv), ...(mask ? [mask] : [])],
});

const seventeen = Array.from({ length: 17 }, (_, i) => i + 1);

const cases: readonly OpCase[] = [
  ...seventeen.map((keys) => attentionCase({ tokens: 18 - keys, keys, heads: 2, d: 5, dv: 12 })),
  ...seventeen.map((d) => attentionCase({ tokens: 9, keys: 6, d, dv: 18 - d })),
  ...seventeen.map((tokens) => attentionCase({ tokens, keys: tokens, heads: 2, causal: true })),
  attentionCase({ tokens: 1, keys: 1, d: 1 }),
  attentionCase({ tokens: 3, keys: 20, causal: true }),
  attentionCase({ tokens: 20, keys: 3, causal: true }),
  attentionCase({ tokens: 12, keys: 7, heads: 6, kvHeads: 2, d: 3, dv: 9 }),
  attentionCase({ tokens: 10, keys: 7, heads: 6, kvHeads: 1, mask: w(6, 10, 7) }),
  attentionCase({ tokens: 10, keys: 7, heads: 2, mask: w(7) }),
  attentionCase({ tokens: 10, keys: 7, heads: 2, mask: x(1, 10, 1), causal: true }),
];

test("packages are within the bound of the reference", async () => {
  await expectEmitted(cases);
});

test("and so is the host, whole batches too", async () => {
  for (const c of cases) await expectCase(c, 3, 40);
});

/** A head of attention whose operands and mask are inputs. */
function masked(tokens: number, keys: number): Graph {
  const builder = new GraphBuilder("masked");
  const q = builder.input("q", x(tokens, 12));
  const k = builder.input("k", x(keys, 12));
  const v = builder.input("v", x(keys, 12));
  const mask = builder.input("mask", x(1, 1, keys));
  const [y] = builder.node("attention", [q, k, v, mask], { heads: 2, kvHeads: 2, scale: 0.4, causal: false });
  builder.output(y!, "y");
  return builder.build();
}

const put = (record: TensorRecord, name: string, change: (v: number, i: number) => number): TensorRecord => ({
  ...record,
  [name]: { ...record[name]!, data: Float32Array.from(record[name]!.data as Float32Array, change) },
});

type Run = (inputs: TensorRecord) => Promise<number[]>;

async function everywhere(graph: Graph): Promise<[string, Run][]> {
  const host = createExecutor("wasm", graph);
  const reference = createExecutor("reference", graph);
  const values = (record: TensorRecord): number[] => Array.from(record.y!.data as Float32Array);
  const runners = await compileGraph(graph);
  return [
    ["reference", async (inputs) => values(await reference.run(inputs))],
    ["host", async (inputs) => values(await host.run(inputs))],
    ...runners.map((runner): [string, Run] => [
      runner.variant,
      (inputs) => Promise.resolve(values(runner.run(inputs))),
    ]),
  ];
}

describe("what a mask hides", () => {
  // -1e9 is what exports write; -Infinity what frameworks do; the smallest f32 what some libraries do.
  test.each([-Infinity, -1e9, -3.4028234663852886e38])(
    "%d: hidden keys change no bit of the result",
    async (hidden) => {
      const graph = masked(11, 13);
      const drawn = put(randomInputs(graph, 3), "mask", (_, i) => (i % 3 === 1 || i > 9 ? hidden : 0));
      const changed = ["k", "v"].reduce(
        (record, name) =>
          put(record, name, (value, i) => {
            const key = Math.floor(i / 12);
            return key % 3 === 1 || key > 9 ? 3 * Math.sin(i) : value;
          }),
        drawn,
      );
      for (const [name, run] of await everywhere(graph)) expect(await run(changed), name).toEqual(await run(drawn));
    },
  );

  test("a query that sees no key gives zeros", async () => {
    const graph = masked(9, 5);
    const inputs = put(randomInputs(graph, 4), "mask", () => -Infinity);
    for (const [name, run] of await everywhere(graph)) expect(await run(inputs), name).toEqual(Array(108).fill(0));
  });

  test("where all keys are hidden by one finite number, all weigh the same", async () => {
    const graph = masked(9, 5);
    const inputs = put(randomInputs(graph, 6), "mask", () => -3.4028234663852886e38);
    const [reference, ...others] = await everywhere(graph);
    const exact = await reference![1](inputs);
    expect(exact.slice(0, 12)).toEqual(exact.slice(12, 24));
    for (const [name, run] of others) expect(relativeError(await run(inputs), exact), name).toBeLessThan(12 * 2 ** -24);
  });

  test("what is no number stays none", async () => {
    const graph = masked(2, 3);
    const inputs = put(randomInputs(graph, 5), "q", (value, i) => (i === 0 ? NaN : value));
    for (const [name, run] of await everywhere(graph)) {
      const y = await run(inputs);
      expect(y.map(Number.isNaN).indexOf(true), name).toBe(0);
      expect(y.filter(Number.isNaN).length, name).toBe(6);
    }
  });
});
