import { expect, test } from "vitest";
import { createDure } from "../../server/dure.ts";
import { resolveDureOptions } from "../../server/dure-options.ts";
import { readAuditIn } from "../../server/tasks/core/audit.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import type { AskedBy } from "../../server/tasks/core/port/store-audit.ts";
import type { AuditRead, By, ChangeBy } from "../../server/tasks/core/store.ts";
import { copyTasks } from "../../server/tasks/runtime/copier.ts";
import { Pruner } from "../../server/tasks/runtime/pruner.ts";
import { createSystemClock } from "../../server/tasks/runtime/system-clock.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newRecord, newTask, startAt } from "../support/builders.ts";
import { ok, onEachStore, reasonOf } from "../support/stores.ts";

onEachStore("the audit log", (world) => {
  let calls = 0;
  /** Who asks, with another id for each call. */
  function by(facts: Partial<ChangeBy> = {}): ChangeBy {
    calls += 1;
    return { id: `call-${calls}`, who: "anna", via: "cli", ...facts };
  }

  const readBy = async (request: Partial<AuditRead>) =>
    (await world.store.readAudit({ limit: 100, looksMax: 1_000, ...request })).records;
  const read = () => readBy({});
  const said = async () => (await read()).map(({ action, target }) => `${action} ${target}`).reverse();

  test("a change that somebody asks for leaves who, when, what, and the states around it", async () => {
    await world.enqueue(newTask({ id: "a" }));
    await world.clock.advance(5);
    ok(await world.store.cancelTask("a", 1, by({ id: "one", address: "127.0.0.1", requestId: "req-1" })));
    expect(await read()).toEqual([
      {
        ...{ id: "one", at: new Date(startAt + 5), action: "cancel", kind: "task", target: "a" },
        ...{ type: "resize-image", who: "anna", via: "cli", address: "127.0.0.1", requestId: "req-1" },
        ...{ before: { status: "PENDING" }, after: { status: "CANCELLED" } },
      },
    ]);
  });

  test("retry, edit and delete are recorded, too", async () => {
    await world.enqueue(newTask({ id: "a", priority: 1 }));
    ok(await world.store.editTask("a", { priority: 7, dueAt: startAt + 60_000 }, undefined, by()));
    ok(await world.store.cancelTask("a", undefined, by()));
    ok(await world.store.retryTask("a", undefined, by({ via: "dashboard" })));
    ok(await world.store.cancelTask("a"));
    ok(await world.store.deleteTask("a", undefined, by()));
    const records = (await read()).reverse();
    expect(records.map(({ action, before, after }) => [action, before, after])).toEqual([
      [
        "edit",
        { status: "PENDING", priority: 1, dueAt: new Date(startAt).toISOString() },
        { priority: 7, dueAt: new Date(startAt + 60_000).toISOString() },
      ],
      ["cancel", { status: "PENDING" }, { status: "CANCELLED" }],
      ["retry", { status: "CANCELLED" }, { status: "PENDING" }],
      ["delete", { status: "CANCELLED" }, undefined],
    ]);
    expect(await world.store.getTask("a")).toBeUndefined();
  });

  test("what is refused, or was so already, leaves no record", async () => {
    await world.enqueue(newTask({ id: "a" }));
    await world.running(newTask({ id: "b" }), { limit: 2 });
    ok(await world.store.cancelTask("b", undefined, by()));
    ok(await world.store.cancelTask("b", undefined, by()));
    expect(reasonOf(await world.store.cancelTask("none", undefined, by()))).toBe("not-found");
    expect(reasonOf(await world.store.cancelTask("b", 99, by()))).toBe("version");
    expect(reasonOf(await world.store.retryTask("b", undefined, by()))).toBe("not-finished");
    expect(reasonOf(await world.store.deleteTask("b", undefined, by()))).toBe("not-finished");
    expect(reasonOf(await world.store.editTask("b", { priority: 1 }, undefined, by()))).toBe("not-pending");
    expect(ok(await world.store.resume({ kind: "queue", name: "mail" }, by()))).toBe(false);
    expect(ok(await world.store.deleteSearch("none", by()))).toBe(false);
    expect(await said()).toEqual(["cancel b"]);
    expect((await read())[0]!.after).toEqual({ status: "RUNNING", cancelRequested: true });
  });

  test("nobody asked for what a worker or a program does by itself", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    await world.settle(claimed, "failed");
    ok(await world.store.retryTask("a"));
    ok(await world.store.pause({ kind: "queue", name: "mail" }));
    expect(await said()).toEqual([]);
  });

  test("an enqueue by hand is recorded if something is new", async () => {
    const tasks = [newTask({ id: "a" }), newTask({ id: "b" })];
    ok(await world.store.enqueueTasks([newTask({ id: "c" })], undefined, by()));
    ok(await world.store.enqueueTasks([newTask({ id: "c" })], undefined, by()));
    ok(await world.store.enqueueTasks(tasks, undefined, by({ action: "run-again", after: { from: "c" } })));
    async function* parts() {
      yield [newTask({ id: "d" })];
      yield [newTask({ id: "e" }), newTask({ id: "a" })];
    }
    ok(await world.store.enqueueTasks(parts(), undefined, by()));
    const other = newTask({ id: "a", type: "send-receipt" });
    expect(reasonOf(await world.store.enqueueTasks([other], undefined, by()))).toBe("id-taken");
    const records = (await read()).reverse();
    expect(records.map(({ action, kind, target, after }) => [action, kind, target, after])).toEqual([
      ["enqueue", "task", "c", undefined],
      ["run-again", "type", "resize-image", { tasks: 2, from: "c" }],
      ["enqueue", "type", "resize-image", { tasks: 2 }],
    ]);
  });

  test("tasks that are enqueued together by several are recorded for each", async () => {
    const calls = ["a", "b", "c"].map((id) =>
      world.store.enqueueTasks(
        [newTask({ id, ownId: false })],
        undefined,
        id === "b" ? undefined : by({ who: id }),
      ),
    );
    for (const answer of await Promise.all(calls)) expect(ok(answer)).toEqual([null]);
    expect((await read()).map(({ who, target }) => [who, target]).sort()).toEqual([
      ["a", "a"],
      ["c", "c"],
    ]);
  });

  test("pauses are recorded when they change something, with their reasons", async () => {
    const queue = { kind: "queue", name: "mail" } as const;
    ok(await world.store.pause({ ...queue, reason: "down" }, by()));
    ok(await world.store.pause(queue, by()));
    ok(await world.store.pause({ ...queue, reason: "still down" }, by()));
    ok(await world.store.resume(queue, by()));
    ok(await world.store.resume(queue, by()));
    const records = (await read()).reverse();
    expect(records.map(({ action, before, after }) => [action, before, after])).toEqual([
      ["pause", undefined, { reason: "down" }],
      ["pause", { reason: "down" }, { reason: "still down" }],
      ["resume", { pausedAt: new Date(startAt).toISOString(), reason: "still down" }, undefined],
    ]);
  });

  test("saved searches are recorded when they change, without the payloads of their alerts", async () => {
    const alert = { over: 9, enqueue: { type: "page", payload: { secret: "hush" } } };
    ok(await world.store.saveSearch({ name: "bad", query: "status:failed" }, by()));
    ok(await world.store.saveSearch({ name: "bad", query: "status:failed" }, by()));
    ok(await world.store.saveSearch({ name: "bad", query: "status:failed", alert }, by()));
    ok(await world.store.deleteSearch("bad", by()));
    const records = (await read()).reverse();
    const told = { query: "status:failed", alert: { over: 9, enqueue: "page" } };
    expect(records.map(({ action, target, before, after }) => [action, target, before, after])).toEqual([
      ["save-search", "bad", undefined, { query: "status:failed" }],
      ["save-search", "bad", { query: "status:failed" }, told],
      ["delete-search", "bad", told, undefined],
    ]);
  });

  test("a record with the id of another is that one", async () => {
    await world.enqueue(newTask({ id: "a" }), newTask({ id: "b" }));
    ok(await world.store.cancelTask("a", undefined, by({ id: "same" })));
    ok(await world.store.cancelTask("b", undefined, by({ id: "same" })));
    expect(await said()).toEqual(["cancel a"]);
  });

  test("texts are of one line and bounded, whatever somebody is called", async () => {
    const who = `anna\r\n2026-01-01 root \u001b[2J\u202etxt${"x".repeat(300)}`;
    const after = { why: "y".repeat(9_000), "line\n": "a\0b" };
    await world.enqueue(newTask({ id: "a" }));
    ok(await world.store.cancelTask("a", undefined, by({ who, address: "z".repeat(99), after })));
    const [record] = await read();
    expect(record!.who).toMatch(/^anna��2026-01-01 root �\[2J�txtx+…$/);
    expect(record!.who).toHaveLength(200);
    expect(record!.address).toHaveLength(64);
    expect(JSON.stringify(record!.after).length).toBeLessThanOrEqual(4_096);
    expect(record!.after).toMatchObject({ status: "CANCELLED", "line\n": "a�b" });
  });

  test("records are read newest first, by page, and by who, what, from where, of which and when", async () => {
    const records = Array.from({ length: 7 }, (_, index) =>
      newRecord({
        id: `r${index}`,
        at: new Date(startAt + Math.floor(index / 2)),
        action: index % 3 === 0 ? "retry" : "cancel",
        target: `t${index % 2}`,
        via: index === 6 ? "http" : "cli",
        who: index < 4 ? "anna" : "ben",
      }),
    );
    ok(await world.store.writeAudit(records));
    const ids = async (request: object) => (await readBy(request)).map(({ id }) => id).join(" ");
    expect(await ids({})).toBe("r6 r5 r4 r3 r2 r1 r0");
    expect(await ids({ limit: 3 })).toBe("r6 r5 r4");
    expect(await ids({ limit: 3, after: { at: startAt + 2, id: "r4" } })).toBe("r3 r2 r1");
    expect(await ids({ who: "ben" })).toBe("r6 r5 r4");
    expect(await ids({ actions: ["retry"] })).toBe("r6 r3 r0");
    expect(await ids({ actions: ["retry", "cancel"], target: "t1" })).toBe("r5 r3 r1");
    expect(await ids({ via: "http" })).toBe("r6");
    expect(await ids({ exceptKind: records[0]!.kind })).toBe("");
    expect(await ids({ exceptKind: "tasks", who: "ben" })).toBe("r6 r5 r4");
    expect(await ids({ start: startAt + 1, end: startAt + 3 })).toBe("r5 r4 r3 r2");
    expect(await ids({ who: "a\0" })).toBe("");
    expect((await readBy({ limit: 1 }))[0]).toEqual(records[6]);
  });

  test("a question that few records fit looks at no more than it may, says how far it came, and goes on from there", async () => {
    const records = Array.from({ length: 40 }, (_, index) =>
      newRecord({
        id: `r${10 + index}`,
        at: new Date(startAt + index),
        who: index % 2 === 0 ? "anna" : "ben",
        via: index === 3 || index === 29 ? "http" : "cli",
        action: index < 20 ? "retry" : "cancel",
      }),
    );
    ok(await world.store.writeAudit(records));
    const look = (request: Partial<AuditRead>) =>
      world.store.readAudit({ limit: 5, looksMax: 10, ...request });
    const at = (index: number) => ({ at: startAt + index, id: `r${10 + index}` });
    expect(await look({ via: "http" })).toEqual({ records: [], cameTo: at(30) });
    expect(await look({ via: "http", after: at(30) })).toEqual({ records: [records[29]], cameTo: at(20) });
    expect(await look({ via: "http", after: at(10) })).toEqual({ records: [records[3]], cameTo: at(0) });
    expect(await look({ via: "http", after: at(9) })).toEqual({ records: [records[3]] });
    expect(await look({ via: "http", start: startAt + 31 })).toEqual({ records: [] });
    expect(await look({ who: "ben", via: "http" })).toEqual({ records: [records[29]], cameTo: at(21) });
    expect(await look({ who: "anna", actions: ["retry"] })).toEqual({ records: [], cameTo: at(20) });
    expect(await look({ actions: ["edit", "delete"] })).toEqual({ records: [], cameTo: at(30) });
    expect((await look({ who: "anna", limit: 20 })).records).toHaveLength(20);
    expect(await look({ via: "cli", limit: 10 })).toMatchObject({ records: records.slice(30).reverse() });
  });

  test("a task knows the action that changed it last, among what was asked for of it", async () => {
    const action = (id: string) => by({ id, isPart: true });
    const told = (id: string, at: number, target = id) =>
      newRecord({
        id,
        at: new Date(at),
        action: "start-action",
        kind: "tasks",
        target,
        who: "kim",
        via: "http",
      });
    await world.enqueue(newTask({ id: "a" }), newTask({ id: "b" }), newTask({ id: "c" }));
    ok(await world.store.editTask("a", { priority: 1 }, undefined, by({ id: "first" })));
    await world.clock.advance(5);
    ok(await world.store.writeAudit([told("act-1", startAt + 5)]));
    ok(await world.store.editTask("a", { priority: 2 }, undefined, action("act-1")));
    ok(await world.store.cancelTask("a", undefined, action("act-1")));
    await world.running(newTask({ id: "r" }), { limit: 9 });
    ok(await world.store.cancelTask("r", undefined, action("act-1")));
    ok(await world.store.cancelTask("r", undefined, action("act-2")));
    await world.clock.advance(5);
    ok(await world.store.retryTask("a", undefined, by({ id: "last" })));
    const idsOf = async (request: Partial<AuditRead>) =>
      (await readBy(request)).map(({ id }) => id).join(" ");
    expect(await idsOf({ target: "a" })).toBe("last act-1 first");
    expect(await idsOf({ target: "r" })).toBe("act-1");
    expect(await idsOf({ target: "a", limit: 2 })).toBe("last act-1");
    expect(await idsOf({ target: "a", after: { at: startAt + 10, id: "last" } })).toBe("act-1 first");
    expect(await idsOf({ target: "a", after: { at: startAt + 5, id: "act-1" } })).toBe("first");
    expect(await idsOf({ target: "a", who: "kim" })).toBe("act-1");
    expect(await idsOf({ target: "a", actions: ["edit", "retry"] })).toBe("last first");
    expect(await idsOf({ target: "a", exceptKind: "tasks" })).toBe("last act-1 first");
    expect(await idsOf({ target: "a", via: "cli", looksMax: 1 })).toBe("last");
    expect(await idsOf({ target: "b" })).toBe("");
    ok(await world.store.writeAudit([told("act-2", startAt + 20)]));
    ok(await world.store.cancelTask("a", undefined, action("act-2")));
    expect(await idsOf({ target: "a" })).toBe("act-2 last first");
    expect((await world.store.readAudit({ limit: 100, looksMax: 1_000 })).records).toHaveLength(4);
    await world.bury();
    const [record] = await (await world.owner()).readRecords({ ids: ["a"] });
    expect(record).toMatchObject({ actionRecord: "act-2" });
  });

  test("the oldest are deleted past their time, no others", async () => {
    for (let day = 0; day < 5; day += 1)
      ok(await world.store.writeAudit([newRecord({ id: `r${day}`, at: new Date(startAt + day) })]));
    expect(ok(await world.store.pruneAudit({ before: startAt + 3, limit: 2 }))).toBe(2);
    expect(ok(await world.store.pruneAudit({ before: startAt + 3, limit: 2 }))).toBe(1);
    expect(ok(await world.store.pruneAudit({ before: startAt + 3, limit: 2 }))).toBe(0);
    expect((await read()).map(({ id }) => id)).toEqual(["r4", "r3"]);
  });

  test("by itself the pruner deletes what is older than its retention, and no more", async () => {
    const day = 86_400_000;
    const { clock } = world;
    ok(
      await world.store.writeAudit(
        Array.from({ length: 501 }, (_, index) =>
          newRecord({ id: `r${1_000 + index}`, at: new Date(startAt) }),
        ),
      ),
    );
    ok(await world.store.writeAudit([newRecord({ id: "r2000", at: new Date(startAt + day) })]));
    const { retention, logger, auditMs } = resolveDureOptions({ retention: { audit: "90d" } });
    const store = async () => world.store;
    const pruner = new Pruner({ store, clock, logger, retention, auditMs, archive: undefined });
    await clock.advance(90 * day);
    await pruner.tick();
    expect(await readBy({ limit: 1_000 })).toHaveLength(502);
    await clock.advance(3_600_000);
    await pruner.tick();
    expect(await readBy({ limit: 1_000 })).toHaveLength(2);
    await pruner.tick();
    expect((await read()).map(({ id }) => id)).toEqual(["r2000"]);
  });

  test("a copy has the log of the source, once", async () => {
    ok(await world.store.writeAudit([newRecord({ id: "r1" }), newRecord({ id: "r2", before: { x: 1 } })]));
    const target = createSqliteStore({ path: ":memory:", clock: world.clock });
    await target.open();
    await world.bury();
    const source = await world.owner();
    await copyTasks(source, target, "elsewhere");
    await copyTasks(source, target, "elsewhere");
    expect((await target.readAudit({ limit: 10, looksMax: 10 })).records).toEqual(await read());
    await target.close();
  });
});

