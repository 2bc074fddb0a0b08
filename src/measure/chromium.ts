/** Chromium on this machine, opened on the served page as a phone would be. */
import { existsSync } from "node:fs";
import { IdapError } from "../model/errors.js";
import type { Engine } from "./engine.js";
import type { Group, TimingChoice } from "./job.js";
import { thisMachine } from "./machine.js";
import type { Measurement } from "./result.js";
import { measureServed } from "./serve.js";
import type { ServeEvent } from "./serve-types.js";
import { findProgram, namedProgram } from "./shell.js";
import type { TimingProgress } from "./device/timing.mjs";

export interface ChromiumChoice extends TimingChoice {
  /** The browser's executable; default: IDAP_CHROMIUM, then PATH and the usual places. */
  readonly executable?: string;
  /** Show the window. */
  readonly headed?: boolean;
  /**
   * Slow the processor down by this factor: a simulated device. Packages then run on the page's own thread, the only one
   * that the browser can slow.
   */
  readonly throttle?: number;
  readonly timeoutMs?: number;
  readonly onProgress?: (progress: TimingProgress) => void;
}

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"];
const PLACES = [
  "/usr/lib/chromium/chromium",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
];

/** The executable of a Chromium; throws where there is none. */
export function chromiumExecutable(named?: string): string {
  const given = named ?? process.env.IDAP_CHROMIUM ?? "";
  if (given !== "") return namedProgram(given, "browser");
  const found = findProgram(NAMES, PLACES) ?? PLACES.find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new IdapError(
    "E_MEASURE",
    "no Chromium was found on this machine",
    "Install Chromium or Chrome, or name its executable with --engine (or IDAP_CHROMIUM).",
  );
}

/** Nothing but the page is fetched, and no window that is behind another one is slowed. */
const FLAGS = [
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--disable-background-timer-throttling",
  "--disable-renderer-backgrounding",
  "--disable-backgrounding-occluded-windows",
];

/** Chromium refuses its sandbox to root, as in most containers; the only page that is opened is ours. */
const sandboxFlags = (): string[] => (process.getuid?.() === 0 ? ["--no-sandbox"] : []);

async function playwright(): Promise<typeof import("playwright-core")> {
  try {
    return await import("playwright-core");
  } catch {
    throw new IdapError(
      "E_MEASURE",
      "Chromium is driven by the package playwright-core, which is not installed",
      "Run `npm install playwright-core` beside idap, or open the address of --serve in the browser yourself.",
    );
  }
}

export async function measureInChromium(
  groups: readonly Group[],
  options: ChromiumChoice = {},
): Promise<Measurement[][]> {
  const executablePath = chromiumExecutable(options.executable);
  const { chromium } = await playwright();
  const { throttle, headed = false } = options;
  const browser = await chromium
    .launch({ executablePath, headless: !headed, args: [...FLAGS, ...sandboxFlags()] })
    .catch((e: Error) => {
      throw new IdapError(
        "E_MEASURE",
        `${executablePath} cannot be driven: ${e.message.split("\n")[0]}`,
        "Is it a Chromium of the last years?",
      );
    });
  const ended = new AbortController();
  let failure: string | null = null;
  const stop = (message: string): void => {
    failure ??= message;
    ended.abort();
  };
  const onEvent = (event: ServeEvent): void => {
    if (event.kind === "progress") options.onProgress?.(event.progress);
    if (event.kind === "failed") stop(event.message);
    if (event.kind === "lost") stop("the page went silent");
  };
  try {
    const page = await browser.newPage();
    page.on("pageerror", (e) => stop(e.message));
    page.on("crash", () => stop("the page crashed"));
    browser.on("disconnected", () => stop("the browser was closed"));
    if (throttle !== undefined) {
      const session = await page.context().newCDPSession(page);
      await session.send("Emulation.setCPUThrottlingRate", { rate: throttle });
    }
    const results = await measureServed(groups, {
      ...options,
      ...(throttle !== undefined && { thread: "page" as const }),
      signal: ended.signal,
      onEvent,
      onListening: ([url]) => {
        page.goto(`${url!}#start`).catch((e: Error) => stop(e.message));
      },
    }).catch((e: unknown) => {
      if (failure === null) throw e;
      throw new IdapError("E_MEASURE", `Chromium cannot time the packages: ${failure}`, "Run `idap verify` on them.");
    });
    const { engine, groups: measured } = results[0]!;
    return inEngine(measured, { ...engine, ...thisMachine(), runtime: "chromium", version: browser.version() });
  } finally {
    await browser.close();
  }
}

/** The browser was started here: its version is known for certain. */
function inEngine(measured: readonly (readonly Measurement[])[], engine: Engine): Measurement[][] {
  return measured.map((group) => group.map((m) => ({ ...m, engine })));
}
