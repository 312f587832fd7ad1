import { expect, test, vi } from "vitest";
import { createSystemClock } from "./system-clock.ts";

test("a timer of more than 24.8 days does not fire at once", () => {
  vi.useFakeTimers();
  try {
    const clock = createSystemClock();
    let fired = 0;
    clock.after(30 * 24 * 3_600_000, () => {
      fired += 1;
    });
    const cancel = clock.after(60 * 365 * 24 * 3_600_000, () => {
      fired += 10;
    });
    vi.advanceTimersByTime(30 * 24 * 3_600_000 - 1);
    expect(fired).toBe(0);
    vi.advanceTimersByTime(1);
    expect(fired).toBe(1);
    cancel();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("sleep ends early when its signal aborts, and at once when it is aborted already", async () => {
  const clock = createSystemClock();
  const abort = new AbortController();
  const slept = clock.sleep(3_600_000, abort.signal);
  abort.abort();
  await slept;
  await clock.sleep(3_600_000, abort.signal);
});

test("now follows a store's clock that differs, not one that is merely slow to answer", () => {
  const clock = createSystemClock();
  clock.setSkew(600_000);
  expect(clock.now() - Date.now()).toBeGreaterThan(599_000);
  clock.setSkew(-40);
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1_000);
});
