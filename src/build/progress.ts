import type { BuildProgress } from "./types.js";

/** Turns steps of unequal length into one share done and an estimate of the time left. */
export class ProgressMeter {
  private readonly started: number;
  private stage = "";
  private base = 0;
  private weight = 0;
  /** The last share reported: where stages overlap, the bar waits instead of going back. */
  private last = 0;

  constructor(
    private readonly report: ((p: BuildProgress) => void) | undefined,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.started = now();
  }

  /** A new stage that will take about `weight` of the whole (a share, may be 0). */
  begin(stage: string, weight: number): void {
    this.base = Math.min(1, this.base + this.weight);
    this.weight = Math.min(weight, 1 - this.base);
    this.stage = stage;
    this.step(0, 0);
  }

  /** Jumps to a known share of the whole, when stages were skipped. */
  at(fraction: number): void {
    this.base = Math.max(this.base, Math.min(1, fraction));
    this.weight = 0;
  }

  /** Everything is done. */
  end(): void {
    this.at(1);
    this.stage = "done";
    this.step(1, 1);
  }

  step(done: number, total: number, detail?: string): void {
    const fraction = Math.max(this.last, this.base + this.weight * (total > 0 ? done / total : 0));
    this.last = fraction;
    const elapsed = (this.now() - this.started) / 1000;
    this.report?.({
      stage: this.stage,
      done,
      total,
      ...(detail !== undefined && { detail }),
      fraction,
      // Too early an estimate is worse than none.
      etaSeconds: fraction > 0.03 ? (elapsed * (1 - fraction)) / fraction : null,
    });
  }
}
