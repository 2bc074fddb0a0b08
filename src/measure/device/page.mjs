// The page that a device opens: asks what to time, times it in a worker, shows the figures and sends them back.
import { bars, line, ms } from "./chart.mjs";

const $ = (id) => document.getElementById(id);
/** Packages whose figures are shown; a calibration has hundreds. */
const MOST_SHOWN = 8;

let hidden = false;
document.addEventListener("visibilitychange", () => (hidden ||= document.visibilityState === "hidden"));

function fail(message) {
  $("error").textContent = message;
  $("error").hidden = false;
  $("work").hidden = true;
}

/** The computer cannot be reached, now or for good. */
class Unreachable extends Error {
  constructor() {
    super("The computer does not answer: the measurement has ended, or the network is gone.");
  }
}

async function post(route, body) {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(route, init).catch(() => Promise.reject(new Unreachable()));
  if (response.status === 409) throw new Error("The computer takes no more figures: the measurement has ended.");
  if (!response.ok) throw new Error(`The computer did not take the figures (${response.status}).`);
  return response.status === 204 ? null : response.json();
}

/** A network that was gone for a moment must not cost the figures of an hour. */
async function postAgain(route, body) {
  for (let left = 5; ; left--) {
    try {
      return await post(route, body);
    } catch (error) {
      if (!(error instanceof Unreachable) || left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

/** What the browser tells about itself and its device. */
async function facts() {
  const hints = navigator.userAgentData;
  const wanted = ["model", "architecture", "platformVersion", "fullVersionList"];
  const more = (await hints?.getHighEntropyValues?.(wanted).catch(() => null)) ?? {};
  const brands = more.fullVersionList ?? hints?.brands ?? [];
  const brand = brands.find((b) => !/not.?a/i.test(b.brand) && b.brand !== "Chromium") ?? brands[0];
  return {
    agent: navigator.userAgent.slice(0, 512),
    brand: brand?.brand.slice(0, 64) ?? "",
    version: brand?.version.slice(0, 64) ?? "",
    platform: (hints?.platform ?? navigator.platform ?? "").slice(0, 64),
    model: (more.model ?? "").slice(0, 128),
    arch: (more.architecture ?? "").slice(0, 64),
    cores: navigator.hardwareConcurrency ?? 0,
    memoryGiB: navigator.deviceMemory ?? null,
    secure: isSecureContext,
  };
}

/** Keeps the screen on where the browser can; asked again when the page comes back to the front. */
function stayAwake() {
  const ask = () => navigator.wakeLock?.request("screen").catch(() => {});
  ask();
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && ask());
}

const PHASES = { load: "Loading", warm: "Warming up", time: "Timing" };

/** Shows progress, and tells the computer every second that somebody is at work. */
function progressTo(id, job) {
  let latest = null;
  const show = (progress) => {
    latest = progress;
    const { phase, part, group, groups } = progress;
    const name = job.groups[group].map((p) => p.name).join(" and ");
    $("status").textContent = `${PHASES[phase]} ${name}`;
    $("bar").value = (group + part) / groups;
  };
  const timer = setInterval(() => latest && post(`${id}/progress`, latest).catch(() => {}), 1000);
  return { show, stop: () => clearInterval(timer) };
}

function inWorker(job, show) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
    worker.onerror = (event) => reject(new Error(event.message ?? "the worker could not be loaded"));
    worker.onmessage = ({ data }) => {
      if (data.progress) return show(data.progress);
      worker.terminate();
      if (data.error !== undefined) reject(new Error(data.error));
      else resolve(data.timed);
    };
    worker.postMessage(job);
  });
}

async function onPage(job, show) {
  const { timeHere } = await import("./browser-host.mjs");
  return timeHere(job, show);
}

