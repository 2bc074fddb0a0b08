import type { Engine } from "./engine.js";
import type { TimingChoice } from "./job.js";
import type { Measurement } from "./result.js";
import type { TimingProgress } from "./device/timing.mjs";

/** What happens while packages are served, for whoever watches. */
export type ServeEvent =
  | { readonly kind: "joined"; readonly device: number; readonly engine: Engine }
  | { readonly kind: "progress"; readonly device: number; readonly progress: TimingProgress }
  | { readonly kind: "finished"; readonly device: number; readonly result: DeviceResult }
  | { readonly kind: "failed"; readonly device: number; readonly message: string }
  /** Nothing was heard of the device for a while; it may come back. */
  | { readonly kind: "lost"; readonly device: number };

export interface ServeOptions extends TimingChoice {
  /** Address to listen on; default 127.0.0.1, which other devices do not reach. */
  readonly host?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  /** Ends after this many results; default 1. */
  readonly devices?: number;
  /** Ends in any case after this long; default 10 minutes and the time that sampling is to last. */
  readonly timeoutMs?: number;
  /** A device of which nothing was heard for this long counts as lost; default 30 s. */
  readonly lostMs?: number;
  /** A connection on which nothing moves for this long is closed; default 60 s. */
  readonly stalledMs?: number;
  /** Where the page runs packages; default a worker. The page's own thread is what a browser can slow down on purpose. */
  readonly thread?: "worker" | "page";
  readonly throttle?: number;
  /** Called once with the addresses that open the page: of every network the host listens on. */
  readonly onListening?: (urls: readonly string[]) => void;
  readonly onEvent?: (event: ServeEvent) => void;
  /** Ends it early; results that have arrived are kept. */
  readonly signal?: AbortSignal;
}

/** What one device sent; `groups` as they were asked for. */
export interface DeviceResult {
  /** 1 for the first device that joined. */
  readonly device: number;
  readonly engine: Engine;
  readonly groups: readonly (readonly Measurement[])[];
  /** The page was not in front all the time: the figures may be too slow. */
  readonly inBackground: boolean;
  /** ISO 8601. */
  readonly receivedAt: string;
}
