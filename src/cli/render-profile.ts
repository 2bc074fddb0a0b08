/** A profile as a table: where the time goes, and what the machine would allow. */
import type { Profile, ProfiledLayer } from "../measure/index.js";
import { bytes, count, short, table } from "./table.js";

const percent = (x: number): string => `${(100 * x).toFixed(0)} %`;

export function renderProfile(p: Profile): string {
  const { engine, ceiling, total } = p;
  const bandwidth = ceiling.bandwidth.map(
    (b) => `${bytes(b.bytes)} ${b.readGBps.toFixed(0)} / ${b.writeGBps.toFixed(0)}`,
  );
  const lines = [
    `${p.package}, variant ${p.variant}: Node ${engine.version} (V8 ${engine.v8}), ${engine.cpu}; medians of ${count(p.rounds)} rounds`,
    `ceiling ${ceiling.gflops.toFixed(1)} GFLOP/s; reads / writes in GB/s: ${bandwidth.join(", ")}`,
    "",
    table(
      ["layer", "kernel", "output", "MACs", "ms", "time", "GFLOP/s", "ceiling", "moved", "GB/s", "note"],
      p.layers.map((l) => row(l, p)),
    ),
    "",
    `run ${total.runMs.toFixed(4)} ms, sum of the layers ${total.sumOfLayersMs.toFixed(4)} ms`,
  ];
  if (total.overFloor !== null) {
    lines.push(
      `${count(total.macs)} MACs at the ceiling take ${total.floorMs.toFixed(4)} ms: the run takes ${total.overFloor.toFixed(2)} times that`,
    );
  }
  return lines.join("\n");
}

function row(l: ProfiledLayer, p: Profile): string[] {
  return [
    `${l.index} ${short(l.name, 30)}`,
    l.tile === null ? l.kernel : `${l.kernel} ${l.tile}`,
    l.shape.join("x"),
    count(l.macs),
    l.ms.toFixed(4),
    percent(l.ms / p.total.sumOfLayersMs),
    l.gflops === null ? "" : l.gflops.toFixed(1),
    l.ofCeiling === null ? "" : percent(l.ofCeiling),
    bytes(l.bytes.read + l.bytes.written),
    l.gbps.toFixed(1),
    l.bound === "memory" ? `memory bound, ${percent(l.floorMs / l.ms)} of it` : "",
  ];
}
