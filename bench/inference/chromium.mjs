// Headless Chromium: serves the bench to one page and lets it measure.
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { loadavg } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { addProcessorTime } from "./processor-time.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const TYPES = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".html": "text/html",
};

/** Isolated from other origins, a page has a clock of 5 microseconds in place of 100. */
const HEADERS = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cache-control": "no-store",
};

/** This folder under `/bench/`, on a free port of the loopback interface. */
function serve() {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const file = pathname === "/" ? path.join(here, "page.html") : path.join(here, pathname.replace(/^\/bench\//, ""));
    if (!file.startsWith(here) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { ...HEADERS, "content-type": TYPES[path.extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve({ server, url: `http://127.0.0.1:${server.address().port}/` }));
  });
}

export function findChromium() {
  const named = process.env.IDAP_CHROMIUM;
  return [named, ...CANDIDATES].find((file) => file && existsSync(file)) ?? null;
}

/** A browser on the bench's page; `call(name, job)` calls a function of the page. */
export async function openChromium() {
  const executablePath = findChromium();
  if (executablePath === null) throw new Error("there is no Chromium; install one or name it in IDAP_CHROMIUM");
  const { chromium } = await import("playwright-core");
  const { server, url } = await serve();
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  return {
    browser,
    version: browser.version(),
    /** A page in a context of its own, without any cache of another. */
    async page() {
      const context = await browser.newContext();
      const page = await context.newPage();
      const said = [];
      page.on("pageerror", (error) => said.push(error.message));
      page.on("console", (message) => message.type() === "error" && said.push(message.text()));
      await page.goto(url);
      await page.waitForFunction("window.bench !== undefined", null, { timeout: 120_000 });
      return {
        async call(name, job) {
          try {
            return await page.evaluate(([f, argument]) => window[f](argument), [name, job]);
          } catch (error) {
            throw new Error([error.message.split("\n")[0], ...said].join("; "));
          }
        },
        close: () => context.close(),
      };
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** All networks in one page. */
export async function measureInChromium(job) {
  const browser = await openChromium();
  try {
    const page = await browser.page();
    const results = [];
    const load = [];
    for (const network of job.networks) {
      load.push(loadavg()[0]);
      results.push(await addProcessorTime(await page.call("bench", { ...job, network }), page, browser.browser));
    }
    return { chromium: browser.version, load, results };
  } finally {
    await browser.close();
  }
}

/** Cold starts, each in a fresh context: `rounds` times every engine on every network, in turn. */
export async function coldInChromium({ networks, rounds }, engines) {
  const browser = await openChromium();
  const results = [];
  try {
    for (let round = 0; round < rounds; round++) {
      for (const network of networks) {
        for (const engine of engines) {
          const page = await browser.page();
          const result = await page.call("cold", { network, engine });
          await page.close();
          if (result) results.push({ engine, network: network.name, ...result });
        }
      }
    }
    return results;
  } finally {
    await browser.close();
  }
}
