// What is written as TFLite, in @litertjs/core on its wasm accelerator, in a page of headless Chromium.
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const modules = fileURLToPath(new URL("./node_modules/", import.meta.url));
const CANDIDATES = [
  process.env.IDAP_CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];
const FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"];
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };

const PAGE = `<!doctype html><script type="importmap">
{"imports":{"@litertjs/core":"/modules/@litertjs/core/dist/index.js","@litertjs/wasm-utils":"/modules/@litertjs/wasm-utils/dist/index.js"}}
</script><script type="module">
import { loadLiteRt, loadAndCompile, Tensor } from "@litertjs/core";
const ARRAYS = { f32: Float32Array, i32: Int32Array, i8: Int8Array, u8: Uint8Array, bool: Uint8Array, i64: BigInt64Array };
const ready = loadLiteRt("/modules/@litertjs/core/wasm/", { threads: false });
const decode = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const encode = (bytes) => {
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
};
window.runModel = async (url, inputs) => {
  await ready;
  const model = await loadAndCompile(url, { accelerator: "wasm" });
  const details = model.getInputDetails();
  const tensors = details.map(({ name, shape }, i) => {
    const { data, dtype } = inputs.find((p) => p.name === name) ?? inputs[i];
    return new Tensor(new ARRAYS[dtype](decode(data).buffer), [...shape]);
  });
  const results = await model.run(tensors);
  const names = model.getOutputDetails();
  const outputs = await Promise.all(results.map(async (value, i) => {
    const data = await value.data();
    return {
      name: names[i].name,
      shape: [...names[i].shape],
      dtype: data.constructor.name,
      data: encode(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    };
  }));
  for (const value of [...tensors, ...results]) value.delete();
  model.delete();
  return outputs;
};
</script>`;

function serve(folder) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/") {
      response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
      return;
    }
    const file = pathname.startsWith("/modules/") ? path.join(modules, pathname.slice(9)) : path.join(folder, pathname);
    if (!existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": TYPES[path.extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve({ server, url: `http://127.0.0.1:${server.address().port}/` }));
  });
}

/** Opens the page once; `run(name, inputs)` runs a file of the folder. */
export async function openLiteRt(folder) {
  const executablePath = CANDIDATES.find((file) => file && existsSync(file));
  if (!executablePath) throw new Error("there is no Chromium; name one in IDAP_CHROMIUM");
  const { chromium } = await import("playwright-core");
  const { server, url } = await serve(folder);
  let browser = null;
  const open = async () => {
    // A model may take the whole browser down.
    if (!browser?.isConnected()) browser = await chromium.launch({ executablePath, args: FLAGS });
    const page = await browser.newPage();
    const said = [];
    // The runtime says on the console why it refuses a model.
    page.on("console", (message) => /ERROR/.test(message.text()) && said.push(message.text()));
    page.on("pageerror", (error) => said.push(error.message));
    await page.goto(url);
    await page.waitForFunction("window.runModel !== undefined", null, { timeout: 120_000 });
    return { page, said };
  };
  return {
    /** A page of its own for every model: a failure may leave the runtime broken. */
    async run(name, inputs) {
      const { page, said } = await open();
      try {
        const ports = Object.entries(inputs).map(([port, { data, dtype }]) => ({
          name: port,
          dtype,
          data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"),
        }));
        const outputs = await page.evaluate(([file, list]) => window.runModel(file, list), [`/${name}`, ports]);
        return outputs.map(({ data, dtype, ...rest }) => {
          const bytes = new Uint8Array(Buffer.from(data, "base64"));
          return { ...rest, data: new globalThis[dtype](bytes.buffer) };
        });
      } catch (error) {
        throw new Error([error.message.split("\n")[0], ...said].join("; "));
      } finally {
        await page.close().catch(() => {});
      }
    },
    async close() {
      await browser?.close();
      server.close();
    },
  };
}
