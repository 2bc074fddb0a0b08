import type { ReportData } from "../../src/report/index.js";

const layer = (
  name: string,
  op: string,
  macs: number,
  params: number,
  keep: number | null,
): NonNullable<ReportData["layers"]>[number] => ({
  name,
  op,
  macs: { dense: macs, pruned: keep === null ? null : Math.round(macs * keep) },
  params: { dense: params, pruned: keep === null ? null : Math.round(params * keep) },
});

/** A report with everything in it; figures invented. */
export const fullReport: ReportData = {
  name: "glyphs",
  accepted: true,
  metric: { name: "accuracy", dense: 0.9633, pruned: 0.956, emitted: 0.956, maxDropPoints: 1 },
  test: { samples: 2000, dense: 0.9605, pruned: 0.955, dropPoints: 0.55, low: -0.1, high: 1.2 },
  macs: { dense: 6_021_000, pruned: 2_810_000 },
  params: { dense: 57_400, pruned: 24_100 },
  bytes: {
    dense: { weights: 229_600, code: 18_400, glue: 1_720, weightsBrotli: 212_000, codeBrotli: 5_900, glueBrotli: 760 },
    pruned: { weights: 96_400, code: 17_900, glue: 1_720, weightsBrotli: 88_900, codeBrotli: 5_700, glueBrotli: 760 },
  },
  arenaBytes: { dense: 83_000, pruned: 51_200 },
  latency: {
    device: "Node 20, one thread",
    entries: [
      { label: "dense, simd", p50Ms: 1.21, p90Ms: 1.32, p99Ms: 1.6 },
      { label: "pruned, simd", p50Ms: 0.55, p90Ms: 0.61, p99Ms: 0.8 },
    ],
  },
  error: { measured: 3.1e-7, bound: 4.2e-5 },
  layers: [
    layer("stem", "conv2d", 82_944, 144, 0.75),
    layer("stage1.unit.conv1", "conv2d", 1_327_104, 2_304, 0.5),
    layer("stage1.unit.conv2", "conv2d", 1_327_104, 2_304, 0.5),
    layer("stage2.unit.conv1", "conv2d", 663_552, 4_608, 0.4),
    layer("stage2.unit.conv2", "conv2d", 1_327_104, 9_216, null),
    layer("stage3.unit.conv1", "conv2d", 497_664, 13_824, 0.45),
    layer("stage3.unit.conv2", "conv2d", 746_496, 20_736, 0.35),
    layer("a rather long name of a layer/with/slashes/BiasAdd", "dense", 480, 490, 1),
  ],
  ledger: [
    {
      stage: "filters",
      what: "4 filters of stage1.unit.conv1",
      why: "lowest divergence for each millisecond: 0.012",
      accepted: true,
      macs: 5_300_000,
      params: 51_000,
      metric: 0.962,
      predictedMs: 1.1,
      removals: [
        {
          what: "stage1.unit.conv1 + stage1.unit.conv2",
          which: "2 of 16 channels: 3, 9",
          score: [0.0101, 0.0123],
          rank: [1, 1],
          macs: 210_000,
          params: 1_200,
          ms: 0.0123,
        },
        {
          what: "stem",
          which: "2 of 16 channels: 0, 1",
          score: [0, 0.02],
          rank: [2, 4],
          macs: 90_000,
          params: 300,
          ms: -0.0004,
        },
      ],
    },
    {
      stage: "filters",
      what: "12 filters of stage3.unit.conv1",
      why: "lowest divergence for each millisecond: 0.020",
      accepted: true,
      macs: 3_900_000,
      params: 33_000,
      metric: 0.9593,
      predictedMs: 0.8,
    },
    {
      stage: "filters",
      what: "8 filters of stage2.unit.conv1",
      why: "lowest divergence for each millisecond: 0.031",
      accepted: false,
      reason: "1.9 points below the dense model, 1 allowed",
      macs: 3_200_000,
      params: 29_000,
      metric: 0.9443,
      predictedMs: 0.7,
    },
    {
      stage: "layers",
      what: "unit stage2.unit",
      why: "lowest flow: 0.31",
      accepted: true,
      macs: 2_810_000,
      params: 24_100,
      metric: 0.956,
      measuredMs: 0.55,
      removals: [
        {
          what: "branch stage2.unit",
          which: "5 nodes: conv1, bn1, relu, conv2, bn2",
          score: [0.31, 0.31],
          rank: [1, 1],
          macs: 390_000,
          params: 4_900,
          ms: 0.21,
        },
      ],
    },
  ],
  memory: {
    bytes: 51_200,
    steps: ["stem", "stage1.unit.conv1", "stage1.unit.conv2", "mean", "dense"],
    buffers: [
      { name: "input", offset: 0, bytes: 2304, from: 0, to: 0 },
      { name: "stem", offset: 2304, bytes: 24_000, from: 0, to: 2 },
      { name: "stage1.unit.conv1", offset: 26_304, bytes: 18_000, from: 1, to: 2 },
      { name: "stage1.unit.conv2", offset: 2304, bytes: 24_000, from: 2, to: 3 },
      { name: "mean", offset: 44_304, bytes: 128, from: 3, to: 4 },
      { name: "logits", offset: 0, bytes: 40, from: 4, to: 4 },
    ],
  },
  refusals: [{ what: "output axis of dense", why: "a graph output is frozen" }],
  facts: [
    ["seed", "1"],
    ["source SHA-256", "19ac1196c7faab99c7abc7d6e778c9f16ec6e6145ebc3ae20e5c598ca738a74f"],
  ],
};

/** The least that a report may hold. */
export const bareReport: ReportData = {
  name: "bare",
  accepted: true,
  macs: { dense: 100, pruned: 100 },
  params: { dense: 10, pruned: 10 },
  ledger: [],
};
