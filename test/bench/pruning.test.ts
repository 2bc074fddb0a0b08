/** The pruning bench: what is run, what is kept, what is compared, and the data and networks that it makes. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseWav } from "../../src/data/audio/wav.js";
import { featureShape, AUDIO_DEFAULTS } from "../../src/data/audio/features.js";
import * as library from "../../src/index.js";
import { graphCost } from "../../src/analyzer/cost.js";
import { spreadOf } from "../../src/build/spread.js";
import { verify } from "../../src/model/verify.js";

/** The bench is plain JavaScript; what is imported here needs no data. */
const bench = (file: string): Promise<any> => import(new URL(`../../bench/pruning/${file}`, import.meta.url).href);
const { criteriaOf, jobsOf } = await bench("jobs.mjs");
const { appendRow, fileOf, readRows } = await bench("rows.mjs");
const { bestClassical, group, pairs, renderTables } = await bench("tables.mjs");
const { NETWORKS, networksOf } = await bench("networks.mjs");
const { parseOptions } = await bench("options.mjs");
const { FEATURES, wavOf } = await bench("spoken-digits.mjs");

let folder: string;
beforeAll(() => (folder = mkdtempSync(path.join(os.tmpdir(), "idap-bench-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const row = (criterion: string, seed: number, test: number, more: object = {}): object => ({
  ...{ network: "fashion-cnn", criterion, seed, target: 0.5, settings: "s", macs: 0.499, recoveries: 4 },
  ...{ validation: test, test, predictedMs: 1, measuredShare: null, dense: { macs: 1e6, predictedMs: 2, test: 0.95 } },
  ...more,
});

describe("what is compared", () => {
  test("runs of one seed at the same cost with as much recovery, and no others", () => {
    const of = (...more: object[]): number[] => {
      const [g] = group([row("divergence", 1, 0.9), row("divergence", 2, 0.9), ...more]);
      return pairs(g, "divergence", "l1", "test").map((d: number) => Math.round(100 * d) / 100);
    };
    expect(of(row("l1", 1, 0.89), row("l1", 2, 0.92))).toEqual([1, -2]);
    expect(of(row("l1", 1, 0.89), row("l1", 3, 0.92))).toEqual([1]); // no such seed
    expect(of(row("l1", 1, 0.89, { macs: 0.49 }), row("l1", 2, 0.92, { macs: 0.48 }))).toEqual([1]);
    expect(of(row("l1", 1, 0.89, { recoveries: 3 }), row("l1", 2, 0.92))).toEqual([-2]);
    expect(of(row("l1", 1, 0.89, { target: 0.25 }))).toEqual([]);
  });

  test("what is left out is told", () => {
    const rows = [row("divergence", 1, 0.9), row("l1", 1, 0.91, { macs: 0.4 })];
    const text = renderTables(rows, { spreadOf }, { split: "test" });
    expect(text).toContain("| `l1` | 91.00 ± 0.00 | 1 | 40.0 | 1.000 |  |  (1 of other cost left out) |");
  });

  test("the best classical criterion is one that was run everywhere; parts of divergence and chance are none", () => {
    const rows = [
      ...["divergence", "activation", "random", "l1", "taylor"].map((c, i) => row(c, 1, 0.9 + i / 100)),
      ...["divergence", "l1"].map((c, i) => row(c, 1, 0.9 + i / 100, { network: "fashion-resnet" })),
    ];
    expect(bestClassical(rows, "test")).toBe("l1");
  });

  test("rows of older settings do not count", () => {
    const rows = [row("divergence", 1, 0.5, { settings: "old" }), row("divergence", 1, 0.9)];
    expect([...group(rows)[0].criteria.get("divergence").values()].map((r: any) => r.test)).toEqual([0.9]);
  });
});

describe("what is run", () => {
  test("goes on from the rows that are there, also after a line that was cut short", () => {
    const file = fileOf(path.join(folder, "results"), "fashion-cnn");
    appendRow(file, row("divergence", 1, 0.912345678));
    appendFileSync(file, '{"network":"fashion-cnn","crit');
    appendRow(file, row("l1", 1, 0.9));
    const rows = readRows(file);
    expect(rows.map((r: any) => [r.criterion, r.test])).toEqual([
      ["divergence", 0.9123457],
      ["l1", 0.9],
    ]);
    expect(readFileSync(file, "utf8").split("\n")).toHaveLength(4);

    const network = { ...NETWORKS["fashion-cnn"], targets: [0.5], criteria: ["divergence", "l1", "taylor"] };
    const criteria = criteriaOf(network, [], null);
    const done = (run: any): boolean =>
      rows.some((r: any) => r.criterion === run.criterion && r.seed === run.seed && r.target === run.target);
    expect(jobsOf("fashion-cnn", network, criteria, { seeds: 2, firstSeed: 1 }, done)).toEqual([
      { network: "fashion-cnn", seed: 1, target: 0.5, criteria: ["taylor"] },
      { network: "fashion-cnn", seed: 2, target: 0.5, criteria: ["divergence", "l1", "taylor"] },
    ]);
  });

  test("criteria that are named must be those of the network; divergence is first", () => {
    const all = ["l1", "divergence", "reconstruction"];
    expect(criteriaOf({ criteria: "all" }, all, null)).toEqual(["divergence", "l1"]);
    expect(criteriaOf({ criteria: "all" }, all, ["l1", "reconstruction"])).toEqual(["l1"]);
  });

  test("results are kept in the repository, those of a quick run are not", () => {
    const parse = (...argv: string[]): any => parseOptions(argv, "data", "out", "results");
    expect(parse().results).toBe("results");
    expect(parse("--quick").results).toBe(path.join("out", "quick-results"));
    expect(parse("--quick", "--results", "r").results).toBe("r");
    expect(() => parse("--networks", "lenet")).toThrow(/unknown network/);
  });

  test("a quick run is smaller in everything", () => {
    for (const [name, quick] of Object.entries<any>(networksOf(true))) {
      const full = NETWORKS[name];
      expect(quick.dense.epochs).toBeLessThan(full.dense.epochs);
      expect(quick.pruning.finalEpochs).toBeLessThan(full.pruning.finalEpochs);
      expect(quick.seeds).toBeLessThan(full.seeds);
    }
  });
});

describe("networks and sounds", () => {
  test.each(Object.keys(NETWORKS))("%s is well-formed, seeded, and classifies ten classes", (name) => {
    const graph = verify(NETWORKS[name].build(library, 1));
    expect(graph.tensors.get(graph.outputs[0]!.tensor)!.type.shape).toEqual([1, 10]);
    expect(graphCost(graph).macs).toBeGreaterThan(1e6);
    const weights = (seed: number): unknown =>
      [...NETWORKS[name].build(library, seed).tensors.values()].find((t: any) => t.data?.length > 50)!.data;
    expect(weights(1)).toEqual(weights(1));
    expect(weights(1)).not.toEqual(weights(2));
  });

  test("sounds are WAV files that the library reads, with the features that the network takes", () => {
    const pcm = Buffer.alloc(8);
    [0, 16384, -32768, 32767].forEach((v, i) => pcm.writeInt16LE(v, 2 * i));
    const sound = parseWav(wavOf(pcm), "one.wav");
    expect(sound.rate).toBe(8000);
    expect([...sound.samples]).toEqual([0, 0.5, -1, 32767 / 32768]);
    expect(featureShape({ ...AUDIO_DEFAULTS, ...FEATURES })).toEqual([49, 10, 1]);
  });
});
