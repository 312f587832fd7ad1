/** SIGTERM, SIGINT and SIGHUP: the first asks to stop, the second ends at once. */
import { exitCodeOfSignal } from "./exit-codes.ts";
import { flushOutput } from "./output.ts";

const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
/** What a second signal still leaves for giving tasks back. */
const hurryMs = 900;

/** Why to stop: a signal, or the end of the process that started this one with a channel. */
export type StopReason = (typeof signals)[number] | "disconnect";

/**
 * Resolves with the first reason to stop. A second signal calls `hurry` and ends the process as soon as that is
 * done, in under a second in any case, with 128 and its number.
 */
export function firstStop(hurry: () => Promise<unknown>): Promise<StopReason> {
  const { promise, resolve } = Promise.withResolvers<StopReason>();
  let stopping = false;
  const onSignal = (signal: (typeof signals)[number]) => {
    if (stopping) endNow(signal, hurry);
    stopping = true;
    resolve(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  if (process.connected) {
    process.once("disconnect", () => {
      stopping = true;
      resolve("disconnect");
    });
  }
  return promise;
}

function endNow(signal: NodeJS.Signals, hurry: () => Promise<unknown>): void {
  const end = () => process.exit(exitCodeOfSignal(signal));
  setTimeout(end, hurryMs);
  const hurried = hurry().catch(() => {});
  void hurried.then(flushOutput).then(end);
}
