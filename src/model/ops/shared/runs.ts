/** Indices that follow one another at a distance of `step`, from `from` on, at the places from `to` on. */
export interface Run {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly count: number;
}

/** A list of indices as runs, each as long as it can be. A single index has step 1. */
export function runsOf(indices: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (let to = 0; to < indices.length;) {
    const from = indices[to]!;
    const step = (indices[to + 1] ?? from + 1) - from;
    let count = 1;
    while (to + count < indices.length && indices[to + count] === from + count * step) count++;
    runs.push({ from, to, step, count });
    to += count;
  }
  return runs;
}
