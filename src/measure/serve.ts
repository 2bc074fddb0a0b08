/**
 * Packages for any device on the network: a server that lives as long as one measurement. Every address begins with a
 * random token; without it every answer is the same "404". Nothing is looked up on disk by what a request says: what may
 * be fetched is a table made before the server listens.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import { IdapError } from "../model/errors.js";
import { jobOf, localGroups, timingOptions, type Group } from "./job.js";
import { handleRequest, type Site } from "./requests.js";
import type { DeviceResult, ServeOptions } from "./serve-types.js";
import { Sessions } from "./sessions.js";
import { servedFiles } from "./served-files.js";

/** Open connections; a browser takes up to six. */
const MOST_CONNECTIONS = 128;
/** How long answers that are under way may take after the end. */
const GRACE_MS = 1000;

/**
 * Serves groups of packages until enough devices have sent their figures, or the time is up. Rejects where no device sent
 * any; results that arrived before the time was up are returned.
 */
export async function measureServed(groups: readonly Group[], options: ServeOptions = {}): Promise<DeviceResult[]> {
  const timing = timingOptions(options);
  const { devices = 1, timeoutMs = 600_000 + timing.minMs, lostMs = 30_000, stalledMs = 60_000 } = options;
  const local = localGroups(groups, options);
  const at = (g: number, i: number): string => `p/${g}/${i}`;
  const job = jobOf(local, timing, (_pkg, g, i) => at(g, i));
  const limits = { devices, lostMs, ...(options.throttle !== undefined && { throttle: options.throttle }) };
  const sessions = new Sessions(local, limits, (event) => options.onEvent?.(event));
  const token = randomBytes(24).toString("base64url");
  const site: Site = {
    token,
    files: servedFiles(local, at),
    job: { ...job, thread: options.thread ?? "worker" },
    packages: local.reduce((n, group) => n + group.length, 0),
    sessions,
  };
  const server = createServer(
    { requestTimeout: stalledMs, headersTimeout: Math.min(stalledMs, 10_000), connectionsCheckingInterval: 500 },
    (request, response) => answer(site, request, response, () => ended.check()),
  );
  server.maxConnections = MOST_CONNECTIONS;
  // Idle sockets, which are also those of a client that does not read what it asked for.
  server.timeout = stalledMs;
  server.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });

  const ended = waitForEnd(sessions, timeoutMs, options.signal);
  try {
    await listen(server, options.host ?? "127.0.0.1", options.port ?? 0);
    options.onListening?.(addresses(server).map((address) => `http://${address}/${token}/`));
    await ended.promise;
  } finally {
    ended.stop();
    await close(server);
  }
  if (sessions.results.length === 0) {
    throw new IdapError(
      "E_MEASURE",
      `no device sent figures${options.signal?.aborted === true ? "" : ` within ${minutes(timeoutMs)}`}: ${sessions.summary()}`,
      "The device must reach this machine: give --host the address of this machine in its network, and keep the page in front.",
    );
  }
  return sessions.results;
}

const minutes = (ms: number): string => (ms < 60_000 ? `${ms / 1000} seconds` : `${ms / 60_000} minutes`);

function answer(site: Site, request: IncomingMessage, response: ServerResponse, done: () => void): void {
  response.on("finish", done);
  handleRequest(site, request, response).catch(() => {
    // The client went away while it was being answered, or sent what no answer fits.
    response.destroy();
  });
}

/** Settles when enough results are there, the time is up, or the caller ends it. */
function waitForEnd(sessions: Sessions, timeoutMs: number, signal: AbortSignal | undefined) {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  const check = (): void => {
    sessions.sweep();
    if (sessions.complete) resolve();
  };
  const timer = setTimeout(resolve, timeoutMs);
  const sweeper = setInterval(check, 250);
  if (signal?.aborted === true) resolve();
  signal?.addEventListener("abort", resolve);
  const stop = (): void => {
    clearTimeout(timer);
    clearInterval(sweeper);
    signal?.removeEventListener("abort", resolve);
  };
  return { promise, check, stop };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (e) =>
      reject(
        new IdapError(
          "E_MEASURE",
          `cannot listen on ${host}, port ${port}: ${e.message}`,
          "Name an address of this machine with --host, and a free port with --port.",
        ),
      ),
    );
    server.listen(port, host, resolve);
  });
}

/** `address:port` as other devices would write it; of a server on every address, each that is not this machine alone. */
function addresses(server: Server): string[] {
  const { address, port, family } = server.address() as AddressInfo;
  if (address !== "0.0.0.0" && address !== "::") return [`${family === "IPv6" ? `[${address}]` : address}:${port}`];
  const own = Object.values(os.networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((a) => a.family === "IPv4" && !a.internal)
    .map((a) => `${a.address}:${port}`);
  return own.length > 0 ? own : [`127.0.0.1:${port}`];
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), GRACE_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
