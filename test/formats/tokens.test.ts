/** Networks of tokens in the forms that exporters leave: values as their own framework has them, structure as drawn by hand. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readModel } from "../../src/formats/index.js";
import { createExecutor } from "../../src/host/executor.js";
import { analyzeCoupling, type Group } from "../../src/model/coupling.js";
import { getOp } from "../../src/model/ops/index.js";
import { expandOps } from "../../src/model/passes/index.js";
import { allocate, type Graph, type TensorData, type TensorRecord, type TensorType } from "../../src/model/types.js";

const folder = fileURLToPath(new URL("../fixtures/tokens/", import.meta.url));

interface Recorded {
  readonly files: readonly string[];
  readonly inputs: Readonly<Record<string, { shape: number[]; data: (number | boolean)[] }>>;
  readonly outputs: readonly { shape: number[]; data: number[] }[];
}

/** What a reader would draw of a network: how its heads are laid out, and what can be cut. */
interface Drawn {
  /** For each attention: heads, heads of keys, whether causal, whether masked. */
  readonly attention: readonly string[];
  /** For each coupling group that can be cut: how many atoms of how many channels in the layers that make them. */
  readonly groups: readonly string[];
}

const drawn: Readonly<Record<string, Drawn>> = {
  encoder: { attention: ["3/3 masked", "3/3 masked"], groups: ["3 heads", "40 units", "3 heads", "40 units"] },
  sequence: { attention: ["3/3"], groups: ["3 heads"] },
  shared: { attention: ["6/2"], groups: ["2 heads", "40 units"] },
  language: { attention: ["3/3 causal"], groups: ["3 heads", "40 units"] },
  distil: {
    attention: ["3/3 masked", "3/3 masked"],
    groups: ["3 heads", "40 units", "3 heads", "40 units", "24 units"],
  },
  // The concatenation joins stem and block into one channel set.
  mobile: { attention: ["3/3"], groups: ["16 units", "8 units", "3 heads", "40 units", "8 units"] },
  patches: { attention: ["3/3", "3/3"], groups: ["3 heads", "36 units", "3 heads", "36 units"] },
  "keras-tokens": { attention: ["3/3", "3/3"], groups: ["3 heads", "40 units", "3 heads", "40 units"] },
  "keras-words": { attention: ["3/3 masked"], groups: ["3 heads", "40 units"] },
};

function valueOf(type: TensorType, data: readonly (number | boolean)[]): TensorData {
  const values = allocate(type.dtype, data.length);
  data.forEach((v, i) => (values[i] = type.dtype === "i64" ? BigInt(Number(v)) : Number(v)));
  return values;
}

function recordOf(graph: Graph, { inputs }: Recorded): TensorRecord {
  const all = Object.values(inputs);
  return Object.fromEntries(
    graph.inputs.map(({ name, tensor }, i) => {
      const given = inputs[name] ?? all[i]!;
      const type = graph.tensors.get(tensor)!.type;
      return [name, { data: valueOf(type, given.data), shape: given.shape, dtype: type.dtype }];
    }),
  );
}

/** Largest |a - b|. */
function gap(a: ArrayLike<number>, b: readonly number[]): number {
  return b.reduce((most, v, i) => (Math.abs(v - a[i]!) <= most ? most : Math.abs(v - a[i]!)), 0);
}

function describeGroup(graph: Graph, { atoms, axes }: Group): string {
  const mixed = axes.some(({ tensor }) =>
    graph.nodes.some((node) => node.op === "attention" && node.outputs[0] === tensor),
  );
  return `${atoms.filter((a) => a.frozen === null).length} ${mixed ? "heads" : "units"}`;
}

const names = readdirSync(folder)
  .filter((f) => f.endsWith(".json"))
  .map((f) => f.replace(".json", ""));

test("every network has a drawing, and its files are there", () => {
  expect(names).toEqual(Object.keys(drawn).sort());
});

describe.each(names)("%s", (name) => {
  const recorded = JSON.parse(readFileSync(`${folder}${name}.json`, "utf8")) as Recorded;

  test.each(recorded.files)("%s", async (file) => {
    expect(existsSync(`${folder}${file}`)).toBe(true);
    const graph = await readModel(`${folder}${file}`);
    const attention = graph.nodes
      .filter((node) => node.op === "attention")
      .map(({ attrs, inputs }) => {
        const masked = inputs.length > 3 ? " masked" : "";
        return `${String(attrs.heads)}/${String(attrs.kvHeads)}${attrs.causal === true ? " causal" : ""}${masked}`;
      });
    expect(attention).toEqual(drawn[name]!.attention);
    expect(graph.nodes.filter((node) => node.op === "matmul" || node.op === "softmax")).toEqual([]);
    expect(analyzeCoupling(graph).groups.map((group) => describeGroup(graph, group))).toEqual(drawn[name]!.groups);

    const inputs = recordOf(graph, recorded);
    for (const id of ["reference", "wasm"] as const) {
      const executor = createExecutor(id, graph);
      const result = await executor.run(inputs);
      await executor.close();
      graph.outputs.forEach((port, i) => {
        expect(
          gap(result[port.name]!.data as Float32Array, recorded.outputs[i]!.data),
          `${id} ${port.name}`,
        ).toBeLessThan(1e-4);
      });
    }
    const expanded = createExecutor(
      "reference",
      expandOps(graph, ({ op }) => getOp(op).expand === undefined),
    );
    const plain = await expanded.run(inputs);
    expect(gap(plain[graph.outputs[0]!.name]!.data as Float32Array, recorded.outputs[0]!.data)).toBeLessThan(1e-4);
  });
});
