/** One request to the server: who asks, for what, and what may be sent. */
import { createHash, timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { z } from "zod";
import { describeEngine } from "./engine.js";
import { failureMessage, joinMessage, progressMessage, resultBody, resultMessage, SMALL_BODY } from "./protocol.js";
import type { ServedFile } from "./served-files.js";
import type { DeviceResult } from "./serve-types.js";
import type { Sessions } from "./sessions.js";
import type { Job } from "./device/timing.mjs";

export interface Site {
  readonly token: string;
  readonly files: ReadonlyMap<string, ServedFile>;
  readonly job: Job & { readonly thread: "worker" | "page" };
  readonly packages: number;
  readonly sessions: Sessions;
}

/**
 * The page runs its own files and WebAssembly, and talks to this server alone. The address holds the token, so it is
 * sent to nobody. Isolated from other origins, a page that is secure has the finest clock that its browser gives.
 */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

/** In constant time, whatever the lengths: digests are compared. */
function sameSecret(given: string, expected: string): boolean {
  const digest = (s: string): Buffer => createHash("sha256").update(s).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

export async function handleRequest(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // As it was sent: nothing is decoded or normalised, so `..` and `%2e` are names that no table has.
  const [, given = "", ...rest] = (request.url ?? "").split("?", 1)[0]!.split("/");
  if (!sameSecret(given, site.token) || rest.length === 0) return send(response, 404);
  const route = rest.join("/");
  if (request.method === "GET") return get(site, route, response);
  if (request.method === "POST") return post(site, route, request, response);
  return send(response, 405);
}

async function get(site: Site, route: string, response: ServerResponse): Promise<void> {
  if (route === "job") return send(response, 200, site.job);
  const file = site.files.get(route);
  if (!file) return send(response, 404);
  const length = "content" in file ? file.content.length : file.bytes;
  response.writeHead(200, { ...HEADERS, "content-type": file.type, "content-length": length });
  if ("content" in file) response.end(file.content);
  else await pipeline(createReadStream(file.file), response);
}

/** `join`, and of one that has: `<secret>/progress`, `<secret>/result`, `<secret>/failure`. */
async function post(site: Site, route: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { sessions } = site;
  if (route === "join") {
    const message = await read(joinMessage, SMALL_BODY, request, response);
    if (message === null) return;
    const id = sessions.join(message.facts);
    return id === null ? send(response, 409) : send(response, 201, { id });
  }
  const [id = "", what = "", ...more] = route.split("/");
  if (more.length > 0) return send(response, 404);
  switch (what) {
    case "progress": {
      const message = await read(progressMessage, SMALL_BODY, request, response);
      if (message === null) return;
      return send(response, sessions.progress(id, message) ? 204 : 409);
    }
    case "failure": {
      const message = await read(failureMessage, SMALL_BODY, request, response);
      if (message === null) return;
      return send(response, sessions.fail(id, message.error) ? 204 : 409);
    }
    case "result": {
      const message = await read(resultMessage, resultBody(site.packages), request, response);
      if (message === null) return;
      const result = sessions.finish(id, message.timed, message.hidden);
      return result === null ? send(response, 409) : send(response, 200, forDevice(result));
    }
    default:
      return send(response, 404);
  }
}

/** What the person with the device sees: no path of this machine. */
function forDevice(result: DeviceResult): unknown {
  return {
    engine: describeEngine(result.engine),
    clockStepMs: result.engine.clockStepMs,
    groups: result.groups.map((group) => group.map(({ dir: _dir, engine: _engine, ...rest }) => rest)),
  };
}

/** The body of a request by a schema; null where the answer has been given already. */
async function read<T extends z.ZodType>(
  schema: T,
  limit: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<z.infer<T> | null> {
  // A page of another origin cannot send this type without asking first, and is not allowed when it asks.
  if (request.headers["content-type"] !== "application/json") return refuse(response, 415);
  if (Number(request.headers["content-length"] ?? 0) > limit) return refuse(response, 413);
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Left early, the stream would take the connection with it, and the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limit) return refuse(response, 413);
    chunks.push(chunk);
  }
  let raw: unknown;
  try {
    raw = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return refuse(response, 400);
  }
  const parsed = schema.safeParse(raw);
  return parsed.success ? parsed.data : refuse(response, 400);
}

/** The rest of the request is not read: the connection ends with the answer. */
function refuse(response: ServerResponse, status: number): null {
  response.setHeader("connection", "close");
  send(response, status);
  return null;
}

function send(response: ServerResponse, status: number, body?: unknown): void {
  if (body === undefined) {
    response.writeHead(status, { ...HEADERS, "content-length": 0 }).end();
    return;
  }
  const text = JSON.stringify(body);
  const length = Buffer.byteLength(text);
  response.writeHead(status, { ...HEADERS, "content-type": "application/json", "content-length": length }).end(text);
}
