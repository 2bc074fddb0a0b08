/** Kernel calls as text: runs of calls whose arguments grow by constant steps become loops. */
import type { KernelCall } from "./kernel-step.js";
import type { Lines } from "./source-tiles.js";

/** Shortest run that is written as a loop. */
const SHORTEST = 3;

export function writeCalls(
  out: Lines,
  calls: readonly KernelCall[],
  use: (file: string, name: string) => string,
): void {
  for (let i = 0; i < calls.length;) {
    const { file, kernel, args } = calls[i]!;
    const name = use(file, kernel);
    const count = runLength(calls, i);
    if (count < SHORTEST) {
      out.add(`${name}(${args.map(literal).join(", ")});`);
      i++;
      continue;
    }
    const steps = args.map((a, k) => calls[i + 1]!.args[k]! - a);
    const text = args.map((a, k) => (steps[k] === 0 ? literal(a) : `${literal(a)} + i * ${literal(steps[k]!)}`));
    out.block(`for (let i = 0; i < ${count}; i++)`, () => out.add(`${name}(${text.join(", ")});`));
    i += count;
  }
}

/** How many calls from `first` on are the same kernel with whole arguments that grow by constant steps. */
function runLength(calls: readonly KernelCall[], first: number): number {
  const [a, b] = [calls[first]!, calls[first + 1]];
  if (b?.kernel !== a.kernel || b.args.length !== a.args.length) return 1;
  const steps = a.args.map((v, k) => b.args[k]! - v);
  if (!steps.every((s, k) => s === 0 || (Number.isInteger(s) && Number.isInteger(a.args[k]!)))) return 1;
  let count = 2;
  for (;;) {
    const next = calls[first + count];
    if (next?.kernel !== a.kernel) return count;
    if (!next.args.every((v, k) => Object.is(v, steps[k] === 0 ? a.args[k]! : a.args[k]! + count * steps[k]!))) {
      return count;
    }
    count++;
  }
}

function literal(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  return Object.is(value, -0) ? "-0.0" : String(value);
}
