import { expect, test } from "vitest";
import { bucketOf, type Durations } from "../../server/tasks/core/duration-counts.ts";
import type { HistoryRow } from "../../server/tasks/core/store.ts";
import { copyTasks } from "../../server/tasks/runtime/copier.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { startAt } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** The start of a day. */
const day = Math.floor(startAt / dayMs) * dayMs;
const always = { start: 0, end: day + 1_000 * dayMs, limit: 1_000 };

onEachStore("the history", (world) => {
  const add = async (...rows: HistoryRow[]) => ok(await world.store.addHistory(rows));
  const read = world.shared
    ? async (request: Parameters<typeof world.store.readHistory>[0]) =>
        (await world.connect()).readHistory(request)
    : (request: Parameters<typeof world.store.readHistory>[0]) => world.store.readHistory(request);

  test("what is added to a minute is added to its hour and its day", async () => {
    const first = row("send-receipt", day + 59 * minuteMs, { completed: 3, retried: 1 }, [5, 40, 900, 7]);
    const second = row("send-receipt", day + hourMs, { completed: 1, failed: 2 }, [40, 41, 100_000]);
    await add(first);
    await add(second);
    expect(await read({ span: "minute", ...always })).toEqual([first, second]);
    expect(await read({ span: "hour", ...always })).toEqual([{ ...first, start: day }, second]);
    expect(await read({ span: "day", ...always })).toEqual([
      row("send-receipt", day, { completed: 4, failed: 2, retried: 1 }, [5, 40, 900, 7, 40, 41, 100_000]),
    ]);
  });

  test("counts and durations of several workers add up, however they arrive", async () => {
    const other = world.shared ? await world.connect() : world.store;
    const parts = Array.from({ length: 12 }, (_, n) =>
      row(
        n % 3 === 0 ? "resize-image" : "send-receipt",
        day + (n % 2) * minuteMs,
        { completed: n, cancelled: 1 },
        [n * 37, 12],
      ),
    );
    const answers = await Promise.all([
      ...parts.slice(0, 6).map((part) => world.store.addHistory([part])),
      other.addHistory(parts.slice(6).reverse()),
    ]);
    answers.forEach(ok);
    const expected = [0, 1].flatMap((minute) =>
      ["resize-image", "send-receipt"].map((type) => {
        const own = parts.filter((part) => part.type === type && part.start === day + minute * minuteMs);
        const sum = { completed: 0, cancelled: 0 };
        for (const { completed, cancelled } of own) {
          sum.completed += completed;
          sum.cancelled += cancelled;
        }
        return row(
          type,
          day + minute * minuteMs,
          sum,
          own.flatMap((part) => [parts.indexOf(part) * 37, 12]),
        );
      }),
    );
    expect(await read({ span: "minute", ...always })).toEqual(expected);
  });

  test("one call may hold a minute twice, or nothing", async () => {
    await add();
    await add(row("a", day, { failed: 1 }, [1]), row("a", day, { failed: 2 }, [1, 2]));
    expect(await read({ span: "minute", ...always })).toEqual([row("a", day, { failed: 3 }, [1, 1, 2])]);
  });

  test("rows without any duration are kept as well", async () => {
    await add(row("a", day, { failed: 1 }, []));
    await add(row("a", day, { failed: 1 }, []));
    expect(await read({ span: "day", ...always })).toEqual([row("a", day, { failed: 2 }, [])]);
  });

  test("is read by type and time, from the start on and up to the end", async () => {
    for (const type of ["a", "b", "Ü 한국"]) {
      await add(
        ...[0, 1, 2, 3].map((minute) => row(type, day + minute * minuteMs, { completed: 1 }, [minute])),
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

  test("rows of a copy are stored as they are, once, and beside those that are there", async () => {
    const kept = row("b", day, { completed: 9 }, [9]);
    await add(kept);
    const moved = [
      { ...row("a", day, { completed: 2, failed: 1 }, [5, 7]), span: "hour" },
      { ...row("b", day, { completed: 1 }, []), span: "hour" },
      { ...row("a", day + dayMs, { retried: 4 }, [1]), span: "day" },
    ] as const;
    ok(await world.store.writeHistory([]));
    for (let times = 0; times < 2; times += 1) ok(await world.store.writeHistory(moved));
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
    for (const rows of [wide, long]) ok(await world.store.writeHistory(rows));
    ok(await world.store.stopWorker("worker-1"));
    const target = createSqliteStore({ path: ":memory:", clock: world.clock });
    await target.open();
    for (let times = 0; times < 2; times += 1) await copyTasks(await world.owner(), target, "elsewhere");
    for (const span of ["minute", "hour", "day"] as const) {
      const all = { span, ...always, limit: 20_000 };
      expect(await target.readHistory(all)).toEqual(await world.store.readHistory(all));
    }
    await target.close();
  });

  test("old rows of one span are deleted, the oldest first, and those of the others stay", async () => {
    await add(...Array.from({ length: 10 }, (_, n) => row("a", day + n * minuteMs, { completed: 1 }, [n])));
    const before = day + 7 * minuteMs;
    expect(ok(await world.store.pruneHistory({ span: "minute", before, limit: 4 }))).toBe(4);
    expect((await read({ span: "minute", ...always })).map(({ start }) => (start - day) / minuteMs)).toEqual([
      4, 5, 6, 7, 8, 9,
    ]);
    expect(ok(await world.store.pruneHistory({ span: "minute", before, limit: 4 }))).toBe(3);
    expect(ok(await world.store.pruneHistory({ span: "minute", before, limit: 4 }))).toBe(0);
    expect((await read({ span: "hour", ...always })).map(({ completed }) => completed)).toEqual([10]);
  });
});

function row(type: string, start: number, counts: Partial<HistoryRow>, durations: number[]): HistoryRow {
  const waits = durationsOf(durations);
  const runs = durationsOf(durations.map((ms) => 2 * ms));
  return { type, start, completed: 0, failed: 0, cancelled: 0, retried: 0, ...counts, waits, runs };
}

function durationsOf(all: number[]): Durations {
  const counts: Record<number, number> = {};
  for (const ms of all) counts[bucketOf(ms)] = (counts[bucketOf(ms)] ?? 0) + 1;
  return { counts, max: Math.max(0, ...all) };
}
