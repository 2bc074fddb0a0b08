import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { equalGraphs } from "../../src/model/equal.js";
import { IdapError } from "../../src/model/errors.js";
import {
  fromSafetensors,
  graphFromJson,
  graphToJson,
  loadGraph,
  saveGraph,
  toSafetensors,
  weightsOf,
} from "../../src/model/serialize.js";
import type { StoredTensor } from "../../src/model/safetensors.js";
import type { Graph } from "../../src/model/types.js";
import { randomNetwork } from "../support/networks.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "idap-serialize-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const reload = (graph: Graph): Graph => graphFromJson(graphToJson(graph), weightsOf(graph));

describe("a graph on disk", () => {
  test("is read back equal and written again with the same bytes", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const graph = randomNetwork(seed);
      const base = path.join(folder, `g${seed}`);
      await saveGraph(graph, base);
      const again = await loadGraph(base);
      expect(equalGraphs(again, graph)).toBeNull();
      expect(again.nodes).toEqual(graph.nodes);
      expect([...again.tensors]).toEqual([...graph.tensors]);
      await saveGraph(again, `${base}-again`);
      for (const suffix of [".json", ".safetensors"]) {
        expect(await readFile(`${base}-again${suffix}`)).toEqual(await readFile(base + suffix));
      }
    }
    expect((await readdir(folder)).filter((f) => f.endsWith(".tmp"))).toEqual([]);
  });

  test("does not depend on the order in which attributes were set", () => {
    const graph = randomNetwork(3);
    const turned = {
      ...graph,
      nodes: graph.nodes.map((n) => ({ ...n, attrs: Object.fromEntries(Object.entries(n.attrs).reverse()) })),
    };
    expect(graphToJson(turned)).toBe(graphToJson(graph));
  });

  test("keeps quantisation notes, several dtypes and names that would break a naive writer", () => {
    const name = `a "quoted" \\ name\u0000 ❄ __proto__`;
    const graph: Graph = {
      name: "g",
      inputs: [{ name: "x", tensor: "__proto__" }],
      outputs: [{ name: "y", tensor: name }],
      tensors: new Map([
        ["__proto__", { name: "__proto__", type: { dtype: "f32", shape: [1, 2], batchAxis: 0 } }],
        [
          "constructor",
          {
            name: "constructor",
            type: { dtype: "f32", shape: [2], batchAxis: null },
            data: new Float32Array([-0, 1e-45]),
          },
        ],
        [
          "table",
          {
            name: "table",
            type: { dtype: "i64", shape: [2], batchAxis: null },
            data: new BigInt64Array([-1n, 2n ** 62n]),
          },
        ],
        [
          "mask",
          { name: "mask", type: { dtype: "bool", shape: [3], batchAxis: null }, data: new Uint8Array([1, 0, 1]) },
        ],
        [
          name,
          {
            name,
            type: { dtype: "f32", shape: [1, 2], batchAxis: 0 },
            quant: { dtype: "i8", scale: [0.1, 0.2], zeroPoint: [-128, 3], axis: 1 },
          },
        ],
      ]),
      nodes: [{ name: "toString", op: "add", inputs: ["__proto__", "constructor"], outputs: [name], attrs: {} }],
    };
    const again = reload(graph);
    expect([...again.tensors]).toEqual([...graph.tensors]);
    expect(again.nodes).toEqual(graph.nodes);
    expect(graphToJson(again)).toBe(graphToJson(graph));
  });

  test("the two files must belong together", () => {
    expect(() => graphFromJson(graphToJson(randomNetwork(1)), weightsOf(randomNetwork(2)))).toThrowError(
      expect.objectContaining({ code: "E_GRAPH_FILE" }),
    );
  });

  test("a missing or truncated file is one clear error", async () => {
    await expect(loadGraph(path.join(folder, "nothing"))).rejects.toMatchObject({ code: "E_FILE" });
    const base = path.join(folder, "cut");
    await saveGraph(randomNetwork(1), base);
    const text = await readFile(`${base}.json`, "utf8");
    await writeFile(`${base}.json`, text.slice(0, text.length / 2));
    await expect(loadGraph(base)).rejects.toMatchObject({ code: "E_GRAPH_FILE" });
  });
});

/** Runs `read` on damaged input: it may succeed or refuse with an IdapError, but never throw anything else. */
function neverCrashes(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof IdapError)) throw error;
  }
}

