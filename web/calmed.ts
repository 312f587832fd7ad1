/** Work that is asked for more often than it should be done. */

export interface Calmed {
  call(): void;
  stop(): void;
}

/**
 * Works at once, then, when asked meanwhile, once more after a rest, for all that came between.
 *
 * @param work done when its promise is, which is never rejected
 * @param restMsAfter how long to rest after work that took so long
 */
export function calmed(work: () => unknown, restMsAfter: (tookMs: number) => number): Calmed {
  let resting: ReturnType<typeof setTimeout> | undefined;
  let isBusy = false;
  let again = false;
  let stopped = false;
  const run = async () => {
    isBusy = true;
    const beganAt = performance.now();
    await work();
    if (stopped) return;
    resting = setTimeout(rested, restMsAfter(performance.now() - beganAt));
  };
  const rested = () => {
    isBusy = false;
    if (!again) return;
    again = false;
    void run();
  };
  return {
    call: () => {
      if (isBusy) again = true;
      else if (!stopped) void run();
    },
    stop: () => {
      stopped = true;
      clearTimeout(resting);
    },
  };
}
