import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createTestSchema } from "../../../../tests/support/postgres.ts";
import { toTaskCounts } from "../../../../tests/support/task-counts.ts";
import { createDure, type Dure } from "../../../dure.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const databases = {
  SQLite: async () => ({ url: ":memory:", drop: async () => undefined }),
  PostgreSQL: createTestSchema,
};

describe.each(Object.entries(databases))("summarizeTasks by an attribute on %s", (_, makeDatabase) => {
  let dure: Dure;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    const database = await makeDatabase();
    drop = database.drop;
    dure = createDure({ database: database.url, logger: silent });
    const attributes: Record<string, (payload: any) => any> = {
      userId: (payload) => payload.user,
      note: (payload) => payload.note,
      tags: (payload) => payload.tags,
    };
    const receipt = dure.defineTask(
      "send-receipt",
      async ({ payload }) => {
        if (payload.user === 3) throw new Error("no");
      },
      { maxAttempts: 1, attributes },
    );
    dure.defineTask("resize-image", async () => undefined, {
      attributes: { userId: (payload) => payload.user },
    });
    await receipt.enqueueMany(
      Array.from({ length: 40 }, (_, n) => ({
        payload: {
          user: n % 4,
          ...(n < 3 && { note: "x".repeat(149 + n) }),
          tags: n % 2 ? ["a", "b"] : ["a", "a"],
        },
      })),
    );
    for (let n = 0; n < 5; n += 1) await dure.enqueueTask("resize-image", { user: 1 }, { queue: "slow" });
    await dure.start();
    await vi.waitFor(
      async () => expect(await dure.countTasks({ status: ["PENDING", "RUNNING"] })).toBe(0),
      9_000,
    );
    await dure.enqueueTask("send-receipt", { user: 9 }, { delay: "1h" });
  });

  afterAll(async () => {
    await dure.close();
    await drop();
  });

  const groupsOf = async (options: Parameters<Dure["summarizeTasks"]>[0]) => {
    const { groups, total, complete } = await dure.summarizeTasks(options);
    expect(complete).toBe(true);
    expect(total.errorMax).toBe(0);
    return {
      total: total.count,
      groups: [...groups].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    };
  };

  test("an attribute without a name is not offered as what was meant", async () => {
    const failing = dure.summarizeTasks({ by: ["attribute."] });
    await expect(failing).rejects.toThrow(/"attribute\."; it must be one of [^?]*"attribute\.…"\.$/);
  });

  test.each([
    ["atribute.userId", "attribute.userId"],
    ["atributes.plan", "attribute.plan"],
    ["stauts", "status"],
  ])("what is misspelt is told with what is near: %s", async (key, near) => {
    const by = key as "status";
    await expect(dure.summarizeTasks({ by: [by] })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(new RegExp(`"${key}"; it must be one of .*Did you mean "${near}"\\?`)),
    });
  });

  test("of an attribute that no definition declares there is no group, and a hint says so", async () => {
    for (const query of ["", "status:pending"]) {
      const { groups, hint } = await dure.summarizeTasks({ by: ["attribute.usrId"], query });
      expect(groups).toEqual([]);
      expect(hint).toBe('No definition declares an attribute "usrId". Did you mean "userId"?');
    }
    const none = await dure.summarizeTasks({ by: ["attribute.userId"], query: "priority:77" });
    expect(none).toMatchObject({ groups: [], total: { count: 0 } });
    expect(none).not.toHaveProperty("hint");
    expect(await dure.summarizeTasks({ by: ["attribute.userId"] })).not.toHaveProperty("hint");
  });

  test("counts each value, with or without conditions that no index of attributes knows", async () => {
    const byUser = { by: ["attribute.userId"] } as const;
    const all = await groupsOf(byUser);
    expect(all).toEqual({
      total: 46,
      groups: [
        { "attribute.userId": 0, count: 10 },
        { "attribute.userId": 1, count: 15 },
        { "attribute.userId": 2, count: 10 },
        { "attribute.userId": 3, count: 10 },
        { "attribute.userId": 9, count: 1 },
      ],
    });
    // The same, task by task.
    expect(await groupsOf({ ...byUser, priority: { gte: -1_000 } })).toEqual(all);
    expect((await groupsOf({ ...byUser, queue: "slow" })).groups).toEqual([
      { "attribute.userId": 1, count: 5 },
    ]);
    expect((await groupsOf({ ...byUser, status: "PENDING" })).groups).toEqual([
      { "attribute.userId": 9, count: 1 },
    ]);
    expect((await groupsOf({ ...byUser, status: "FAILED" })).groups).toEqual([
      { "attribute.userId": 3, count: 10 },
    ]);
  });

  test("with status, type, queue and time", async () => {
    const byStatus = { by: ["attribute.userId", "status", "type"], status: ["FAILED", "COMPLETED"] } as const;
    const found = await groupsOf({ ...byStatus, by: [...byStatus.by], status: [...byStatus.status] });
    expect(found.groups).toEqual([
      { "attribute.userId": 0, status: "COMPLETED", type: "send-receipt", count: 10 },
      { "attribute.userId": 1, status: "COMPLETED", type: "resize-image", count: 5 },
      { "attribute.userId": 1, status: "COMPLETED", type: "send-receipt", count: 10 },
      { "attribute.userId": 2, status: "COMPLETED", type: "send-receipt", count: 10 },
      { "attribute.userId": 3, status: "FAILED", type: "send-receipt", count: 10 },
    ]);
    const byQueue = await groupsOf({ by: ["queue", "attribute.userId"], type: "resize-image" });
    expect(byQueue.groups).toEqual([{ queue: "slow", "attribute.userId": 1, count: 5 }]);
    const { groups } = await groupsOf({ by: ["day", "attribute.userId", "status"], status: "FAILED" });
    expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(10);
    expect(groups[0]!.day).toBeInstanceOf(Date);
  });

  test("lists count once for each value, long texts by their beginning", async () => {
    const tags = await groupsOf({ by: "attribute.tags" });
    expect(tags.groups).toEqual([
      { "attribute.tags": "a", count: 40 },
      { "attribute.tags": "b", count: 20 },
    ]);
    const notes = [
      { "attribute.note": "x".repeat(149), count: 1 },
      { "attribute.note": "x".repeat(150), count: 1 },
      { "attribute.note": `${"x".repeat(150)}…`, count: 1 },
    ];
    for (const filter of [{}, { priority: { gte: -1_000 } }]) {
      const { groups } = await groupsOf({ by: "attribute.note", ...filter });
      expect(new Set(groups)).toEqual(new Set(notes));
    }
    expect((await groupsOf({ by: "attribute.nothing" })).groups).toEqual([]);
  });

  test("of many values the hundred of most tasks are listed", async () => {
    const order = dure.defineTask("order", async () => undefined, {
      attributes: { order: (payload: number) => payload },
    });
    await order.enqueueMany(Array.from({ length: 300 }, (_, n) => ({ payload: n % 180, delay: "1h" })));
    for (const filter of [{}, { priority: { gte: -1_000 } }]) {
      const { groups, valuesLeftOut } = await dure.summarizeTasks({ by: "attribute.order", ...filter });
      expect(groups).toHaveLength(100);
      expect(groups.every(({ count }) => count === 2)).toBe(true);
      expect(valuesLeftOut).toBe(80);
    }
  });

  test("two attributes, or none by name, are refused", async () => {
    await expect(dure.summarizeTasks({ by: ["attribute.a", "attribute.b"] })).rejects.toThrow(
      /give one of them/,
    );
    await expect(dure.summarizeTasks({ by: "attribute." as never })).rejects.toThrow(/by is "attribute\."/);
  });

  test("how long the tasks of each group waited and ran, of those that have", async () => {
    const { groups, complete } = await dure.summarizeTasks({
      by: ["type", "status", "attribute.userId"],
      percentiles: true,
    });
    expect(complete).toBe(true);
    const tasks = await dure.searchTasks({ limit: 1_000, definitions: false });
    for (const { status, type, waitMs, runMs, count, "attribute.userId": userId } of groups) {
      const own = tasks.filter(
        (task) => task.type === type && task.status === status && task.payload.user === userId,
      );
      expect(own).toHaveLength(count);
      const waits = own.flatMap(({ startedAt, createdAt }) => (startedAt ? [+startedAt - +createdAt] : []));
      const runs = own.flatMap(({ startedAt, completedAt }) =>
        completedAt ? [+completedAt - +startedAt!] : [],
      );
      expect([waitMs?.max, runMs?.max]).toEqual([
        waits.length > 0 ? Math.max(...waits) : undefined,
        runs.length > 0 ? Math.max(...runs) : undefined,
      ]);
      const median = waits.sort((a, b) => a - b)[Math.ceil(waits.length / 2) - 1] ?? 0;
      expect(Math.abs((waitMs?.p50 ?? 0) - median)).toBeLessThanOrEqual(median * 0.0625);
    }
    expect(groups.some(({ waitMs }) => waitMs === undefined)).toBe(true);
    expect((await dure.summarizeTasks({ by: "type" })).groups[0]).not.toHaveProperty("waitMs");
  });

  test("what cannot be counted in the budget is told of the newest thousand, and says so", async () => {
    const level = dure.defineTask("level", async () => undefined, {
      attributes: { level: (payload: string) => payload },
    });
    const all = Array.from({ length: 1_200 }, (_, n) => ({ payload: n % 4 ? "low" : "high", delay: "1h" }));
    await level.enqueueMany(all);
    const store = await dure.instance.store();
    vi.spyOn(store, "countAttribute").mockResolvedValueOnce({ counts: [], leftOut: 0, isWhole: false });
    const search = { by: "attribute.level", type: "level", budget: "1m" } as const;
    const { groups, total, complete, sampled } = await dure.summarizeTasks(search);
    expect([total.count, complete, sampled]).toEqual([1_200, false, 1_000]);
    expect(groups.map(({ count }) => count).reduce((sum, count) => sum + count)).toBe(1_000);
    expect(groups[0]).toMatchObject({ "attribute.level": "low" });
    expect(await dure.summarizeTasks(search)).toMatchObject({
      complete: true,
      groups: [{ count: 900 }, { count: 300 }],
    });
  });

  test("a sample has what the index of attributes left of the budget", async () => {
    const store = await dure.instance.store();
    let at = 0;
    vi.spyOn(dure.instance.clock, "monotonic").mockImplementation(() => at);
    vi.spyOn(store, "countAttribute").mockImplementationOnce(async () => {
      at += 40_000;
      return { counts: [], leftOut: 0, isWhole: false };
    });
    const searched = vi.spyOn(store, "searchTasks");
    await dure.summarizeTasks({ by: "attribute.level", type: "level", budget: "1m" });
    expect(searched.mock.calls[0]![0].budgetMs).toBe(20_000);
    vi.restoreAllMocks();
  });

  test("groups of a condition and their total are of one budget", async () => {
    const store = await dure.instance.store();
    let at = 0;
    vi.spyOn(dure.instance.clock, "monotonic").mockImplementation(() => at);
    const searched = vi.spyOn(store, "searchTasks").mockImplementationOnce(async ({ budgetMs }) => {
      at += budgetMs!;
      return { tasks: [], stoppedAt: { at: 0, id: "" } } as never;
    });
    const counted = vi.spyOn(store, "countTasks");
    const { complete } = await dure.summarizeTasks({ by: "type", query: "payload.user:3", budget: "1m" });
    expect(complete).toBe(false);
    expect(searched.mock.calls[0]![0].budgetMs).toBe(45_000);
    expect(counted.mock.calls[0]![0].budgetMs).toBe(15_000);
    vi.restoreAllMocks();
  });

  test.each([
    [{ count: 0, errorMax: 6_962 }, 1_000, 5_962],
    [{ count: 1_100, errorMax: 300 }, 1_100, 300],
    [{ count: 1_100, errorMax: 1_100 }, 1_100, 1_100],
    [{ count: 900, errorMax: 0 }, 1_000, 0],
  ])(
    "a total is never less than its groups when the budget ran out: %j",
    async (estimate, count, errorMax) => {
      const store = await dure.instance.store();
      const page = await store.searchTasks({
        ...{ sortBy: "createdAt", descending: true, limit: 1, offset: 0, definitions: false },
      });
      const tasks = Array.from({ length: 1_000 }, () => page.tasks[0]!);
      vi.spyOn(store, "searchTasks").mockResolvedValueOnce({ tasks, stoppedAt: { at: 0, id: "" } } as never);
      vi.spyOn(store, "countTasks").mockResolvedValueOnce(estimate);
      const { groups, total, sampled } = await dure.summarizeTasks({ by: "type", query: "payload.user:>=1" });
      expect([groups[0]!.count, sampled, total]).toEqual([1_000, 1_000, { count, errorMax }]);
      vi.restoreAllMocks();
    },
  );

  test("what was not filled in when the budget ran out is told beside the total, as always", async () => {
    const store = await dure.instance.store();
    const page = { tasks: [], stoppedAt: { at: 0, id: "" } } as never;
    vi.spyOn(store, "searchTasks").mockResolvedValueOnce(page);
    vi.spyOn(store, "countTasks").mockResolvedValueOnce({ count: 5, errorMax: 3, unfilled: 2 });
    const summary = await dure.summarizeTasks({ by: "type", query: "userId:3", budget: "1m" });
    expect(summary).toMatchObject({ complete: false, unfilled: 2 });
    expect(summary.total).toEqual({ count: 5, errorMax: 3 });
    vi.restoreAllMocks();
  });

  describe("by stretches of time that no counter keeps", () => {
    const updatedAtRange = { start: new Date(0) };
    const search = { type: "sliced", by: ["status", "minute"], budget: "1ms" } as const;
    const uncounted = { ...search, updatedAtRange } as const;
    const now = Date.now();

    beforeAll(async () => {
      const sliced = dure.defineTask("sliced", async () => undefined);
      const clock = vi.spyOn(dure.instance.clock, "now");
      for (let seconds = 2 ** 16; seconds >= 1; seconds /= 2) {
        clock.mockReturnValue(now - seconds * 1_000);
        await sliced.enqueueMany(Array.from({ length: 5 }, () => ({ payload: seconds, delay: "1d" })));
      }
      vi.restoreAllMocks();
    });

    const sum = (groups: readonly { count: number }[]) => groups.reduce((all, { count }) => all + count, 0);

    test("slices have what one look has, of both instants and within ranges", async () => {
      vi.spyOn(dure.instance.clock, "monotonic").mockReturnValue(0);
      for (const createdAtRange of [{}, { start: new Date(now - 900_000) }, { end: new Date(now - 9_000) }]) {
        for (const time of ["createdAt", "updatedAt"] as const) {
          const sliced = await dure.summarizeTasks({ ...search, createdAtRange, time });
          expect(sliced.complete).toBe(true);
          expect(sliced).toEqual(
            await dure.summarizeTasks({ ...search, createdAtRange, time, budget: "none" }),
          );
        }
      }
      vi.restoreAllMocks();
    });

    test("a slice is no longer than what it has allows", async () => {
      const store = await dure.instance.store();
      let at = 0;
      vi.spyOn(dure.instance.clock, "monotonic").mockImplementation(() => at);
      vi.spyOn(store, "countTasks").mockImplementation(async ({ created }) => {
        const lengthMs = created ? (created.end ?? Date.now()) - created.start! : 2 ** 20;
        return { count: Math.ceil(lengthMs / 250), errorMax: 0 };
      });
      const slices = vi.spyOn(store, "summarizeTasks").mockImplementation(async () => {
        at += 0.09;
        return toTaskCounts([]);
      });
      await dure.summarizeTasks(uncounted);
      const lengths = slices.mock.calls.slice(1).map(([{ created }]) => created!.end! - created!.start!);
      expect(lengths.length).toBeGreaterThan(5);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(50 * 250);
      vi.restoreAllMocks();
    });

    test("of kept counts a slice is as many minutes, however many tasks they have", async () => {
      const store = await dure.instance.store();
      vi.spyOn(dure.instance.clock, "monotonic").mockReturnValue(0);
      const counted = vi.spyOn(store, "countTasks").mockResolvedValue({ count: 1e9, errorMax: 0 });
      const slices = vi.spyOn(store, "summarizeTasks").mockResolvedValue(toTaskCounts([]));
      const start = new Date(now - 29 * 86_400_000);
      const { complete } = await dure.summarizeTasks({ ...search, createdAtRange: { start } });
      expect([complete, slices.mock.calls.length]).toEqual([true, 15]);
      expect(counted.mock.calls.length).toBeLessThan(20);
      vi.restoreAllMocks();
    });

    test("when the budget runs out the newest are told, and of how many the groups are", async () => {
      const store = await dure.instance.store();
      let at = 0;
      vi.spyOn(dure.instance.clock, "monotonic").mockImplementation(() => at);
      const slices = vi.spyOn(store, "summarizeTasks").mockImplementation(async () => {
        at += 0.15;
        return toTaskCounts([{ type: "sliced", queue: "default", status: "PENDING", at: 0, count: 7 }]);
      });
      const { groups, complete, sampled, total } = await dure.summarizeTasks(uncounted);
      expect([sum(groups), complete, sampled, total.count]).toEqual([49, false, 49, 85]);
      const [[newest], [older]] = slices.mock.calls as [[any], [any]];
      expect(newest.created.end).toBeUndefined();
      expect(older.created.end).toBe(newest.created.start);
      const starts = slices.mock.calls.map(([{ created }]) => created!.start!);
      expect(starts.every(Number.isInteger)).toBe(true);
      vi.restoreAllMocks();
    });
  });
});