describe("hostile input", () => {
  const graph = randomNetwork(4);
  const weights = weightsOf(graph);
  const text = graphToJson(graph);

  test("any JSON value in place of any value of the document", () => {
    const places: (string | number)[][] = [];
    const visit = (value: unknown, at: (string | number)[]): void => {
      places.push(at);
      if (Array.isArray(value)) value.forEach((v, i) => visit(v, [...at, i]));
      else if (typeof value === "object" && value !== null)
        for (const [k, v] of Object.entries(value)) visit(v, [...at, k]);
    };
    visit(JSON.parse(text), []);
    const replacement = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(-1, 0, 1e308, 2 ** 53, "__proto__", null, [], {}),
    );
    fc.assert(
      fc.property(fc.constantFrom(...places), replacement, (at, value) => {
        neverCrashes(() => graphFromJson(JSON.stringify(replaced(JSON.parse(text), at, value)), weights));
      }),
      { numRuns: 1500 },
    );
  });

  test("damaged text", () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.nat(40), fc.string(), (at, drop, put) => {
        neverCrashes(() => graphFromJson(text.slice(0, at) + put + text.slice(at + drop), weights));
      }),
      { numRuns: 300 },
    );
  });

  test("damaged safetensors", () => {
    const header = new TextDecoder().decode(
      weights.subarray(8, 8 + Number(new DataView(weights.buffer).getBigUint64(0, true))),
    );
    fc.assert(
      fc.property(
        fc.nat(header.length + 7),
        fc.uint8Array({ minLength: 1, maxLength: 9 }),
        fc.nat(weights.length),
        (at, put, end) => {
          const bytes = weights.slice();
          bytes.set(put, at);
          neverCrashes(() => fromSafetensors(bytes));
          neverCrashes(() => fromSafetensors(weights.subarray(0, end)));
        },
      ),
      { numRuns: 500 },
    );
    expect(() => fromSafetensors(new Uint8Array(3))).toThrowError(expect.objectContaining({ code: "E_SAFETENSORS" }));
  });

  test.each([
    ["a tensor that reaches past the end", '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 4],
    ["a shape that does not fit its bytes", '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', 8],
    ["an extent that overflows", '{"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,1]}}', 1],
    [
      "overlapping tensors",
      '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
      3,
    ],
    ["bytes of no tensor", '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 2],
    ["a dtype that we do not read", '{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}', 2],
    ["a truth value of 2", '{"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}', 1],
  ])("%s is refused", (_title, header, size) => {
    const bytes = new Uint8Array(8 + header.length + size).fill(2, 8 + header.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(new TextEncoder().encode(header), 8);
    expect(() => fromSafetensors(bytes)).toThrowError(expect.objectContaining({ code: "E_SAFETENSORS" }));
  });
});

function replaced(json: unknown, at: readonly (string | number)[], value: unknown): unknown {
  if (at.length === 0) return value;
  let parent = json as Record<string | number, unknown>;
  for (const key of at.slice(0, -1)) parent = parent[key] as Record<string | number, unknown>;
  parent[at.at(-1)!] = value;
  return json;
}

describe("safetensors", () => {
  test("write, read, write gives the same bytes, and values are aligned to their size", () => {
    const float = fc.float({ noDefaultInfinity: false });
    const tensor: fc.Arbitrary<StoredTensor> = fc.oneof(
      fc.array(float).map((v) => ({ dtype: "f32" as const, shape: [v.length], data: Float32Array.from(v) })),
      fc
        .array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
        .map((v) => ({ dtype: "i64" as const, shape: [v.length], data: BigInt64Array.from(v) })),
      fc
        .array(fc.integer({ min: -128, max: 127 }))
        .map((v) => ({ dtype: "i8" as const, shape: [1, v.length], data: Int8Array.from(v) })),
      fc.array(fc.nat(1)).map((v) => ({ dtype: "bool" as const, shape: [v.length], data: Uint8Array.from(v) })),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), tensor), (record) => {
        const map = new Map(Object.entries(record));
        const bytes = toSafetensors(map);
        const again = fromSafetensors(bytes);
        expect(new Map([...again].sort())).toEqual(new Map([...map].sort()));
        expect(toSafetensors(again)).toEqual(bytes);
        expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
