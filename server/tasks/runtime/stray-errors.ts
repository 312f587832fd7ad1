/**
 * Errors that a handler's code throws where nobody can catch them: a promise not awaited, a timer, an emitter. The
 * async context says which attempt they belong to; that attempt fails, and the process lives. An error of anyone else
 * keeps Node's own behaviour, which is to end the process unless the program listens for such errors itself.
 *
 * Installed only while a worker runs, once for all workers of the process.
 */
import type { RunningAttempt } from "./running-attempt.ts";
import { attemptStorage } from "./running-attempt.ts";

/** Takes an error of one of its own attempts. */
export type StrayTaker = (attempt: RunningAttempt, error: unknown) => void;

const takers = new Map<RunningAttempt["host"], StrayTaker>();

/** Takes the stray errors of the attempts of `host` until the returned function is called. */
export function takeStrayErrors(host: RunningAttempt["host"], taker: StrayTaker): () => void {
  if (takers.size === 0) listen();
  takers.set(host, taker);
  return () => {
    if (takers.delete(host) && takers.size === 0) unlisten();
  };
}

function listen(): void {
  process.on("uncaughtException", onException);
  process.on("unhandledRejection", onRejection);
}

function unlisten(): void {
  process.off("uncaughtException", onException);
  process.off("unhandledRejection", onRejection);
}

function onException(error: unknown): void {
  if (taken(error) || process.listenerCount("uncaughtException") > 1) return;
  asIfUnheard(() => {
    throw error;
  });
}

function onRejection(reason: unknown): void {
  if (taken(reason) || process.listenerCount("unhandledRejection") > 1) return;
  asIfUnheard(() => void Promise.reject(reason));
}

function taken(error: unknown): boolean {
  const attempt = attemptStorage.getStore();
  const taker = attempt && takers.get(attempt.host);
  if (!attempt || !taker) return false;
  taker(attempt, error);
  return true;
}

/** Raises an error again with nobody of ours listening, so that Node does with it what it would have done. */
function asIfUnheard(raise: () => void): void {
  unlisten();
  setImmediate(() => {
    if (takers.size > 0) listen();
  });
  process.nextTick(raise);
}
