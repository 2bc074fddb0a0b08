// Runs the packages off the page's thread. In: the job. Out: { progress }, then { timed } or { error }.
import { timeHere } from "./browser-host.mjs";

onmessage = async ({ data: job }) => {
  try {
    postMessage({ timed: await timeHere(job, (progress) => postMessage({ progress })) });
  } catch (error) {
    postMessage({ error: String(error?.message ?? error) });
  }
};
