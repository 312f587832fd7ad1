import { expect, test } from "vitest";
import { FakeStore } from "../../../tests/support/fake-store.ts";
import { TestClock } from "../../../tests/support/test-clock.ts";
import type { HistoryPrune } from "../core/store.ts";
import { HistoryPruner } from "./history-pruner.ts";

const dayMs = 86_400_000;

test.each([null, 400 * dayMs])(
  "what is kept no longer (days for %s ms) is deleted, once an hour",
  async (daysMs) => {
    const store = new FakeStore();
    const clock = new TestClock();
    const pruned: HistoryPrune[] = [];
    store.pruneHistory = async (request) => {
      pruned.push(request);
      return { kind: "ok", value: pruned.length === 1 ? request.limit : 0 };
    };
    const log = (message: string) => void expect(message).toBeUndefined();
    const logger = { info: log, warn: log, error: log };
    const pruner = new HistoryPruner({ store: store.asStore(), clock, logger, daysMs });
    pruner.start();
    await clock.advance(0);
    expect(pruned, "a worker that has just started has better things to do").toEqual([]);
    await clock.advance(3_600_000);
    const ages = new Map(
      pruned.map(({ span, before }) => [span, Math.round((clock.now() - before) / dayMs)]),
    );
    expect(Object.fromEntries(ages)).toEqual({ minute: 2, hour: 60, ...(daysMs !== null && { day: 400 }) });
    const minutes = () => pruned.filter(({ span }) => span === "minute").length;
    expect(minutes(), "until a batch is not full").toBe(2);
    await clock.advance(3_600_000);
    expect(minutes()).toBe(3);
    await pruner.stop();
  },
);
