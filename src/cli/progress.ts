import { statSync } from "node:fs";

/** How far a piece of long work has come. */
export interface ProgressEvent {
  /** What is being done, in a few words; a new stage begins a new estimate. */
  readonly stage: string;
  readonly done: number;
  /** 0 where it is not known how much there is. */
  readonly total: number;
  /** Anything worth seeing while waiting, for example "loss 0.41, 830 images/s". */
  readonly detail?: string;
  /** Share of the whole work that is done and seconds left, where the work itself knows better than this stage does. */
  readonly fraction?: number;
  readonly etaSeconds?: number | null;
}

export type OnProgress = (event: ProgressEvent) => void;

interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const PLAIN_EVERY_MS = 5000;
const TTY_EVERY_MS = 100;

/** `75 s` → `1:15`. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const h = Math.floor(s / 3600);
  const m = Math.floor(s / 60) % 60;
  const tail = String(s % 60).padStart(2, "0");
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
}

/**
 * Prints progress with an estimate of the time left: on a terminal one line that is rewritten, elsewhere a line when
 * a stage begins and then at most one every five seconds. `end()` clears the rewritten line.
 */
export class Progress {
  private stage = "";
  private started = 0;
  private printed = -Infinity;
  private onScreen = false;

  constructor(
    private readonly out: Stream,
    private readonly quiet: boolean,
    private readonly now: () => number = () => performance.now(),
  ) {}

  readonly report: OnProgress = (event) => {
    if (this.quiet) return;
    const now = this.now();
    const fresh = event.stage !== this.stage;
    if (fresh) {
      this.stage = event.stage;
      this.started = now;
    }
    const tty = this.out.isTTY === true;
    if (!fresh && now - this.printed < (tty ? TTY_EVERY_MS : PLAIN_EVERY_MS)) return;
    this.printed = now;
    const line = this.line(event, (now - this.started) / 1000);
    if (tty) {
      this.out.write(`\r\x1b[2K${line.slice(0, (this.out.columns ?? 80) - 1)}`);
      this.onScreen = true;
    } else {
      this.out.write(`${line}\n`);
    }
  };

  /** A line that stays. */
  readonly say = (text: string): void => {
    if (this.quiet) return;
    this.end();
    this.out.write(`${text}\n`);
  };

  end(): void {
    if (this.onScreen) this.out.write("\r\x1b[2K");
    this.onScreen = false;
  }

  private line(event: ProgressEvent, seconds: number): string {
    const { stage, done, total, detail, fraction, etaSeconds } = event;
    const parts = [total > 0 ? `${stage} ${done}/${total}` : stage];
    if (fraction !== undefined) {
      parts.unshift(
        `${Math.floor(100 * fraction)
          .toString()
          .padStart(2)} %`,
      );
      if (etaSeconds != null) parts.push(`${clock(etaSeconds)} left`);
    } else if (total > 0 && done > 0 && seconds > 0.5 && done / total >= 0.01) {
      // An estimate from less than half a second or one per cent is noise.
      parts.push(`${clock((seconds * (total - done)) / done)} left`);
    }
    if (detail !== undefined && detail !== "") parts.push(detail);
    return parts.join(", ");
  }
}

/** Models below this are read before anybody waits. */
const LARGE_MODEL = 16 << 20;

/** For `readModel`: says how far the reading of a large model has come. */
export function readingProgress(file: string, progress: Progress): (fraction: number) => void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size < LARGE_MODEL) return () => {};
  return (fraction) => progress.report({ stage: "reading the model", done: Math.round(100 * fraction), total: 100 });
}
