// The results: one JSON object a line, only ever appended to, so that a kill loses at most the line being written.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** Rows of a network in the folder of results: a file each, so that they can be kept in the repository. */
export const fileOf = (results, network) => path.join(results, `${network}.jsonl`);

/** What makes a run the same run. A row of the same key is not computed again. */
export const keyOf = ({ network, criterion, target, seed, settings }) =>
  [network, criterion, target, seed, settings].join(" ");

/** All complete rows; the last of a key counts. */
export function readRows(file) {
  if (!existsSync(file)) return [];
  const rows = new Map();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    if (line === "") continue;
    let row;
    try {
      row = JSON.parse(line);
    } catch {
      continue; // the line that a kill cut short
    }
    rows.set(keyOf(row), row);
  }
  return [...rows.values()];
}

export function appendRow(file, row) {
  mkdirSync(path.dirname(file), { recursive: true });
  // A line that was cut short must not swallow this one.
  const whole = !existsSync(file) || readFileSync(file, "utf8").endsWith("\n") || readFileSync(file).length === 0;
  appendFileSync(file, `${whole ? "" : "\n"}${JSON.stringify(row, shorter)}\n`);
}

/** Seven digits are more than any figure here means. */
const shorter = (_, value) => (typeof value === "number" ? Number(value.toPrecision(7)) : value);
