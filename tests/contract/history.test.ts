import { expect, test } from "vitest";
import { bucketOf, type Durations } from "../../server/tasks/core/counts/duration-counts.ts";
import type { ClaimedTask, HistoryRow, Settlement, SpannedRow } from "../../server/tasks/core/store.ts";
import { copyTasks } from "../../server/tasks/runtime/copier.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newTask, newTasks, newWorker, settlementOf, startAt } from "../support/builders.ts";
import { ok, onEachLastingStore } from "../support/stores.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** The start of a day. */
const day = Math.floor(startAt / dayMs) * dayMs;
const always = { start: 0, end: day + 1_000 * dayMs, limit: 1_000 };
const type = "resize-image";

onEachLastingStore("the history", (world) => {
  const read = (request: Parameters<typeof world.store.readHistory>[0]) => world.store.readHistory(request);
  const minutes = () => read({ span: "minute", ...always });
  const write = async (...rows: SpannedRow[]) => ok(await world.store.writeHistory(rows));
  /** Claims so many new ones. */
  const running = async (
    count: number,
    facts: Parameters<typeof newTask>[0] = {},
  ): Promise<ClaimedTask[]> => {
    await world.enqueue(...newTasks(count, { createdAt: world.clock.now(), ...facts }));
    return world.claim({ limit: count, ...(facts.type !== undefined && { types: [facts.type] }) });
  };
  const settleAll = async (claimed: readonly ClaimedTask[], outcome = "completed" as const) =>
    ok(await world.store.settleTasks(claimed.map((one) => settlementOf(one, outcome))));

  test("a settlement counts in its minute, hour and day, with how long its attempt waited and ran", async () => {
    await world.enqueue(newTask({ id: "a" }), newTask({ id: "b", queue: "urgent", maxAttempts: 2 }));
    await world.clock.advance(59 * minuteMs + 40);
    const [a, b] = await world.claim();
    await world.clock.advance(900);
    await world.settle(a!, "completed");
    await world.clock.advance(hourMs);
    await world.settle(b!, "failed", { retryAt: world.clock.now() + 7 });
    const waited = 59 * minuteMs + 40;
    const first = row(type, day + 59 * minuteMs, { completed: 1 }, [waited], [900]);
    const second = row(type, day + 119 * minuteMs, { retried: 1 }, [waited], [hourMs + 900]);
    expect(await minutes()).toEqual([first, second]);
    expect(await read({ span: "hour", ...always })).toEqual([
      { ...first, start: day },
      { ...second, start: day + hourMs },
    ]);
    await world.clock.advance(7);
    const [again] = await world.claim();
    await world.settle(again!, "failed");
    expect(await read({ span: "day", ...always })).toEqual([
      row(type, day, { completed: 1, failed: 1, retried: 1 }, [waited, waited, 0], [900, hourMs + 900, 0]),
    ]);
  });

  test("what an attempt ends with says what it counts as; sent again it counts no more", async () => {
    const log = { at: new Date(startAt), level: "info", message: "done" } as const;
    const cases: [Settlement["outcome"], Partial<Settlement>, Partial<HistoryRow> | undefined][] = [
      ["completed", {}, { completed: 1 }],
      ["completed", { result: { json: "1" } }, { completed: 1 }],
      ["completed", { logs: [log] }, { completed: 1 }],
      ["failed", {}, { failed: 1 }],
      ["failed", { retryAt: startAt + dayMs }, { retried: 1 }],
      ["timed-out", { retryAt: startAt + dayMs }, { retried: 1 }],
      ["timed-out", {}, { failed: 1 }],
      ["cancelled", {}, { cancelled: 1 }],
      ["snoozed", { retryAt: startAt + dayMs }, undefined],
      ["released", {}, undefined],
    ];
    const expected: HistoryRow[] = [];
    for (const [outcome, facts, counted] of cases) {
      const minute = world.clock.now();
      const claimed = await world.running(newTask({ createdAt: minute, maxAttempts: 2 }));
      await world.clock.advance(20);
      if (counted) expected.push(row(type, minute, counted, [0], [20]));
      for (let times = 0; times < 2; times += 1) {
        await world.settle(claimed, outcome, facts);
        expect(await minutes(), `${outcome} with ${JSON.stringify(facts)}`).toEqual(expected);
      }
      await world.clock.advance(minuteMs - 20);
    }
  });

  test("a task that was cancelled while it ran counts as it ended; one that waited does not count", async () => {
    const [won, obeyed, released] = await running(3);
    await world.enqueue(newTask({ id: "waiting" }));
    for (const id of [won, obeyed, released].map((one) => one!.task.id)) ok(await world.store.cancelTask(id));
    ok(await world.store.cancelTask("waiting"));
    await world.settle(won!, "completed");
    await world.settle(obeyed!, "failed", { retryAt: startAt });
    await world.settle(released!, "released");
    expect(await minutes()).toEqual([row(type, day, { completed: 1, cancelled: 2 }, [0, 0, 0], [0, 0, 0])]);
  });

  test("of one call only what it ended counts, whatever was stored before or is lost", async () => {
    const claimed = await running(5);
    await world.clock.advance(10);
    await settleAll(claimed.slice(0, 2));
    await world.clock.advance(10);
    const strange = { ...claimed[4]!, fence: 7 };
    await settleAll([...claimed.slice(0, 4), strange]);
    expect(await minutes()).toEqual([row(type, day, { completed: 4 }, [0, 0, 0, 0], [10, 10, 20, 20])]);
    await settleAll(claimed);
    expect(await minutes()).toEqual([
      row(type, day, { completed: 5 }, [0, 0, 0, 0, 0], [10, 10, 20, 20, 20]),
    ]);
  });

  test("attempts of dead workers count by what became of their tasks, without times, and never again", async () => {
    const again = await world.running(newTask());
    const ended = await world.running(newTask({ rerunAfterCrash: false }));
    const cancelled = await world.running(newTask());
    ok(await world.store.cancelTask(cancelled.task.id));
    await world.clock.advance(minuteMs);
    await world.bury();
    const expected = [row(type, day + minuteMs, { failed: 1, cancelled: 1, retried: 1 }, [])];
    expect(await minutes()).toEqual(expected);
    await world.bury();
    await settleAll([again, ended, cancelled]);
    expect(await minutes()).toEqual(expected);
  });

  test("an attempt that did not obey a cancel request in time counts as cancelled", async () => {
    const claimed = await world.running(newTask());
    ok(await world.store.cancelTask(claimed.task.id));
    await world.clock.advance(10_001);
    ok(await world.store.reapWorkers({ suspects: [], crashBudget: 3, cancelGraceMs: 10_000 }));
    expect(await minutes()).toEqual([row(type, day, { cancelled: 1 }, [])]);
  });

  test("what several workers end adds up, exactly, at every moment while it is folded", async () => {
    const other = world.shared ? await world.connect() : world.store;
    ok(await other.registerWorker(newWorker("worker-2")));
    const each = 300;
    await world.enqueue(...newTasks(2 * each));
    const own = await world.claim({ limit: each });
    const others = await world.claim({ limit: each, workerId: "worker-2" });
    let settled = 0;
    const settle = async (store: typeof other, claimed: readonly ClaimedTask[], workerId: string) => {
      for (const one of claimed) {
        ok(await store.settleTasks([settlementOf(one, "completed", { workerId })]));
        settled += 1;
      }
    };
    const settling = Promise.all([
      settle(world.store, own, "worker-1"),
      settle(other, others, "worker-2"),
    ]).then(() => "over");
    const reader = world.shared ? await world.connect() : world.store;
    let counted = 0;
    do {
      const before = settled;
      const [now] = await reader.readHistory({ span: "hour", ...always });
      counted = now?.completed ?? 0;
      expect(counted).toBeGreaterThanOrEqual(before);
      expect(counted).toBeLessThanOrEqual(settled + 2);
      expect(Object.values(now?.runs.counts ?? {}).reduce((sum, count) => sum + count, 0)).toBe(counted);
    } while ((await Promise.race([settling, Promise.resolve("going on")])) !== "over");
    await settling;
    for (const span of ["minute", "hour", "day"] as const) {
      expect(await read({ span, ...always })).toEqual([
        row(type, day, { completed: 2 * each }, new Array(2 * each).fill(0)),
      ]);
    }
  });

  test("is read by type and time, from the start on and up to the end", async () => {
    for (const type of ["a", "b", "Ü 한국"]) {
      await write(
        ...[0, 1, 2, 3].map((minute) => ({
          ...row(type, day + minute * minuteMs, { completed: 1 }, [minute]),
          span: "minute" as const,
        })),
      );
    }
    const found = await read({
      span: "minute",
      types: ["Ü 한국", "a", "nobody"],
      start: day + minuteMs,
      end: day + 3 * minuteMs,
      limit: 100,
    });
    expect(found.map(({ start, type }) => [(start - day) / minuteMs, type])).toEqual([
      [1, "a"],
      [1, "Ü 한국"],
      [2, "a"],
      [2, "Ü 한국"],
    ]);
    expect(await read({ span: "minute", types: [], ...always })).toEqual([]);
    const first = await read({ span: "minute", ...always, limit: 2 });
    expect(first.map(({ start, type }) => [start - day, type])).toEqual([
      [0, "a"],
      [0, "b"],
    ]);
  });

  test("what is not folded yet is read by type, time and limit as well, in the place it belongs to", async () => {
    for (const type of ["b", "🦋", "\ufffd"]) {
      await write({ ...row(type, day, { completed: 2 }, [1, 2]), span: "hour" });
      const claimed = await running(1, { type });
      await world.clock.advance(5);
      await settleAll(claimed);
    }
    const typesAt = async (facts: Partial<Parameters<typeof read>[0]>) =>
      (await read({ span: "hour", ...always, ...facts })).map(({ type, completed }) => [type, completed]);
    expect(await typesAt({})).toEqual([
      ["b", 3],
      ["\ufffd", 3],
      ["🦋", 3],
    ]);
    expect(await typesAt({ limit: 2 })).toEqual([
      ["b", 3],
      ["\ufffd", 3],
    ]);
    expect(await typesAt({ types: ["🦋"] })).toEqual([["🦋", 3]]);
    expect(await typesAt({ start: day + 1 }), "the hour began before").toEqual([]);
    expect(await typesAt({ end: day }), "the end is not in it").toEqual([]);
  });

  test("rows of a copy are stored as they are, once, and beside those that are there", async () => {
    const kept = row("b", day, { completed: 9 }, [9]);
    await write({ ...kept, span: "hour" }, { ...kept, span: "minute" });
    const moved = [
      { ...row("a", day, { completed: 2, failed: 1 }, [5, 7]), span: "hour" },
      { ...row("b", day, { completed: 1 }, []), span: "hour" },
      { ...row("a", day + dayMs, { retried: 4 }, [1]), span: "day" },
    ] as const;
    await write();
    for (let times = 0; times < 2; times += 1) await write(...moved);
    expect(await read({ span: "hour", ...always })).toEqual([
      row("a", day, { completed: 2, failed: 1 }, [5, 7]),
      kept,
    ]);
    expect(await read({ span: "day", ...always, types: ["a"] })).toEqual([
      row("a", day + dayMs, { retried: 4 }, [1]),
    ]);
    expect(await read({ span: "minute", ...always })).toEqual([kept]);
  });

  test("a copy has the whole history of its source, however long and wide it is", async () => {
    const types = Array.from({ length: 6_000 }, (_, n) => `type-${n}`);
    const wide = types.map((type) => ({ ...row(type, day, { failed: 1 }, [3]), span: "hour" as const }));
    const long = Array.from({ length: 6_000 }, (_, n) => ({
      ...row(`type-${n % 2}`, day + n * minuteMs, { completed: 1 }, [n]),
      span: "minute" as const,
    }));
    for (const rows of [wide, long]) await write(...rows);
    await settleAll(await running(3));
    ok(await world.store.stopWorker("worker-1"));
    const target = createSqliteStore({ path: ":memory:", clock: world.clock });
    await target.open();
    const [ended] = await world.store.readHistory({ span: "hour", ...always, types: [type] });
    expect(ended).toEqual(row(type, day, { completed: 3 }, [0, 0, 0]));
    for (let times = 0; times < 2; times += 1) await copyTasks(await world.owner(), target, "elsewhere");
    for (const span of ["minute", "hour", "day"] as const) {
      const all = { span, ...always, limit: 20_000 };
      expect(await target.readHistory(all)).toEqual(await world.store.readHistory(all));
    }
    await target.close();
  });

  test("old rows of one span are deleted, the oldest first, and those of the others stay", async () => {
    for (let minute = 0; minute < 10; minute += 1) {
      await settleAll(await running(1));
      await world.clock.advance(minuteMs);
    }
    const before = day + 7 * minuteMs;
    expect(ok(await world.store.pruneHistory({ span: "minute", before, limit: 4 }))).toBe(4);
    expect((await minutes()).map(({ start }) => (start - day) / minuteMs)).toEqual([4, 5, 6, 7, 8, 9]);
    expect(ok(await world.store.pruneHistory({ span: "minute", before, limit: 4 }))).toBe(3);
    expect(ok(await world.store.pruneHistory({ span: "minute", before, limit: 4 }))).toBe(0);
    expect((await read({ span: "hour", ...always })).map(({ completed }) => completed)).toEqual([10]);
  });

  test("it stays when tasks are deleted", async () => {
    await settleAll(await running(4));
    const kept = await minutes();
    expect(ok(await world.store.pruneTasks({ status: "COMPLETED", limit: 10 }))).toBe(4);
    expect(await minutes()).toEqual(kept);
  });
});

function row(
  type: string,
  start: number,
  counts: Partial<HistoryRow>,
  waitMs: number[],
  runMs: number[] = waitMs,
): HistoryRow {
  const waits = durationsOf(waitMs);
  const runs = durationsOf(runMs);
  return { type, start, completed: 0, failed: 0, cancelled: 0, retried: 0, ...counts, waits, runs };
}

function durationsOf(all: number[]): Durations {
  const counts: Record<number, number> = {};
  for (const ms of all) counts[bucketOf(ms)] = (counts[bucketOf(ms)] ?? 0) + 1;
  return { counts, max: Math.max(0, ...all) };
}