test("a state that JSON cannot keep is refused with its place, and the process goes on", async () => {
  const dure = createDure({ database: ":memory:" });
  const cycle: Record<string, unknown> = {};
  cycle.of = { it: cycle };
  const states: [object, RegExp][] = [
    [{ callback() {} }, /after\.callback is /],
    [{ list: [1, 2n] }, /after\.list\[1\] is 2n/],
    [{ share: Number.NaN }, /after\.share is NaN/],
    [{ at: new Date(0) }, /after\.at is /],
    [cycle, /contains itself/],
    [[1], /after is /],
  ];
  for (const [after, message] of states) {
    const by = { who: "anna", after } as AskedBy;
    await expect(dure.pause({ queue: "mail" }, { by })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(message),
    });
  }
  const after = { ticket: "OPS-1", parts: [1, null, { ok: true }], none: undefined };
  await dure.pause({ queue: "mail" }, { by: { who: "anna", after } });
  expect((await dure.readAudit()).records[0]!.after).toEqual({
    ticket: "OPS-1",
    parts: [1, null, { ok: true }],
  });
  await dure.close();
});

test("what cannot be sent to the store's thread fails alone, not with what was asked in the same turn", async () => {
  const store = createSqliteStore({ path: ":memory:", clock: createSystemClock() });
  await store.open();
  const by = { id: "x", via: "code", after: { callback() {} } } as By;
  const queue = (name: string) => ({ kind: "queue", name }) as const;
  const calls = [store.pause(queue("a")), store.pause(queue("b"), by), store.pause(queue("c"))];
  const outcomes = (await Promise.allSettled(calls)).map(({ status }) => status);
  expect(outcomes).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect((await store.listPauses()).map(({ name }) => name)).toEqual(["a", "c"]);
  await store.close();
});

