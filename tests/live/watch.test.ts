/** Watching a search: what enters, changes in and leaves it, on every store. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure, type Task, type TaskDefinition } from "../../server/index.ts";
import type { TaskChange, WatchOptions } from "../../server/tasks/core/watch/watch.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

interface Place {
  url: string;
  remove(): Promise<void>;
}

const places: { name: string; make(): Promise<Place> }[] = [
  {
    name: "SQLite",
    make: async () => {
      const folder = mkdtempSync(join(tmpdir(), "dure-watch-"));
      return {
        url: join(folder, "tasks.db"),
        remove: async () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  },
  {
    name: "PostgreSQL",
    make: async () => {
      const { url, drop } = await takeTestSchema();
      return { url, remove: drop };
    },
  },
];

/** Takes changes one by one; waits for each. */
class Watcher {
  readonly #changes: AsyncIterator<TaskChange, undefined>;

  constructor(dure: Dure, options?: WatchOptions) {
    this.#changes = dure.watchTasks(options);
  }

  async next(): Promise<TaskChange> {
    const { value, done } = await this.#changes.next();
    expect(done, "it has ended").toBeFalsy();
    return value!;
  }

  /** Up to the change of this task, in words. */
  async until(change: TaskChange["change"], id: string): Promise<TaskChange> {
    for (;;) {
      const next = await this.next();
      if (next.change === change && next.task.id === id) return next;
    }
  }

  async end(): Promise<void> {
    await this.#changes.return!();
  }
}

