import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  measureServed,
  writeDeviceResults,
  type DeviceResult,
  type ServeEvent,
  type ServeOptions,
} from "../../src/measure/index.js";
import type { TimedJob } from "../../src/measure/device/timing.mjs";
import { writeTinyPackage } from "../support/tiny-package.js";

let root: string;
let dir: string;
/** Weights that no socket buffer holds: a client that does not read them keeps the server writing. */
const LARGE = 64 << 20;

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), "idap-serve-"));
  dir = path.join(root, "tiny");
  await writeTinyPackage(dir, 10);
  await writeTinyPackage(path.join(root, "large"), 10);
  writeFileSync(path.join(root, "large", "weights.bin"), Buffer.alloc(LARGE, 1));
  writeFileSync(path.join(root, "secret.txt"), "nothing for others");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request whose path goes out as it stands. */
function ask(base: string, route: string, init: { method?: string; body?: string; type?: string } = {}) {
  const { hostname, port } = new URL(base);
  return new Promise<Answer>((resolve, reject) => {
    const { method = "GET", body, type = "application/json" } = init;
    const headers = body === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(body) };
    const request = httpRequest({ hostname, port, path: route, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks).toString("latin1"),
        }),
      );
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

const FACTS = {
  agent: "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/150.0.0.0 Mobile Safari/537.36",
  brand: "Google Chrome",
  version: "150",
  platform: "Android",
  model: "Pixel 8",
  arch: "arm",
  cores: 8,
  memoryGiB: 8,
  secure: false,
};

/** What a device would post that took `ms` for a run. */
const timed = (ms: number): TimedJob => ({
  clockStepMs: 0.1,
  groups: [
    [
      {
        variant: "simd",
        load: { compileMs: 3, instantiateMs: 0.2, weightsMs: 0.1, selftestMs: 0 },
        download: { ms: 20, bytes: 1000 },
        firstRunMs: 2 * ms,
        memoryBytes: 65536,
        outputs: null,
        batch: 4,
        count: 3,
        minMs: ms,
        samples: [ms, ms, ms],
        first: null,
        last: null,
        timeline: [],
        processBytes: null,
      },
    ],
  ],
});

/** A running server, spoken to as a device would. */
async function serve(options: ServeOptions = {}, groups: string[][] = [[dir]]) {
  const events: ServeEvent[] = [];
  let listening!: (url: string) => void;
  const opened = new Promise<string>((resolve) => (listening = resolve));
  const results = measureServed(groups, {
    timeoutMs: 30_000,
    ...options,
    onListening: (urls) => listening(urls[0]!),
    onEvent: (event) => events.push(event),
  });
  results.catch(() => {}); // looked at by the test
  const url = await opened;
  const base = new URL(url).pathname;
  const post = (route: string, body: unknown): Promise<Answer> =>
    ask(url, base + route, { method: "POST", body: JSON.stringify(body) });
  const join = async (facts: object = FACTS): Promise<string> => {
    const answer = await post("join", { facts });
    expect(answer.status).toBe(201);
    return (JSON.parse(answer.body) as { id: string }).id;
  };
  /** The server lives and takes figures: how every test of misuse ends. */
  const finish = async (ms = 1): Promise<DeviceResult[]> => {
    const id = await join();
    expect((await post(`${id}/result`, { timed: timed(ms), hidden: false })).status).toBe(200);
    return results;
  };
  return { url, base, events, results, post, join, finish };
}

const open = async (url: string): Promise<Socket> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {}); // a reset is one way of being closed
  await once(socket, "connect");
  return socket;
};

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => (socket.destroyed ? resolve() : socket.on("close", () => resolve())));