onEachStore("a record that cannot be stored (S23)", (world) => {
  /** No record is without its place. */
  const by = { id: "x", who: "anna", via: null } as unknown as By;

  test("undoes the change that it is of", async () => {
    const { store } = world;
    const queue = { kind: "queue", name: "mail" } as const;
    await world.enqueue(newTask({ id: "waiting" }), newTask({ id: "ended" }));
    ok(await store.cancelTask("ended"));
    ok(await store.pause(queue));
    ok(await store.saveSearch({ name: "bad", query: "status:failed" }));
    const before = await stateOf();
    await expect(store.cancelTask("waiting", undefined, by)).rejects.toThrow();
    await expect(store.editTask("waiting", { priority: 9 }, undefined, by)).rejects.toThrow();
    await expect(store.retryTask("ended", undefined, by)).rejects.toThrow();
    await expect(store.deleteTask("ended", undefined, by)).rejects.toThrow();
    await expect(store.enqueueTasks([newTask({ id: "new" })], undefined, by)).rejects.toThrow();
    await expect(store.enqueueTasks([newTask({ ownId: false })], undefined, by)).rejects.toThrow();
    await expect(store.pause({ ...queue, reason: "another" }, by)).rejects.toThrow();
    await expect(store.resume(queue, by)).rejects.toThrow();
    await expect(store.saveSearch({ name: "bad", query: "" }, by)).rejects.toThrow();
    await expect(store.deleteSearch("bad", by)).rejects.toThrow();
    expect(await stateOf()).toEqual(before);
    expect((await store.readAudit({ limit: 10, looksMax: 10 })).records).toEqual([]);
  });

  async function stateOf() {
    const { store } = world;
    const tasks = await store.readRecords({ limit: 10 });
    // What was undone may have taken room.
    const { sizeBytes: _size, ...stats } = await store.stats();
    return [tasks, await store.listPauses(), await store.listSearches(), stats].map((one) =>
      JSON.stringify(one),
    );
  }
});

onEachStore("a log of 45,000 records", (world) => {
  test("is looked through 20,000 at a time where few fit", async () => {
    const batch = 9_000;
    for (let first = 0; first < 5 * batch; first += batch)
      ok(
        await world.store.writeAudit(
          Array.from({ length: batch }, (_, index) =>
            newRecord({
              id: `r${100_000 + first + index}`,
              at: new Date(startAt + first + index),
              via: first + index === 7 ? "http" : "cli",
            }),
          ),
        ),
      );
    const instance = { store: async () => world.store } as unknown as Instance;
    const first = await readAuditIn(instance, { via: "http" });
    expect(first).toMatchObject({ records: [], complete: false, searchedBackTo: new Date(startAt + 25_000) });
    const second = await readAuditIn(instance, { via: "http", cursor: first.nextCursor! });
    expect(second).toMatchObject({ records: [], complete: false, searchedBackTo: new Date(startAt + 5_000) });
    const third = await readAuditIn(instance, { via: "http", cursor: second.nextCursor! });
    expect(third).toMatchObject({ records: [{ id: "r100007" }], complete: true });
    expect(third).not.toHaveProperty("nextCursor");
  });
});
