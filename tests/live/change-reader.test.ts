/** The one reader of changes: how often it asks, what it does when the store fails, and watchers of what is deleted. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Instance } from "../../server/tasks/core/instance.ts";
import { Registry } from "../../server/tasks/core/registry.ts";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import type { Follower } from "../../server/tasks/core/watch/change-source.ts";
import { watchTasksIn } from "../../server/tasks/core/watch/watch.ts";
import { ChangeReader } from "../../server/tasks/runtime/change-reader.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newTask, startAt } from "../support/builders.ts";
import { ok } from "../support/stores.ts";
import { TestClock } from "../support/test-clock.ts";

let clock: TestClock;
let store: TaskStore;
let reader: ChangeReader;
let reads: number;
let trouble: Error | undefined;
/** What the store was asked and has not answered yet. */
const asked = new Set<Promise<unknown>>();

beforeEach(async () => {
  clock = new TestClock(startAt);
  store = createSqliteStore({ path: ":memory:", clock });
  await store.open();
  reads = 0;
  trouble = undefined;
  const readChanges = store.readChanges.bind(store);
  store.readChanges = async (request) => {
    reads += 1;
    if (trouble) throw trouble;
    const answer = readChanges(request);
    asked.add(answer);
    return answer.finally(() => asked.delete(answer));
  };
  reader = new ChangeReader(clock, async () => store);
});
afterEach(async () => {
  reader.close();
  await store.close();
});

/** Takes notes. */
class Listener implements Follower {
  readonly told: string[] = [];
  ended: unknown = "not yet";
  take: Follower["take"] = ({ changes }) => void this.told.push(...changes.map(({ id }) => id));
  end = (error?: unknown) => {
    this.ended = error;
  };
}

const enqueue = async (...ids: string[]) =>
  ok(await store.enqueueTasks(ids.map((id) => newTask({ id, createdAt: clock.now() }))));

/** No look lasts longer than a step, however long the store really takes to answer. */
async function advance(ms: number, step = 50): Promise<void> {
  for (let passed = 0; passed < ms; passed += step) {
    await clock.advance(step);
    while (asked.size > 0) await Promise.allSettled(asked);
    await clock.advance(0);
  }
}

test("asks at most four times a second while there is much to tell, seldom while there is not, never for nobody", async () => {
  await advance(10_000, 500);
  expect(reads).toBe(0);
  const one = new Listener();
  const other = new Listener();
  expect((await reader.join(one)).joined).toBe(true);
  expect((await reader.join(other)).joined).toBe(true);
  reads = 0;
  for (let task = 0; task < 40; task++) {
    await enqueue(`task-${task}`);
    await advance(50);
  }
  expect(reads).toBeGreaterThan(3);
  expect(reads).toBeLessThanOrEqual(9);
  await advance(3_000);
  expect(one.told).toEqual(Array.from({ length: 40 }, (_, task) => `task-${task}`));
  expect(other.told).toEqual(one.told);
  reads = 0;
  await advance(12_000);
  expect(reads).toBeLessThanOrEqual(5);
  reader.leave(one);
  reader.leave(other);
  reads = 0;
  await advance(10_000, 500);
  expect(reads).toBeLessThanOrEqual(1);
});

test("a store that fails is asked again, and given up after a minute", async () => {
  const listener = new Listener();
  await reader.join(listener);
  trouble = new Error("no connection");
  await advance(30_000, 500);
  await enqueue("meanwhile");
  trouble = undefined;
  await advance(4_000, 500);
  expect(listener.told).toEqual(["meanwhile"]);
  trouble = new Error("no connection");
  await advance(70_000, 500);
  expect(listener.ended).toBe(trouble);
});

test("a watcher is told of what was deleted, when it looks; also of what it had not heard the end of", async () => {
  const instance = { clock, registry: new Registry(), store: async () => store, changes: reader };
  const begun = Promise.withResolvers<void>();
  const watcher = watchTasksIn(instance as unknown as Instance, {
    type: "resize-image",
    onBegin: begun.resolve,
  });
  const told: string[] = [];
  const done = (async () => {
    for await (const { change, task, isDeleted } of watcher)
      told.push(`${change} ${task.id}${isDeleted ? " deleted" : ""}`);
  })();
  await begun.promise;
  await enqueue("one", "two", "three");
  await advance(4_000, 500);
  ok(await store.cancelTask("one"));
  ok(await store.cancelTask("two"));
  await advance(4_000, 500);
  ok(await store.deleteTask("one"));
  ok(await store.cancelTask("three"));
  ok(await store.deleteTask("three"));
  await advance(12_000, 500);
  reader.close();
  await done;
  expect(told).toEqual([
    ...["entered one", "entered two", "entered three", "changed one", "changed two"],
    ...["left one deleted", "left three deleted"],
  ]);
});