const bytes = (n) => (n < 1 << 20 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1048576).toFixed(1)} MiB`);

function list(className, entries) {
  const dl = document.createElement("dl");
  dl.className = className;
  for (const [term, value] of entries) {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = term;
    dd.textContent = value;
    dl.append(dt, dd);
  }
  return dl;
}

function figures(p) {
  const { compileMs, instantiateMs, weightsMs, selftestMs } = p.load;
  const rows = [
    ["90 of 100 runs within", ms(p.steady.p90)],
    ["99 of 100 runs within", ms(p.steady.p99)],
    ["First run", ms(p.firstRunMs)],
    ["Compile", ms(compileMs)],
    ["Prepare", ms(instantiateMs + weightsMs + selftestMs)],
  ];
  if (p.download) rows.push(["Download", `${ms(p.download.ms)}, ${bytes(p.download.bytes)}`]);
  if (p.minutes) {
    rows.push(["First minute", ms(p.minutes.first.p50)], ["Last minute", ms(p.minutes.last.p50)]);
  }
  rows.push(["Memory", bytes(p.memoryBytes)], ["Variant", p.variant]);
  if (p.outputs !== "unchecked") rows.push(["Outputs", p.outputs === "identical" ? "the same bits" : "other bits"]);
  if (p.speedup) rows.push(["Against the first", `${p.speedup.median.toFixed(2)} times as fast`]);
  return [list("big", [["One run takes", ms(p.steady.p50)]]), list("", rows)];
}

function showResult({ engine, clockStepMs, groups }) {
  const packages = groups.flat();
  $("work").hidden = true;
  $("engine").textContent = `${engine}; the clock steps ${ms(clockStepMs)}`;
  $("background").hidden = !hidden;
  const shown = packages.slice(0, MOST_SHOWN);
  const target = $("figures");
  target.append(bars(shown));
  for (const p of shown) {
    const title = document.createElement("h3");
    title.textContent = p.package;
    target.append(title, ...figures(p));
    if (p.minutes && p.timeline.length > 1) target.append(line(p));
  }
  if (packages.length > shown.length) {
    const more = document.createElement("p");
    more.textContent = `${packages.length - shown.length} more were timed; the computer has their figures.`;
    target.append(more);
  }
  $("result").hidden = false;
  document.body.dataset.state = "done";
}

async function start(job) {
  $("start").hidden = true;
  $("error").hidden = true;
  $("work").hidden = false;
  $("status").textContent = "Starting";
  hidden = document.visibilityState === "hidden";
  let id = null;
  let progress = null;
  try {
    stayAwake();
    ({ id } = await post("join", { facts: await facts() }));
    progress = progressTo(id, job);
    const timed = await (job.thread === "page" ? onPage : inWorker)(job, progress.show);
    progress.stop();
    $("status").textContent = "Sending the figures";
    showResult(await postAgain(`${id}/result`, { timed, hidden }));
  } catch (error) {
    progress?.stop();
    fail(error.message);
    document.body.dataset.state = "failed";
    if (id !== null) post(`${id}/failure`, { error: String(error.message).slice(0, 1000) }).catch(() => {});
    $("start").textContent = "Try again";
    $("start").hidden = false;
    $("start").focus();
  }
}

try {
  const response = await fetch("job");
  if (!response.ok) throw new Error("This measurement has ended.");
  const job = await response.json();
  const names = job.groups.flat().map((p) => p.name);
  for (const name of names.slice(0, MOST_SHOWN)) {
    const item = document.createElement("li");
    item.textContent = name;
    $("packages").append(item);
  }
  if (names.length > MOST_SHOWN) {
    const item = document.createElement("li");
    item.textContent = `and ${names.length - MOST_SHOWN} more`;
    $("packages").append(item);
  }
  $("clock").hidden = isSecureContext;
  $("start").disabled = false;
  $("start").addEventListener("click", () => void start(job));
  // Opened by a program, there is nobody to press the button.
  if (location.hash === "#start") void start(job);
} catch (error) {
  fail(error.message);
}
