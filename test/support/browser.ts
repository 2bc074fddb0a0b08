import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, test } from "vitest";
import { requireAll } from "./shared-data.js";

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** A Chromium on this machine (`IDAP_CHROMIUM` names another one), or null. */
export function findChromium(): string | null {
  const named = process.env.IDAP_CHROMIUM;
  if (named) return existsSync(named) ? named : null;
  return CANDIDATES.find((file) => existsSync(file)) ?? null;
}

/** Tests in a Chromium; without one they are skipped and say so, or fail where nothing may be skipped. */
export function describeWithChromium(name: string, body: (executablePath: string) => void): void {
  const executablePath = findChromium();
  if (executablePath) {
    describe(name, () => body(executablePath));
  } else if (requireAll) {
    test(name, () => {
      throw new Error("a Chromium is required here but none was found: install Debian's chromium or set IDAP_CHROMIUM");
    });
  } else {
    console.warn(`skipped "${name}": no Chromium found (set IDAP_CHROMIUM to one)`);
    describe.skip(name, () => body(""));
  }
}

/** A Firefox on this machine (`IDAP_FIREFOX` names another one), or null: SpiderMonkey. */
export function findFirefox(): string | null {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const onPath = ["firefox-esr", "firefox"].flatMap((name) => folders.map((dir) => path.join(dir, name)));
  return [process.env.IDAP_FIREFOX ?? "", ...onPath].find((file) => file !== "" && existsSync(file)) ?? null;
}

/** Quiet and offline: nothing but the page under test is fetched. */
export const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const TYPES: Record<string, string> = {
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".html": "text/html",
};

/** Serves a folder on a free loopback port, under the strictest policy that WebAssembly runs with. */
export async function serveFolder(folder: string): Promise<{ url: string; close(): Promise<void> }> {
  const root = path.resolve(folder);
  const server: Server = createServer((request, response) => {
    const file = path.join(root, new URL(request.url ?? "/", "http://localhost").pathname);
    if (!file.startsWith(root + path.sep) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      "content-type": TYPES[path.extname(file)] ?? "application/octet-stream",
      "content-security-policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'",
    });
    response.end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
