// What the timing code needs of a browser, in a worker or on the page's own thread.
import { timeJob } from "./timing.mjs";

export function timeHere(job, report) {
  return timeJob(job, {
    now: () => performance.now(),
    read: async ({ at }, file) => {
      const started = performance.now();
      const response = await fetch(new URL(`${at}/${file}`, import.meta.url));
      if (!response.ok) throw new Error(`${file}: the computer answers ${response.status}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      return { bytes, ms: performance.now() - started };
    },
    // A message to itself: timers of nested tasks wait 4 ms, and the page must paint.
    pause: () =>
      new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          port1.close();
          resolve();
        };
        port2.postMessage(null);
      }),
    memory: () => performance.memory?.usedJSHeapSize ?? null,
    report,
  });
}
