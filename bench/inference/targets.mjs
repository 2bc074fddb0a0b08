// What the comparison has to show, and whether it does.
import { each } from "./combine.mjs";
import { NETWORKS } from "./networks.mjs";
import { geometricMean } from "./statistics.mjs";

/**
 * In Chromium, by the kind of network: geometric means over the networks, [rival, our variant, required, aim], and the
 * least on every network against the fastest rival.
 */
const KINDS = {
  images: {
    means: [
      ["litert", "best", 2.0, 2.2],
      ["tfjs-wasm", "best", 2.7, 3],
      ["ort-web", "best", 3.5, 4],
      ["tfjs-wasm", "simd", 2.0, 2.3],
    ],
    least: 1.5,
  },
  tokens: {
    means: [
      ["litert", "best", 1.3, 1.8],
      ["tfjs-wasm", "best", 2, 3],
      ["ort-web", "best", 2, 3],
    ],
    least: 1,
  },
};
const kindOf = (network) => (NETWORKS[network]?.tokens ? "tokens" : "images");
/** On Node 24, pruned networks and those below this many MACs, against native ONNX Runtime. */
const NATIVE = { below: 50e6, required: 1 };
/** Times that tfjs-wasm's load and first run take, in ours: required and aim. */
const COLD = { required: 3, aim: 4 };
/** Bytes (kB of 1000), and milliseconds to emit both variants once the compiler has started. */
const SIZES = { mobilenetv2: 60_000, dscnn: 8_000 };
const BROTLI = { mobilenetv2: 15_000 };
const GLUE = 2_000;
const EMIT_MS = 4_000;

/**
 * `quiet` and `processor`: the same figure from tenth percentiles and from processor time, which say more on a busy
 * machine; they decide nothing.
 */
const target = (what, value, required, { aim, atMost = false, where, quiet, processor } = {}) => ({
  what,
  value,
  quiet: quiet ?? null,
  processor: processor ?? null,
  required,
  aim: aim ?? null,
  atMost,
  where: where ?? null,
  met: atMost ? value <= required : value >= required,
});

/** The smallest of the ratios, with the name of its network; each other figure has a smallest of its own. */
function least(list) {
  const [where, { ratio: value }] = list.reduce((a, b) => (b[1].ratio < a[1].ratio ? b : a));
  const smallest = (key) => (list[0][1][key] === null ? null : Math.min(...list.map(([, r]) => r[key])));
  return { where, value, quiet: smallest("quiet"), processor: smallest("processor") };
}

const inChromium = (place) =>
  Object.keys(KINDS).flatMap((kind) => {
    const networks = place.networks.filter((n) => kindOf(n.network) === kind);
    return networks.length === 0 ? [] : inKind(networks, kind);
  });

function inKind(networks, kind) {
  const { means, least: required } = KINDS[kind];
  const of = kind === "images" ? "" : ` of ${kind}`;
  const known = means.filter(([rival, variant]) => networks.every((n) => n.ratios[rival]?.[variant]));
  const list = known.map(([rival, variant, least, aim]) => {
    const all = networks.map((n) => n.ratios[rival][variant]);
    const { ratio, ...others } = each(all, geometricMean);
    return target(`geometric mean${of}, ${variant} variant, over ${rival}`, ratio, least, { aim, ...others });
  });
  const all = networks.flatMap((n) => Object.values(n.ratios).map((r) => [n.network, r.best]));
  if (all.length === 0) return list;
  const { value, ...others } = least(all);
  return [...list, target(`every network${of}, best variant, over the fastest rival`, value, required, others)];
}

function onNode24(place) {
  const small = place.networks
    .filter((n) => n.ratios["ort-node"] && kindOf(n.network) === "images")
    .filter((n) => n.macs < NATIVE.below || NETWORKS[n.network].pruned)
    .map((n) => [n.network, n.ratios["ort-node"].best]);
  if (small.length === 0) return [];
  const { value, ...others } = least(small);
  return [target("small and pruned networks over native onnxruntime-node", value, NATIVE.required, others)];
}

/** `quiet` here is of the shortest starts. */
function coldStarts(cold) {
  const ratios = Object.entries(cold)
    .filter(([, engines]) => engines.ours && engines["tfjs-wasm"])
    .map(([network, { ours, "tfjs-wasm": tfjs }]) => {
      const over = (key) => (ours[key] === undefined ? null : tfjs[key] / ours[key]);
      return [network, { ratio: over("answerMs"), quiet: over("leastMs"), processor: over("processorMs") }];
    });
  if (ratios.length === 0) return [];
  const { value, ...others } = least(ratios);
  return [target("load and first run over tfjs-wasm", value, COLD.required, { aim: COLD.aim, ...others })];
}

function sizes({ name, bytes }) {
  const limits = [
    [SIZES[name], bytes.code, "code"],
    [BROTLI[name], bytes.brotli.code, "code as brotli"],
  ];
  return limits.flatMap(([limit, code, what]) =>
    limit === undefined
      ? []
      : Object.entries(code).map(([variant, value]) =>
          target(`bytes of ${what}, ${variant}`, value, limit, { atMost: true, where: name }),
        ),
  );
}

/** Every target that the report has figures for. */
export function compareWithTargets({ places, cold, networks, emission }) {
  const inPlace = (place, list) => list.map((t) => ({ place, ...t }));
  const glue = networks.map((n) => n.bytes.glue);
  return [
    ...(places.chromium ? inPlace("chromium", inChromium(places.chromium)) : []),
    ...(places.node24 ? inPlace("node24", onNode24(places.node24)) : []),
    ...Object.entries(cold).flatMap(([place, table]) => inPlace(place, coldStarts(table))),
    ...networks.flatMap(sizes),
    target("bytes of glue", Math.max(...glue), GLUE, { atMost: true }),
    ...(emission
      ? [
          target("ms to emit both variants", emission.ms, EMIT_MS, {
            atMost: true,
            where: emission.network,
            processor: emission.cpuMs,
          }),
        ]
      : []),
  ];
}

/** What no change may fall below: tfjs-wasm's time over ours, best variant on Node 24 and strict SIMD before it. */
const FLOOR = { best: 1.8, simd: 1.5, networks: ["resnet8", "dscnn", "vww"] };

/** One verdict per real network and version of Node. */
export function floorVerdicts(places) {
  return Object.values(places)
    .filter((place) => place.node)
    .flatMap(({ node, networks }) => {
      const key = Number(node.split(".")[0]) >= 24 ? "best" : "simd";
      return networks
        .filter((n) => FLOOR.networks.includes(n.network) && n.ratios["tfjs-wasm"]?.[key])
        .map((n) => {
          const { ratio } = n.ratios["tfjs-wasm"][key];
          const rule = key === "best" ? "best variant" : "simd";
          return { node, network: n.network, rule, ratio, required: FLOOR[key], ok: ratio >= FLOOR[key] };
        });
    });
}