describe("what the server gives", () => {
  test("the page and the package's files under a strict policy, and nothing to others", async () => {
    const { url, base, finish } = await serve();
    expect(new URL(url).hostname).toBe("127.0.0.1");
    // 24 random bytes in base64: 192 bits.
    expect(base).toMatch(/^\/[\w-]{32}\/$/);
    const page = await ask(url, base);
    expect(page.status).toBe(200);
    expect(page.headers["content-security-policy"]).toMatch(/default-src 'none'.*script-src 'self' 'wasm-unsafe-eval'/);
    expect(page.headers["content-security-policy"]).not.toMatch(/unsafe-inline|'unsafe-eval'|\*/);
    expect(page.headers).toMatchObject({
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    });
    expect(page.body).not.toMatch(/<script(?![^>]* src=)|\son\w+=|style=/);
    for (const name of ["model.simd.wasm", "weights.bin"]) {
      const file = await ask(url, `${base}p/0/0/${name}`);
      expect(file.body).toBe(readFileSync(path.join(dir, name), "latin1"));
    }
    const job = JSON.parse((await ask(url, `${base}job`)).body) as { groups: { name: string }[][] };
    expect(job.groups[0]![0]!.name).toBe("tiny");
    expect(JSON.stringify(job)).not.toContain(root);
    await finish();
  });

  test("a wrong token is an unknown address like any other", async () => {
    const { url, base, finish } = await serve();
    const token = base.slice(1, -1);
    const flipped = (token.startsWith("A") ? "B" : "A") + token.slice(1);
    const unknown = await ask(url, `${base}nothing`);
    for (const wrong of ["", "/", `/${flipped}/`, `/${token.slice(1)}/`, `/${token}x/`, `/${token}`, "/favicon.ico"]) {
      const { status, headers, body } = await ask(url, wrong || "/");
      expect([wrong, status, body]).toEqual([wrong, 404, ""]);
      expect({ ...headers, date: "" }).toEqual({ ...unknown.headers, date: "" });
    }
    const join = JSON.stringify({ facts: FACTS });
    expect((await ask(url, `/${flipped}/join`, { method: "POST", body: join })).status).toBe(404);
    await finish();
  });

  test("no way leads out of the table of files, encoded or not", async () => {
    const { url, base, finish } = await serve();
    const ways = [
      "../secret.txt",
      "p/0/0/../../../secret.txt",
      "p/0/0/../../../../secret.txt",
      "p/0/0/%2e%2e/%2e%2e/secret.txt",
      "p/0/0/..%2f..%2fsecret.txt",
      "p/0/0/..%5c..%5csecret.txt",
      "p/0/0/..\\..\\secret.txt",
      "p/0/0/%252e%252e%252fsecret.txt",
      "p/0/0/model.simd.wasm%00.txt",
      "p/0/0/./model.simd.wasm",
      "p/0/0//model.simd.wasm",
      "p/0/0/passport.json",
      "p/0/0/package.json",
      "p/0/1/model.simd.wasm",
      "p/0/0/model.relaxed.wasm",
      "p/0/0/",
      "p/-1/0/model.simd.wasm",
      "timing.d.mts",
      "device/page.mjs",
      path.join(root, "secret.txt"),
      "__proto__",
      "constructor",
    ];
    for (const way of ways) expect([way, (await ask(url, base + way)).status]).toEqual([way, 404]);
    for (const raw of ["//secret.txt", `${url}../secret.txt`, "/../secret.txt"]) {
      const { status, body } = await ask(url, raw);
      expect([status, body]).toEqual([404, ""]);
    }
    expect((await ask(url, `${base}p/0/0/model.simd.wasm?x=../..`)).status).toBe(200);
    await finish();
  });

  test("a package's file that its passport does not name is refused before anything is served", async () => {
    const other = path.join(root, "unnamed");
    await writeTinyPackage(other, 1);
    const passport = JSON.parse(readFileSync(path.join(other, "passport.json"), "utf8")) as { files: object };
    const rest = Object.fromEntries(Object.entries(passport.files).filter(([name]) => name !== "weights.bin"));
    writeFileSync(path.join(other, "passport.json"), JSON.stringify({ ...passport, files: rest }));
    await expect(measureServed([[other]])).rejects.toMatchObject({
      code: "E_VERIFY",
      message: expect.stringMatching(/weights\.bin/),
    });
  });
});

