// The results: one JSON object a line, only ever appended to, so that a kill loses at most the line being written.
import { appendFileSync, existsSync, readFileSync } from "node:fs";

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
  // A line that was cut short must not swallow this one.
  const whole = !existsSync(file) || readFileSync(file, "utf8").endsWith("\n") || readFileSync(file).length === 0;
  appendFileSync(file, `${whole ? "" : "\n"}${JSON.stringify(row)}\n`);
}
