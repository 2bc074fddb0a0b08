/** The devices of one server: who joined, who is at work, who is finished. Knows nothing of HTTP. */
import { randomBytes } from "node:crypto";
import { describeEngine, type Engine } from "./engine.js";
import type { LocalPackage } from "./job.js";
import { browserEngine, type BrowserFacts } from "./protocol.js";
import { answersJob, measurementsOf } from "./result.js";
import type { DeviceResult, ServeEvent } from "./serve-types.js";
import type { TimedJob, TimingProgress } from "./device/timing.mjs";

/** Devices that may join one server in all; whoever opens the page again joins again. */
const MOST_JOINED = 256;

interface Device {
  readonly number: number;
  readonly facts: BrowserFacts;
  state: "running" | "lost" | "failed" | "finished";
  /** Time of its last message, in milliseconds. */
  heard: number;
}

export interface SessionLimits {
  readonly devices: number;
  readonly lostMs: number;
  /** Of a simulated device. */
  readonly throttle?: number;
}

export class Sessions {
  readonly results: DeviceResult[] = [];
  private readonly devices = new Map<string, Device>();

  constructor(
    private readonly groups: readonly (readonly LocalPackage[])[],
    private readonly limits: SessionLimits,
    private readonly emit: (event: ServeEvent) => void,
  ) {}

  /** Enough results are there, and nobody who could still send one is at work. */
  get complete(): boolean {
    return this.results.length >= this.limits.devices && ![...this.devices.values()].some((d) => d.state === "running");
  }

  /** A secret of its own for the device, or null where no other may join. */
  join(facts: BrowserFacts): string | null {
    if (this.devices.size >= MOST_JOINED || this.results.length >= this.limits.devices) return null;
    const id = randomBytes(16).toString("hex");
    const device: Device = { number: this.devices.size + 1, facts, state: "running", heard: Date.now() };
    this.devices.set(id, device);
    this.emit({ kind: "joined", device: device.number, engine: this.engineOf(device, 0) });
    return id;
  }

  /** A device that is at work under this secret; one that was lost is back. */
  private active(id: string): Device | null {
    const device = this.devices.get(id);
    if (!device || device.state === "finished" || device.state === "failed") return null;
    device.state = "running";
    device.heard = Date.now();
    return device;
  }

  progress(id: string, progress: TimingProgress): boolean {
    const device = this.active(id);
    if (device) this.emit({ kind: "progress", device: device.number, progress });
    return device !== null;
  }

  fail(id: string, message: string): boolean {
    const device = this.active(id);
    if (!device) return false;
    device.state = "failed";
    this.emit({ kind: "failed", device: device.number, message });
    return true;
  }

  /** What the device measured, as it is reported; null where it has nothing to send or sends something else. */
  finish(id: string, timed: TimedJob, inBackground: boolean): DeviceResult | null {
    if (!answersJob(timed, this.groups)) return null;
    const device = this.active(id);
    if (!device) return null;
    device.state = "finished";
    const engine = this.engineOf(device, timed.clockStepMs);
    const result: DeviceResult = {
      device: device.number,
      engine,
      groups: measurementsOf(this.groups, timed, engine),
      inBackground,
      receivedAt: new Date().toISOString(),
    };
    this.results.push(result);
    this.emit({ kind: "finished", device: device.number, result });
    return result;
  }

  /** Marks devices of which nothing was heard for too long. */
  sweep(now = Date.now()): void {
    for (const device of this.devices.values()) {
      if (device.state !== "running" || now - device.heard < this.limits.lostMs) continue;
      device.state = "lost";
      this.emit({ kind: "lost", device: device.number });
    }
  }

  /** Why there is no result, for the sentence that says so. */
  summary(): string {
    const list = [...this.devices.values()];
    if (list.length === 0) return "no device opened the page";
    return list.map((d) => `device ${d.number} (${describeEngine(this.engineOf(d, 0))}) ${STATES[d.state]}`).join("; ");
  }

  private engineOf(device: Device, clockStepMs: number): Engine {
    const engine = browserEngine(device.facts, clockStepMs);
    const { throttle } = this.limits;
    return throttle === undefined ? engine : { ...engine, throttle };
  }
}

const STATES: Readonly<Record<Device["state"], string>> = {
  running: "was still at work",
  lost: "went silent",
  failed: "could not run the packages",
  finished: "is finished",
};