describe("what the server takes", () => {
  test("two devices at once each get and leave figures of their own", async () => {
    const { post, join, results, events } = await serve({ devices: 2 });
    const [a, b] = await Promise.all([join(), join({ ...FACTS, model: "Pixel 9" })]);
    expect(a).toMatch(/^[0-9a-f]{32}$/);
    expect(a).not.toBe(b);
    const progress = { phase: "time", part: 0.5, at: "p/0/0", group: 0, groups: 1 };
    expect((await post(`${a}/progress`, progress)).status).toBe(204);
    const [own, other] = await Promise.all([
      post(`${b}/result`, { timed: timed(4), hidden: true }),
      post(`${a}/result`, { timed: timed(2), hidden: false }),
    ]);
    const shown = (answer: Answer) => JSON.parse(answer.body) as { groups: { steady: { p50: number } }[][] };
    expect(shown(own).groups[0]![0]!.steady.p50).toBe(4);
    expect(shown(other).groups[0]![0]!.steady.p50).toBe(2);
    expect(own.body + other.body).not.toContain(root);
    const list = [...(await results)].sort((x, y) => x.device - y.device);
    expect(list.map((r) => [r.engine.device, r.groups[0]![0]!.steady.p50, r.inBackground])).toEqual([
      ["Pixel 8", 2, false],
      ["Pixel 9", 4, true],
    ]);
    expect(list[0]!.engine).toMatchObject({
      runtime: "browser",
      version: "Chrome 150.0.0.0",
      os: "Android 14",
      cores: 8,
      clockStepMs: 0.1,
    });
    expect(events.map((e) => e.kind)).toEqual(["joined", "joined", "progress", "finished", "finished"]);

    writeDeviceResults(dir, list, new Date(0));
    const text = readFileSync(path.join(dir, "measurements.json"), "utf8");
    expect(text).not.toContain(root);
    const file = JSON.parse(text) as { devices: { engine: { device: string }; packages: { package: string }[] }[] };
    expect(file.devices.map((d) => [d.engine.device, d.packages[0]!.package])).toEqual([
      ["Pixel 8", "tiny"],
      ["Pixel 9", "tiny"],
    ]);
    expect(existsSync(path.join(dir, "measurements.json.tmp"))).toBe(false);
  });

  test("figures are taken once, from who has joined, and about the packages that were served", async () => {
    const { post, join, results } = await serve({ devices: 2 });
    const id = await join();
    const stranger = "0".repeat(32);
    const good = { timed: timed(1), hidden: false };
    const [group] = good.timed.groups;
    expect((await post(`${stranger}/result`, good)).status).toBe(409);
    const two = { ...good, timed: { ...good.timed, groups: [[group![0]!, group![0]!]] } };
    expect((await post(`${id}/result`, two)).status).toBe(409);
    const relaxed = { ...good, timed: { ...good.timed, groups: [[{ ...group![0]!, variant: "relaxed" }]] } };
    expect((await post(`${id}/result`, relaxed)).status).toBe(409);
    expect((await post(`${id}/result`, good)).status).toBe(200);
    expect((await post(`${id}/result`, good)).status).toBe(409);
    expect((await post(`${id}/failure`, { error: "late" })).status).toBe(409);
    const second = await join();
    expect((await post(`${second}/result`, good)).status).toBe(200);
    expect((await results).length).toBe(2);
  });

  test("malformed posts are refused and change nothing", async () => {
    const { url, base, post, join, finish } = await serve();
    const id = await join();
    const send = (body: string, type?: string) =>
      ask(url, `${base}${id}/result`, { method: "POST", body, ...(type !== undefined && { type }) });
    expect((await send("{")).status).toBe(400);
    expect((await send("")).status).toBe(400);
    expect((await send("null")).status).toBe(400);
    expect((await send("[]")).status).toBe(400);
    expect((await send(JSON.stringify({ timed: timed(1), hidden: false }), "text/plain")).status).toBe(415);
    const [p] = timed(1).groups[0]!;
    const odd = [
      { ...p, samples: [] },
      { ...p, samples: [-1] },
      { ...p, samples: ["1"] },
      { ...p, samples: [null] },
      { ...p, samples: Array(5000).fill(1) },
      { ...p, batch: 0 },
      { ...p, memoryBytes: 1.5 },
      { ...p, variant: "fast" },
      { ...p, outputs: ["zz"] },
      { ...p, extra: 1 },
    ];
    for (const item of odd) {
      const answer = await post(`${id}/result`, { timed: { clockStepMs: 1, groups: [[item]] }, hidden: false });
      expect([item, answer.status, answer.body]).toEqual([item, 400, ""]);
    }
    const depth = 50_000;
    expect((await send("[".repeat(depth) + "]".repeat(depth))).status).toBe(400);
    expect((await send(`{"__proto__": {"timed": 1}, "hidden": false}`)).status).toBe(400);
    expect((await post("join", { facts: { ...FACTS, cores: -1 } })).status).toBe(400);
    expect((await post("join", { facts: { ...FACTS, agent: "x".repeat(513) } })).status).toBe(400);
    expect((await post(`${id}/progress`, { phase: "nap", part: 0, at: "", group: 0, groups: 1 })).status).toBe(400);
    expect((await ask(url, base, { method: "PUT", body: "{}" })).status).toBe(405);
    expect((await ask(url, base, { method: "DELETE" })).status).toBe(405);
    expect((await post(`${id}/result/more`, {})).status).toBe(404);
    const garbage = await open(url);
    garbage.write("\u0000\u0001 not HTTP\r\n\r\n");
    await closed(garbage.resume());
    // The first device never sent anything good: it is still at work and must be heard of before the end.
    expect((await post(`${id}/failure`, { error: "gave up" })).status).toBe(204);
    expect((await finish())[0]!.device).toBe(2);
  });

  test("oversized posts are cut off, whether they say how long they are or not", async () => {
    const { url, base, join, finish, post } = await serve();
    const id = await join();
    const limit = 64 * 1024 + 256 * 1024;
    const declared = await ask(url, `${base}${id}/result`, { method: "POST", body: `"${"x".repeat(limit)}"` }).catch(
      (e: NodeJS.ErrnoException) => e.code,
    );
    // The connection may be reset before all that was sent has been read; either way it ends.
    expect(declared === "ECONNRESET" || declared === "EPIPE" || (declared as Answer).status === 413).toBe(true);
    const endless = await open(url);
    let answer = "";
    endless.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
    endless.write(
      `POST ${base}join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const chunk = `1000\r\n${"x".repeat(0x1000)}\r\n`;
    let sent = 0;
    while (!endless.destroyed && sent < 64 << 20) {
      if (!endless.write(chunk)) await Promise.race([once(endless, "drain"), closed(endless)]).catch(() => {});
      sent += 0x1000;
      await new Promise(setImmediate);
    }
    expect(endless.destroyed).toBe(true);
    expect(sent).toBeLessThan(64 << 20);
    if (answer !== "") expect(answer).toMatch(/^HTTP\/1.1 413/);
    expect((await post(`${id}/failure`, { error: "too much to say" })).status).toBe(204);
    await finish();
  });

  test("what a device calls itself cannot steer a terminal", async () => {
    const { join, post, events, finish } = await serve();
    const id = await join({ ...FACTS, agent: "\u001b[2J\u009b31mX\r\n", model: "\u001b]0;title\u0007phone" });
    await post(`${id}/failure`, { error: "\u001b[1mboom" });
    await finish();
    expect(JSON.stringify(events)).not.toMatch(/\\u00[019]|\u009b/);
    expect(events.find((e) => e.kind === "failed")).toMatchObject({ message: "[1mboom" });
  });
});

describe("clients that misbehave", () => {
  test("stalled ones are closed, and the server goes on", async () => {
    const { url, base, finish } = await serve({ stalledMs: 700 }, [[path.join(root, "large")]]);
    const silent = await open(url);
    const halfHead = await open(url);
    halfHead.write(`GET ${base} HTTP/1.1\r\nHost: x\r\nX-Slow: `);
    const halfBody = await open(url);
    halfBody.write(
      `POST ${base}join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"facts":`,
    );
    // Asks for 64 MiB and never reads them.
    const deaf = await open(url);
    deaf.pause();
    deaf.write(`GET ${base}p/0/0/weights.bin HTTP/1.1\r\nHost: x\r\n\r\n`);
    // And one that sends a byte now and then, which keeps its socket from being idle.
    const slow = await open(url);
    slow.write(
      `POST ${base}join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n`,
    );
    const drip = setInterval(() => slow.write("x"), 100);
    await Promise.all([silent, halfHead, halfBody, slow].map((s) => closed(s.resume())));
    clearInterval(drip);
    expect((await ask(url, base)).status).toBe(200);
    await finish();
    // The end closes what is left: a client that does not read does not see it before it reads.
    await closed(deaf.resume());
    expect(deaf.bytesRead).toBeLessThan(LARGE);
  });

  test("one that vanishes mid-run is lost, another takes its place, and it may come back", async () => {
    const { url, base, post, join, results, events } = await serve({ lostMs: 400, devices: 2 });
    const gone = await join();
    await post(`${gone}/progress`, { phase: "time", part: 0.1, at: "p/0/0", group: 0, groups: 1 });
    // In the middle of sending its figures, the connection breaks.
    const socket = await open(url);
    socket.write(
      `POST ${base}${gone}/result HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{"timed":`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.resetAndDestroy();
    const lost = async (): Promise<void> => {
      while (!events.some((e) => e.kind === "lost")) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await lost();
    expect(events.find((e) => e.kind === "lost")).toEqual({ kind: "lost", device: 1 });
    const second = await join();
    expect((await post(`${second}/result`, { timed: timed(2), hidden: false })).status).toBe(200);
    expect((await post(`${gone}/result`, { timed: timed(3), hidden: false })).status).toBe(200);
    expect((await results).map((r) => r.device)).toEqual([2, 1]);
  });

  test("one that vanishes for good does not hold up the end", async () => {
    const { join, finish } = await serve({ lostMs: 300 });
    await join();
    expect((await finish()).map((r) => r.device)).toEqual([2]);
  });
});

describe("the end", () => {
  test("after the results nothing is left: the port is closed and no handle stays", async () => {
    const before = process.getActiveResourcesInfo().filter((r) => /TCP|Timeout/.test(r)).length;
    const { url, finish, base, join, post } = await serve();
    const id = await join();
    await post(`${id}/failure`, { error: "no" });
    const idle = await open(url);
    await finish();
    await expect(ask(url, base)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await closed(idle.resume());
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(process.getActiveResourcesInfo().filter((r) => /TCP|Timeout/.test(r)).length).toBeLessThanOrEqual(before);
  });

  test("without a device the time is up, and it says so", async () => {
    await expect(measureServed([[dir]], { timeoutMs: 100 })).rejects.toMatchObject({
      code: "E_MEASURE",
      message: expect.stringMatching(/no device sent figures within 0.1 seconds: no device opened the page/),
    });
    const { join, results } = await serve({ timeoutMs: 500 });
    await join();
    await expect(results).rejects.toMatchObject({
      message: expect.stringMatching(
        /device 1 \(Chrome 150\.0\.0\.0, Pixel 8, Android 14, arm, 8 cores.*\) was still at work/,
      ),
    });
  });

  test("results that arrived before the time was up are kept", async () => {
    const { join, post, results } = await serve({ timeoutMs: 1000, devices: 2 });
    const id = await join();
    await post(`${id}/result`, { timed: timed(1), hidden: false });
    expect((await results).length).toBe(1);
  });

  test("the caller can end it", async () => {
    const ended = new AbortController();
    const { results } = await serve({ signal: ended.signal });
    ended.abort();
    await expect(results).rejects.toMatchObject({
      code: "E_MEASURE",
      message: expect.stringMatching(/^no device sent figures: /),
    });
  });

  test("an address or a port that cannot be had is one clear sentence", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    await expect(measureServed([[dir]], { port })).rejects.toMatchObject({
      code: "E_MEASURE",
      message: expect.stringMatching(`cannot listen on 127.0.0.1, port ${port}`),
    });
    taken.close();
    // From the range for documentation (RFC 5737): nobody's.
    await expect(measureServed([[dir]], { host: "192.0.2.1" })).rejects.toMatchObject({ code: "E_MEASURE" });
  });
});
