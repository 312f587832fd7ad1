/** The real Clock and the real Ids: the one place that knows the machine's timers and its source of chance. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { Ids } from "../core/ids.ts";
import { createIds } from "../core/ids.ts";

/** A timer of more than 2^31 - 1 ms would fire at once, so a longer one is slept in slices of a day. */
const sliceMsMax = 24 * 3_600_000;

export interface SystemClock extends Clock {
  /** Keeps the process alive until the returned function is called; every timer of the clock lets it end. */
  keepAlive(): () => void;
  /** How far the store's clock is ahead of the machine's, in milliseconds; `now` follows the store's. */
  setSkew(skewMs: number): void;
}

/** A smaller difference is left alone: it cannot be told from the time that the question takes. */
const skewMsMin = 100;

/** A clock on the machine's own time, put right by the store's where the two differ. */
export function createSystemClock(): SystemClock {
  let skewMs = 0;
  return {
    now: () => Date.now() + skewMs,
    monotonic: () => performance.now(),
    random: Math.random,
    sleep,
    after,
    keepAlive,
    setSkew: (measuredMs) => {
      skewMs = Math.abs(measuredMs) < skewMsMin ? 0 : Math.round(measuredMs);
    },
  };
}

function after(ms: number, callback: () => void): () => void {
  if (ms <= 0) {
    const soon = setImmediate(callback);
    return () => clearImmediate(soon);
  }
  let timer = startSlice(ms);
  return () => clearTimeout(timer);

  function startSlice(leftMs: number): NodeJS.Timeout {
    const sliceMs = Math.min(leftMs, sliceMsMax);
    const next = leftMs > sliceMs ? () => (timer = startSlice(leftMs - sliceMs)) : callback;
    return setTimeout(next, Math.ceil(sliceMs)).unref();
  }
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  // A timer would take a millisecond at least.
  if (ms <= 0) return new Promise((resolve) => void setImmediate(resolve));
  return new Promise((resolve) => {
    const cancel = after(ms, finish);
    signal?.addEventListener("abort", finish, { once: true });
    function finish(): void {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    }
  });
}

function keepAlive(): () => void {
  const held = setInterval(() => {}, sliceMsMax);
  return () => clearInterval(held);
}

/** Ids on a clock's time and the machine's chance. */
export function createSystemIds(clock: Clock): Ids {
  return createIds(() => clock.now(), randomBytes);
}