describe.each(places)("watchTasks on $name", ({ make }) => {
  let place: Place;
  let dure: Dure;
  let other: Dure;
  let send: TaskDefinition<any>;
  let gate: PromiseWithResolvers<void>;
  const watchers: Watcher[] = [];

  beforeEach(async () => {
    place = await make();
    dure = createDure({ database: place.url });
    other = createDure({ database: place.url });
    gate = Promise.withResolvers<void>();
    send = other.defineTask(
      "send",
      async ({ payload }: { payload: { to?: string; fail?: boolean } }) => {
        await gate.promise;
        if (payload.fail) throw new Error("mailbox full");
      },
      { attributes: { to: (payload: { to?: string }) => payload.to } },
    );
    await dure.stats();
  });
  afterEach(async () => {
    gate.resolve();
    await Promise.all(watchers.splice(0).map((watcher) => watcher.end()));
    await Promise.all([dure.close(), other.close()]);
    await place.remove();
  });

  async function watch(options?: WatchOptions): Promise<Watcher> {
    const watcher = new Watcher(dure, options);
    watchers.push(watcher);
    return watcher;
  }

  /** A watcher that is known to have begun: it is told of a task of its own. */
  async function begun(options: WatchOptions = {}): Promise<Watcher> {
    const begins = Promise.withResolvers<void>();
    const watcher = await watch({ ...options, onBegin: begins.resolve });
    const first = watcher.next();
    await begins.promise;
    const mark = await send.enqueue({ to: "mark" }, { tags: ["mark"] });
    expect((await first).task.id).toBe(mark.id);
    return watcher;
  }

  test("a watch that is broken off and gone on by each change's cursor tells every change once", async () => {
    let { updatedCursor: since } = await dure.searchTaskPage({ updatedSince: "now" });
    const tasks = await send.enqueueMany(Array.from({ length: 23 }, () => ({ payload: {} })));
    const told: string[] = [];
    while (told.length < tasks.length) {
      let taken = 0;
      for await (const { task, cursor } of dure.watchTasks({ type: "send", since: since! })) {
        told.push(task.id);
        since = cursor;
        taken += 1;
        if (taken === 10 || told.length === tasks.length) break;
      }
    }
    expect(told.toSorted()).toEqual(tasks.map(({ id }) => id).toSorted());
  });

  test("a task's way through a search, told from another process's changes", async () => {
    const watcher = await begun({ query: "type:send" });
    await other.start();
    const task = await send.enqueue({});
    const entered = await watcher.until("entered", task.id);
    expect(["PENDING", "RUNNING"]).toContain(entered.task.status);
    gate.resolve();
    for (;;) {
      const change = await watcher.until("changed", task.id);
      if (change.task.status === "COMPLETED") break;
    }
  });

  test("what leaves, also when it was there before the watch began", async () => {
    const early = await send.enqueue({ fail: true });
    const watcher = await begun({ status: ["PENDING", "RUNNING"] });
    const late = await send.enqueue({ fail: true });
    await watcher.until("entered", late.id);
    await other.start();
    gate.resolve();
    const left = [await watcher.until("left", early.id), await watcher.until("left", late.id)].map(
      ({ task }) => task.status,
    );
    expect(left).toEqual(["FAILED", "FAILED"]);
  });

  test("attributes, payloads and texts", async () => {
    const byAttribute = await begun({ attributes: { to: { in: ["mark", "ann"] } } });
    const byPayload = await begun({ payload: { to: { in: ["mark", "ann"] } } });
    const byText = await begun({ text: "MARK" });
    await send.enqueue({ to: "bob" });
    const task = await send.enqueue({ to: "ann" }, { description: "Market" });
    expect((await byText.next()).task.id).toBe(task.id);
    expect((await byAttribute.until("entered", task.id)).task.payload).toEqual({ to: "ann" });
    await byPayload.until("entered", task.id);
  });

  test("text in the logs and the error's stack of an attempt", async () => {
    const byLog = await begun({ or: [{ text: "asked the server" }, { tag: "mark" }] });
    const byStack = await begun({ or: [{ text: "sendLetter (mail.ts" }, { tag: "mark" }] });
    other.defineTask("letter", async (_task, context) => {
      context.log.info("Asked the Server");
      throw Object.assign(new Error("mailbox full"), {
        stack: "Error: mailbox full\n    at sendLetter (mail.ts:1:1)",
      });
    });
    await other.start();
    gate.resolve();
    const { id } = await other.enqueueTask("letter", {});
    // What it logs may be stored while it still runs.
    await byLog.until("entered", id);
    // It may be found by what its attempt left after the task was read: then it is told once more.
    const told = await byStack.until("entered", id);
    const last = told.task.status === "FAILED" ? told : await byStack.until("changed", id);
    expect(last.task.status).toBe("FAILED");
  });

  test("goes on from a cursor, and tells what left meanwhile", async () => {
    const first = await begun({ status: "PENDING" });
    const tasks = await send.enqueueMany([{ payload: {} }, { payload: {} }]);
    const seen: TaskChange[] = [await first.next(), await first.next()];
    expect(seen.map(({ task }) => task.id).sort()).toEqual(tasks.map(({ id }) => id).sort());
    await first.end();
    await other.cancelTask(tasks[0]!.id);
    const added = await send.enqueue({});
    const second = await watch({ status: "PENDING", since: seen[1]!.cursor });
    const changes = [await second.next(), await second.next()];
    expect(changes.map(({ change, task }) => `${change} ${task.id}`).sort()).toEqual(
      [`left ${tasks[0]!.id}`, `entered ${added.id}`].sort(),
    );
  });

  test("ends by its signal, by return and with the instance", async () => {
    const controller = new AbortController();
    const bySignal = dure.watchTasks({ signal: controller.signal });
    const byReturn = dure.watchTasks();
    const byClose = dure.watchTasks();
    const nexts = [bySignal.next(), byReturn.next(), byClose.next()];
    await new Promise((resolve) => setTimeout(resolve, 100));
    controller.abort();
    await byReturn.return!();
    await dure.close();
    expect(await Promise.all(nexts)).toEqual([1, 2, 3].map(() => ({ done: true, value: undefined })));
  });

  test("ends with the instance that is closed while the watch begins", async () => {
    const store = await dure.instance.store();
    const watcher = dure.watchTasks();
    const searchTasks = store.searchTasks.bind(store);
    store.searchTasks = async (search) => {
      await dure.close();
      return searchTasks(search);
    };
    expect(await watcher.next()).toEqual({ done: true, value: undefined });
  });

  test("many watchers share one reader, and one that does not pull keeps the latest state of each task", async () => {
    const store = await dure.instance.store();
    const slow = await begun();
    const watchersOfAll = await Promise.all(Array.from({ length: 20 }, () => begunLater()));
    let reads = 0;
    const readChanges = store.readChanges.bind(store);
    store.readChanges = (request) => {
      reads += 1;
      return readChanges(request);
    };
    const began = performance.now();
    const task = await send.enqueue({});
    for (let priority = 1; priority <= 5; priority++) {
      await other.editTask(task.id, { priority });
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
    for (const watcher of watchersOfAll) {
      for (;;) if ((await watcher.next()).task.priority === 5) break;
    }
    // Four looks a second at most; were there a reader for each, 21 times as many.
    expect(reads).toBeLessThan(8 + (performance.now() - began) / 250);
    expect((await slow.until("entered", task.id)).task.priority).toBe(5);

    async function begunLater() {
      const begins = Promise.withResolvers<void>();
      const watcher = await watch({ onBegin: begins.resolve });
      const first = watcher.next();
      await begins.promise;
      await send.enqueue({});
      await first;
      return watcher;
    }
  });

  test("more than the buffer holds is read when there is room again", { timeout: 60_000 }, async () => {
    const slow = await begun();
    const ids = new Set<string>();
    for (let batch = 0; batch < 6; batch++) {
      const tasks = await send.enqueueMany(Array.from({ length: 1_000 }, () => ({ payload: {} })));
      for (const { id } of tasks) ids.add(id);
    }
    while (ids.size > 0) ids.delete((await slow.next()).task.id);
  });

  test("a search of what has changed since a cursor, page by page", async () => {
    await send.enqueue({ to: "before" });
    const { tasks: none, updatedCursor: start } = await dure.searchTaskPage({ updatedSince: "now" });
    expect(none).toEqual([]);
    const tasks = await send.enqueueMany(
      Array.from({ length: 7 }, (_, at) => ({ payload: { to: `${at % 2}` } })),
    );
    const found: string[] = [];
    for (let since = start!, complete = false; !complete; ) {
      const page = await dure.searchTaskPage({ updatedSince: since, limit: 3, query: "type:send to:0" });
      expect(page.tasks.length).toBeLessThanOrEqual(3);
      found.push(...page.tasks.map(({ id }) => id));
      ({ complete } = page);
      since = page.updatedCursor!;
    }
    const wanted = tasks.filter(({ payload }) => payload.to === "0").map(({ id }) => id);
    expect(found.sort()).toEqual(wanted.sort());
    await other.cancelTask(wanted[0]!);
    const changed = await dure.searchTasks({ updatedSince: start!, status: "CANCELLED" });
    expect(changed.map(({ id }) => id)).toEqual([wanted[0]]);
    await expect(dure.searchTasks({ updatedSince: start!, sortBy: "id" })).rejects.toThrow(/sortBy/);
    await expect(dure.countTasks({ updatedSince: start! })).rejects.toThrow(/updatedSince/);
  });

  test("a set that is kept by what is told is what a search finds, also when the watch begins anew", {
    timeout: 60_000,
  }, async () => {
    const filter: WatchOptions = {
      status: ["PENDING", "FAILED"],
      not: { priority: { gte: 6 } },
      type: "send",
    };
    const kept = new Map<string, Task>();
    let cursor: string | undefined;
    let restarts = 0;
    let isOver = false;
    let end: () => unknown = () => undefined;
    const following = (async () => {
      while (!isOver) {
        const watcher = dure.watchTasks({ ...filter, ...(cursor && { since: cursor }) });
        end = () => watcher.return!();
        let told = 0;
        const enough = [3, 8, 20, 40][restarts] ?? Number.POSITIVE_INFINITY;
        for await (const change of watcher) {
          if (change.change === "left") kept.delete(change.task.id);
          else kept.set(change.task.id, change.task);
          ({ cursor } = change);
          // Mostly somewhere in the middle of a page, which comes again then.
          if (++told > enough) break;
        }
        restarts += 1;
      }
    })();
    await begunBy(following, () => send.enqueue({ fail: true }), kept);
    gate.resolve();
    await other.start();
    const all: string[] = [...kept.keys()];
    for (let round = 0; round < 60; round++) {
      const anyId = () => all[Math.floor(Math.random() * all.length)]!;
      const ignored = () => undefined;
      const tasks = await send.enqueueMany([
        { payload: { fail: true } },
        { payload: {}, priority: round % 9, delay: "1h" },
      ]);
      all.push(...tasks.map(({ id }) => id));
      await Promise.all([
        other.editTask(anyId(), { priority: round % 9 }).catch(ignored),
        dure.cancelTask(anyId()).catch(ignored),
        other.retryTask(anyId()).catch(ignored),
      ]);
    }
    await other.stop();
    const found = await dure.searchTasks({
      status: ["PENDING", "FAILED"],
      type: "send",
      limit: 10_000,
      definitions: false,
    });
    const wanted = found.filter(({ priority }) => priority! < 6).map(({ id, version }) => `${id} ${version}`);
    const have = () => [...kept.values()].map(({ id, version }) => `${id} ${version}`).sort();
    await expect.poll(have, { timeout: 20_000 }).toEqual(wanted.sort());
    expect(restarts).toBeGreaterThan(1);
    isOver = true;
    await end();
    await following;
  });

  /** Enqueues until the first is told. */
  async function begunBy(
    following: Promise<unknown>,
    act: () => Promise<unknown>,
    kept: Map<string, unknown>,
  ) {
    while (kept.size === 0) {
      await act();
      await Promise.race([following, new Promise((resolve) => setTimeout(resolve, 300))]);
    }
  }

  test("refuses what makes no sense", async () => {
    expect(() => dure.watchTasks({ limit: 3 } as WatchOptions)).toThrow(/limit/);
    expect(() => dure.watchTasks({ query: "nonsense:" })).toThrow();
    await expect(dure.watchTasks({ since: "nonsense" }).next()).rejects.toMatchObject({
      code: "INVALID_CURSOR",
    });
  });
});
