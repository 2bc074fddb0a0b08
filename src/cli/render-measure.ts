import { describeEngine, type DeviceResult, type Measurement } from "../measure/index.js";
import { bytes, table } from "./table.js";

const ms = (x: number | null): string => (x === null ? "-" : x.toFixed(x < 10 ? 4 : 1));

/** Packages that were timed in turns, on one engine. */
export function renderMeasurements(measured: readonly Measurement[]): string {
  const { engine } = measured[0]!;
  const downloaded = measured.some((m) => m.download !== null);
  const lines = [
    `${describeEngine(engine)}; the clock steps ${Number(engine.clockStepMs.toPrecision(2))} ms`,
    "",
    table(
      [
        ...["package", "variant", "p50 ms", "p90 ms", "p99 ms", "first ms", "compile ms", "prepare ms"],
        ...(downloaded ? ["download ms"] : []),
        "memory",
      ],
      measured.map((m) => {
        const { compileMs, instantiateMs, weightsMs, selftestMs } = m.load;
        return [
          m.dir,
          m.variant,
          ...[m.steady.p50, m.steady.p90, m.steady.p99, m.firstRunMs, compileMs].map(ms),
          ms((instantiateMs ?? 0) + weightsMs + selftestMs),
          ...(downloaded ? [ms(m.download?.ms ?? null)] : []),
          bytes(m.memoryBytes),
        ];
      }),
    ),
    ...measured.flatMap(details),
  ];
  const base = measured[0]!;
  for (const m of measured.slice(1)) {
    const r = m.speedup!;
    lines.push(
      "",
      `${m.dir} is ${r.median.toFixed(2)} times as fast as ${base.dir} (median of pairs; 80 % of them between ${r.low.toFixed(2)} and ${r.high.toFixed(2)})`,
    );
  }
  return lines.join("\n");
}

/** What not every measurement has. */
function details(m: Measurement): string[] {
  const lines: string[] = [];
  if (m.minutes) {
    const { first, last } = m.minutes;
    const growth = 100 * (last.p50 / first.p50 - 1);
    lines.push(
      "",
      `${m.dir}: first minute p50 ${ms(first.p50)} ms, p99 ${ms(first.p99)}; last minute p50 ${ms(last.p50)} ms, p99 ${ms(last.p99)} (${growth < 0 ? "" : "+"}${growth.toFixed(1)} %)`,
    );
    if (m.processBytes) {
      lines.push(
        `memory of the engine: ${bytes(m.processBytes.start)} at the start, ${bytes(m.processBytes.end)} at the end`,
      );
    }
  }
  if (m.outputs === "different") {
    lines.push(
      "",
      `${m.dir}: WRONG: other outputs on the stored test vector than the build had. Please report this engine.`,
    );
  }
  return lines;
}

/** Figures of devices that opened the page, one after another. */
export function renderDevices(results: readonly DeviceResult[]): string {
  return results
    .map(({ device, inBackground, groups }) => {
      const note = inBackground ? "\nThe page was not in front all the time: these figures may be too slow." : "";
      const head = results.length > 1 ? `Device ${device}: ` : "";
      return head + groups.map(renderMeasurements).join("\n\n") + note;
    })
    .join("\n\n");
}
