// Processor time of engines in a page: pages cannot know it, Linux does.
import { existsSync, readFileSync } from "node:fs";
import { median } from "./statistics.mjs";

/** Runs that fill this many ms make a sample: what a call into the page costs beside them is small, and is taken off. */
const SAMPLE_MS = 30;
const ROUNDS = 9;

/** Milliseconds that the main thread of a process has had; the kernel counts nanoseconds. */
const mainThreadMs = (pid) => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;

/** The process that runs the page: of all renderers the one that has worked most. Null where the system does not tell. */
async function rendererOf(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const renderers = processInfo.filter(({ type, id }) => type === "renderer" && existsSync(`/proc/${id}/schedstat`));
  if (renderers.length === 0) return null;
  return renderers.reduce((a, b) => (b.cpuTime > a.cpuTime ? b : a)).id;
}

/** Adds `processor`, median ms of the main thread, to the figures of a network that the page has just measured. */
export async function addProcessorTime(result, page, browser) {
  const pid = await rendererOf(browser);
  if (pid === null) return result;
  const spent = async (engine, count) => {
    const before = mainThreadMs(pid);
    await page.call("runMore", { engine, count });
    return mainThreadMs(pid) - before;
  };
  const engines = Object.entries(result.engines).map(([name, figures]) => {
    return { name, figures, count: Math.max(1, Math.ceil(SAMPLE_MS / figures.p10)), samples: [] };
  });
  const empty = [];
  for (let round = 0; round < ROUNDS; round++) {
    empty.push(await spent(engines[0].name, 0));
    for (const { name, count, samples } of engines) samples.push((await spent(name, count)) / count);
  }
  const timed = engines.map(({ name, figures, count, samples }) => {
    const processor = Math.max(0, median(samples) - median(empty) / count);
    return [name, { ...figures, processor }];
  });
  return { ...result, engines: Object.fromEntries(timed) };
}
