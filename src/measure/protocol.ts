/** What a device may send to the server, and how much of it. */
import { z } from "zod";
import type { Engine } from "./engine.js";
import { timedJob } from "./result.js";

/** Bytes of a registration or a report of progress. */
export const SMALL_BODY = 8 * 1024;
/** Bytes of a result: the samples of one package are below 100 KB, its compared outputs below 150. */
export const resultBody = (packages: number): number => 64 * 1024 + packages * 256 * 1024;

/** Text that ends up in a terminal: printable characters alone, so that no device can send escape sequences. */
const plain = (most: number) =>
  z
    .string()
    .max(most)
    .transform((s) => s.replace(/[^\x20-\x7e\u00a0-\u024f]/g, ""));

const count = z.int().nonnegative().max(1e6);

/** What a browser tells about itself. */
const browserFacts = z.strictObject({
  agent: plain(512),
  /** From client hints, which only secure pages of Chromium have; empty elsewhere. */
  brand: plain(64),
  version: plain(64),
  platform: plain(64),
  model: plain(128),
  arch: plain(64),
  cores: count,
  memoryGiB: z.number().nonnegative().max(1e6).nullable(),
  secure: z.boolean(),
});
export type BrowserFacts = z.infer<typeof browserFacts>;

export const joinMessage = z.strictObject({ facts: browserFacts });

export const progressMessage = z.strictObject({
  phase: z.enum(["load", "warm", "time"]),
  part: z.number().min(0).max(1),
  at: plain(64),
  group: count,
  groups: count,
});

export const resultMessage = z.strictObject({
  timed: timedJob,
  /** The page was not in front all the time: engines slow down what nobody looks at. */
  hidden: z.boolean(),
});

export const failureMessage = z.strictObject({ error: plain(1000) });

/** Browsers by what they alone write into their user agent, the more particular ones first. */
const AGENTS: readonly (readonly [RegExp, string])[] = [
  [/Edg(?:A|iOS)?\/([\d.]+)/, "Edge"],
  [/OPR\/([\d.]+)/, "Opera"],
  [/SamsungBrowser\/([\d.]+)/, "Samsung Internet"],
  [/(?:Firefox|FxiOS)\/([\d.]+)/, "Firefox"],
  [/HeadlessChrome\/([\d.]+)/, "headless Chromium"],
  [/CriOS\/([\d.]+)/, "Chrome for iOS (WebKit)"],
  [/Chrome\/([\d.]+)/, "Chrome"],
  [/Version\/([\d.]+).*Safari/, "Safari"],
];

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/iPhone OS ([\d_]+)/, "iOS"],
  [/iPad.*OS ([\d_]+)/, "iPadOS"],
  [/Android ([\d.]+)/, "Android"],
  [/Windows NT ([\d.]+)/, "Windows"],
  [/Mac OS X ([\d_.]+)/, "macOS"],
  [/CrOS/, "ChromeOS"],
  [/Linux/, "Linux"],
];

function named(agent: string, list: readonly (readonly [RegExp, string])[]): string | null {
  for (const [pattern, name] of list) {
    const match = pattern.exec(agent);
    if (match) return match[1] === undefined ? name : `${name} ${match[1].replaceAll("_", ".")}`;
  }
  return null;
}

/** The engine of a device, from what its browser told. */
export function browserEngine(facts: BrowserFacts, clockStepMs: number): Engine {
  const { agent, brand, version, platform, model, arch, cores, memoryGiB } = facts;
  const android = /Android [\d.]+; ([^;)]+)/.exec(agent)?.[1]?.trim();
  const device = model !== "" ? model : android !== undefined && android !== "K" ? android : undefined;
  return {
    runtime: "browser",
    version: named(agent, AGENTS) ?? (brand === "" ? "a browser that does not say which" : `${brand} ${version}`),
    cpu: "unknown",
    cores,
    arch: arch === "" ? "unknown" : arch,
    os: named(agent, SYSTEMS) ?? (platform === "" ? "unknown" : platform),
    agent,
    ...(device !== undefined && { device }),
    ...(memoryGiB !== null && { memoryGiB }),
    clockStepMs,
  };
}
