/** Alert rules of saved searches: which looks enqueue a task, on a clock that the tests advance. */
import { expect, test, vi } from "vitest";
import { define } from "../../server/tasks/core/definition.ts";
import { enqueueTaskIn } from "../../server/tasks/core/enqueue.ts";
import { searchTasksIn } from "../../server/tasks/core/find.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import { cancelTaskIn } from "../../server/tasks/core/manage.ts";
import { Registry } from "../../server/tasks/core/registry.ts";
import {
  type AlertRule,
  deleteSearchIn,
  listSearchesIn,
  saveSearchIn,
} from "../../server/tasks/core/saved-searches.ts";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { Alerts } from "../../server/tasks/runtime/alerts.ts";
import { createSystemIds } from "../../server/tasks/runtime/system-clock.ts";
import { newDefinition, startAt } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";
import type { TestClock } from "../support/test-clock.ts";

const second = 1_000;
const minute = 60 * second;
const rule: AlertRule = { over: 2, for: "5m", enqueue: { type: "page", payload: { team: "mail" } } };

onEachStore("alert rules", (world) => {
  const logged: string[] = [];

  /** One process: its instance, and its worker's look at the rules. */
  function processOn(store: TaskStore, types = ["send-receipt", "page", "all-clear"]) {
    const instance = {
      registry: new Registry(),
      clock: world.clock,
      ids: createSystemIds(world.clock),
      valueSizeMax: 1_024 * 1_024,
      queueDepthMax: () => undefined,
      store: async () => store,
      storeUnopened: async () => store,
      origin: () => undefined,
    } as unknown as Instance;
    for (const type of types) define(instance, type, async () => undefined, {}, processOn as never);
    const logger = {
      info: () => undefined,
      warn: (line: string) => void logged.push(line),
      error: (line: string) => void logged.push(line),
    };
    return { instance, alerts: new Alerts({ instance, logger }) };
  }

  const open = () => {
    logged.length = 0;
    return processOn(world.store);
  };

  async function send(instance: Instance, count: number): Promise<string[]> {
    const tasks = await Promise.all(
      Array.from({ length: count }, (_, order) => enqueueTaskIn(instance, "send-receipt", { order })),
    );
    return tasks.map(({ id }) => id);
  }

  const cancelAll = async (instance: Instance, ids: string[]) => {
    for (const id of ids) await cancelTaskIn(instance, id);
  };

  const enqueued = async (instance: Instance, type = "page") =>
    (await searchTasksIn(instance, { type, sortOrder: "asc", definitions: false })).map(
      ({ payload }) => payload,
    );

  const watch = (instance: Instance, alert: AlertRule = rule) =>
    saveSearchIn(instance, "stuck-emails", { query: "type:send-receipt status:pending", alert });

  /** Looks at once, and then as often as the loop would. */
  async function look(alerts: Alerts, forMs: number): Promise<void> {
    const endAt = world.clock.now() + forMs;
    for (;;) {
      const waitMs = await alerts.tick();
      if (world.clock.now() + waitMs > endAt) break;
      await world.clock.advance(waitMs);
    }
    await world.clock.advance(endAt - world.clock.now());
  }

  test("a count over the bound for the whole time enqueues one task, which is told why", async () => {
    const { instance, alerts } = open();
    await send(instance, 3);
    await watch(instance);
    await look(alerts, 5 * minute - second);
    expect(await enqueued(instance)).toEqual([]);
    await look(alerts, 20 * minute);
    const [alert, ...others] = await enqueued(instance);
    expect(alert).toEqual({
      ...{ team: "mail", search: "stuck-emails", count: 3, since: new Date(startAt) },
      rule: { over: 2, for: "5m" },
    });
    expect(others).toEqual([]);
    const [search] = await listSearchesIn(instance);
    expect(search?.alertState).toMatchObject({
      ...{ count: 3, since: new Date(startAt), enqueuedAt: new Date(startAt + 5 * minute) },
    });
    expect(logged).toEqual([]);
  });

  test("the time begins anew when the count was back in between", async () => {
    const { instance, alerts } = open();
    const ids = await send(instance, 3);
    await watch(instance);
    await look(alerts, 4 * minute);
    await cancelAll(instance, ids.slice(0, 1));
    await look(alerts, 30 * second);
    await send(instance, 1);
    await look(alerts, 4 * minute);
    expect(await enqueued(instance)).toEqual([]);
    await look(alerts, 2 * minute);
    expect(await enqueued(instance)).toHaveLength(1);
  });

  test("a second episode has a task of its own, and the end of each is told where the rule wants it", async () => {
    const { instance, alerts } = open();
    await watch(instance, { over: 0, enqueue: { type: "page" }, recovered: { type: "all-clear" } });
    await look(alerts, minute);
    expect(await enqueued(instance, "all-clear")).toEqual([]);
    const starts: number[] = [];
    for (let episode = 0; episode < 2; episode += 1) {
      const ids = await send(instance, 2);
      await look(alerts, 2 * minute);
      starts.push((await listSearchesIn(instance))[0]!.alertState!.since!.getTime());
      await cancelAll(instance, ids);
      await look(alerts, 2 * minute);
    }
    const sinces = async (type: string) =>
      (await enqueued(instance, type)).map(({ since, count }: any) => [since.getTime(), count]);
    expect(new Set(starts).size).toBe(2);
    expect(await sinces("page")).toEqual(starts.map((at) => [at, 2]));
    expect(await sinces("all-clear")).toEqual(starts.map((at) => [at, 0]));
    const { alertState } = (await listSearchesIn(instance))[0]!;
    expect(alertState).toMatchObject({ count: 0, lastEnqueuedAt: new Date(starts[1]!) });
    expect(alertState?.enqueuedAt).toBeUndefined();
  });

  test("a count under the bound is out of it too", async () => {
    const { instance, alerts } = open();
    await watch(instance, { over: 3, under: 1, enqueue: { type: "page" } });
    await look(alerts, minute);
    expect(await enqueued(instance)).toMatchObject([{ count: 0, rule: { over: 3, under: 1 } }]);
    await send(instance, 2);
    await look(alerts, minute);
    expect((await listSearchesIn(instance))[0]!.alertState!.since).toBeUndefined();
    await send(instance, 2);
    await look(alerts, minute);
    expect(await enqueued(instance)).toMatchObject([{ count: 0 }, { count: 4 }]);
  });

  test("of many workers that look at the same moment, one counts, and one task is enqueued", async () => {
    open();
    const stores = [world.store, ...(world.shared ? [await world.connect(), await world.connect()] : [])];
    const counts = stores.map((store) => vi.spyOn(store, "countTasks"));
    const processes = [...stores, ...stores].map((store) => processOn(store));
    const { instance } = processes[0]!;
    await send(instance, 3);
    await watch(instance, { ...rule, for: "1m" });
    for (let at = 0; at < 10; at += 1) {
      await Promise.all(processes.map(({ alerts }) => alerts.tick()));
      await world.clock.advance(15 * second);
    }
    expect(await enqueued(instance)).toHaveLength(1);
    expect(counts.flatMap(({ mock }) => mock.calls)).toHaveLength(5);
    expect(logged).toEqual([]);
  });

  test("a worker that dies right after it has enqueued is followed by one that enqueues no second task", async () => {
    const { instance } = open();
    await send(instance, 3);
    await watch(instance, { ...rule, for: 0 });
    let writes = 0;
    const dying = Object.create(world.store, {
      writeAlertState: {
        value: async (...given: Parameters<TaskStore["writeAlertState"]>) => {
          writes += 1;
          if (writes === 3) throw new Error("The process was killed.");
          return world.store.writeAlertState(...given);
        },
      },
    }) as TaskStore;
    for (const verb of ["listSearches", "countTasks", "enqueueTasks", "listDefinitions"] as const)
      Object.defineProperty(dying, verb, { value: (world.store[verb] as any).bind(world.store) });
    await processOn(dying)
      .alerts.tick()
      .catch(() => undefined);
    expect(await enqueued(instance)).toHaveLength(1);
    expect((await world.store.listSearches())[0]!.alertState?.enqueuedAt).toBeUndefined();
    await send(instance, 2);
    await look(processOn(world.store).alerts, 5 * minute);
    expect(await enqueued(instance)).toMatchObject([{ count: 3 }]);
    expect((await world.store.listSearches())[0]!.alertState).toMatchObject({
      count: 5,
      enqueuedAt: expect.any(Number),
    });
  });

  test("a search that is saved as it is goes on in its episode; another rule begins its own", async () => {
    const { instance, alerts } = open();
    await send(instance, 3);
    await watch(instance, { over: 2, enqueue: { type: "page" } });
    await look(alerts, minute);
    await watch(instance, { over: 2, enqueue: { type: "page" } });
    await look(alerts, 2 * minute);
    expect(await enqueued(instance)).toHaveLength(1);
    await watch(instance, { over: 1, enqueue: { type: "page" } });
    await look(alerts, 2 * minute);
    expect(await enqueued(instance)).toHaveLength(2);
  });

  test("what cannot be counted or enqueued is said once, kept beside the search, and tried again", async () => {
    const { instance, alerts } = open();
    await send(instance, 3);
    await saveSearchIn(instance, "receipts", { query: "type:send-receipt" });
    await saveSearchIn(instance, "stuck", {
      query: "@receipts",
      alert: { over: 2, enqueue: { type: "page" } },
    });
    await deleteSearchIn(instance, "receipts");
    await look(alerts, 3 * minute);
    expect(await enqueued(instance)).toEqual([]);
    expect(logged).toEqual([expect.stringMatching(/"stuck".*no search is saved as "receipts"/s)]);
    expect((await listSearchesIn(instance))[0]!.alertState?.problem).toMatch(/INVALID_QUERY/);
    await saveSearchIn(instance, "receipts", { query: "type:send-receipt" });
    const other = processOn(world.store, ["send-receipt"]);
    await look(other.alerts, minute);
    expect(logged[1]).toMatch(/No task "page" is defined/);
    await look(alerts, minute);
    expect(await enqueued(instance)).toHaveLength(1);
    expect((await listSearchesIn(instance))[1]!.alertState?.problem).toBeUndefined();
  });

  test("while an attribute is filled in, what is left may decide, and the rule waits", async () => {
    const { instance, alerts } = open();
    const alert = { enqueue: { type: "page" } };
    const definition = newDefinition("send-receipt");
    ok(await world.store.saveDefinitions([definition]));
    await send(instance, 4);
    ok(await world.store.saveDefinitions([{ ...definition, attributes: ["order"] }]));
    await saveSearchIn(instance, "few", { query: "order:>=0", alert: { ...alert, under: 4 } });
    await saveSearchIn(instance, "many", { query: "order:>=0", alert: { ...alert, over: 3 } });
    await saveSearchIn(instance, "no-others", { query: "-order:5", alert: { ...alert, under: 4 } });
    await saveSearchIn(instance, "hundreds", { query: "order:>=0", alert: { ...alert, over: 100 } });
    await look(alerts, 2 * minute);
    expect(await enqueued(instance)).toEqual([]);
    const states = (await listSearchesIn(instance)).map(
      ({ name, alertState }) => [name, alertState!] as const,
    );
    for (const [name, { problem, count }] of states) {
      if (name === "hundreds") expect({ problem, count }).toEqual({ problem: undefined, count: 0 });
      else expect(problem).toMatch(/is being filled in/);
    }
    expect(logged).toHaveLength(3);
    const unfilled = await world.store.readUnfilled({ types: ["send-receipt"], limit: 10 });
    const filled = unfilled.map(({ ref, task }) => ({ ref, attributes: { order: task.payload.order } }));
    ok(await world.store.writeAttributes(filled));
    await look(alerts, minute);
    expect(await enqueued(instance)).toMatchObject([{ search: "many", count: 4 }]);
    for (const { alertState } of await listSearchesIn(instance)) expect(alertState?.problem).toBeUndefined();
  });

  test("a clock that was set back does not stop the looking", async () => {
    const { instance, alerts } = open();
    await watch(instance, { over: 2, enqueue: { type: "page" } });
    await look(alerts, minute);
    (world.clock as TestClock).jump(-3_600_000);
    await send(instance, 3);
    await look(alerts, minute);
    expect(await enqueued(instance)).toHaveLength(1);
  });
});
