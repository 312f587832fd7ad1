/** The messages between the store (main thread) and the thread that holds its leases and listens. */
import type { Beat } from "../../../core/store.ts";
import type { Told } from "../announcing/announcements.ts";

/** What the thread is started with. */
export interface LeaseThreadOptions {
  url: string;
  /** This process's notifications carry it; they are no news. */
  sender: string;
  /** A counter that the main thread moves on while it is well; then how late its event loop was lately, in milliseconds. */
  pulse: SharedArrayBuffer;
}

export type LeaseRequest =
  | { kind: "hold"; workerId: string; beatMs: number; maxBlockMs: number }
  | { kind: "release"; workerId: string; number: number }
  | { kind: "watch"; on: boolean }
  | { kind: "close" };

export type LeaseReply =
  /** `askedAt`: see thread-time.ts. */
  | { kind: "beat"; workerId: string; beat: Beat; askedAt: number }
  | { kind: "released"; number: number }
  /** Something may have changed; without `told`, anything. */
  | { kind: "changed"; told?: Told }
  /** Something is to be notified, to see whether it arrives. */
  | { kind: "prove" }
  /** Whether notifications arrive; without `works`, that is not known. */
  | { kind: "listening"; works?: boolean };
