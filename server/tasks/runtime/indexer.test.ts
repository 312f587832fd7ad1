import { expect, test } from "vitest";
import { newDefinition, newSearch, newTask, startAt } from "../../../tests/support/builders.ts";
import { ok } from "../../../tests/support/stores.ts";
import { TestClock } from "../../../tests/support/test-clock.ts";
import { registerAttributes } from "../core/attributes.ts";
import type { Condition } from "../core/filters/condition.ts";
import { Registry } from "../core/registry.ts";
import type { TaskStore } from "../core/store.ts";
import { createSqliteStore } from "../stores/sqlite/store.ts";
import { Indexer } from "./indexer.ts";

const logger = { warn: () => {}, error: () => {}, info: () => {}, debug: () => {} };

function registryWith(names: string[]): Registry {
  const registry = new Registry();
  const sources = Object.fromEntries(names.map((name) => [name, (payload: any) => payload[name].value]));
  registry.add(
    {
      ...newDefinition(),
      handler: async () => {},
      description: undefined,
      backoff: undefined,
      abortGraceMs: 0,
      schema: undefined,
      attributes: registerAttributes(sources),
      definedAt: "",
    },
    false,
  );
  return registry;
}

async function withStore(test: (store: TaskStore, clock: TestClock) => Promise<void>): Promise<void> {
  const clock = new TestClock();
  const store = createSqliteStore({ path: ":memory:", clock });
  await store.open();
  try {
    await test(store, clock);
  } finally {
    await store.close();
  }
}

function indexerOf(store: TaskStore, clock: TestClock, names: string[], fullText = true): Indexer {
  return new Indexer({ store: async () => store, registry: registryWith(names), clock, logger, fullText });
}

async function runDry(indexer: Indexer): Promise<void> {
  for (let round = 0; round < 100 && (await indexer.tick()) < 700; round++);
}

const count = async (store: TaskStore, where: Condition) =>
  (await store.countTasks(newSearch({ where }))).count;

const equals = (name: string, value: number): Condition => ({
  kind: "equals",
  field: { of: "attribute", name },
  values: [value],
});

test("fills in what was gained, without the values that cannot be taken, and indexes every text", async () => {
  await withStore(async (store, clock) => {
    const tasks = Array.from({ length: 500 }, (_, at) =>
      newTask({ createdAt: startAt - at, payload: at % 5 === 0 ? {} : { user: { value: at % 5 } } }),
    );
    ok(await store.enqueueTasks(tasks));
    ok(await store.saveDefinitions([{ ...newDefinition(), attributes: ["user"] }]));
    await runDry(indexerOf(store, clock, ["user"]));
    expect(await count(store, equals("user", 3))).toBe(100);
    expect(await store.stats()).toMatchObject({ textLag: 0, filling: [] });
  });
});

test("leaves to others the attributes that it does not know", async () => {
  await withStore(async (store, clock) => {
    ok(await store.enqueueTasks([newTask({ payload: { user: { value: 1 }, size: { value: 2 } } })]));
    ok(await store.saveDefinitions([{ ...newDefinition(), attributes: ["user", "size"] }]));
    await runDry(indexerOf(store, clock, ["user"]));
    expect((await store.stats()).filling).toEqual([{ type: "resize-image", tasks: 1 }]);
    await runDry(indexerOf(store, clock, ["user", "size"]));
    expect((await store.stats()).filling).toEqual([]);
    expect(await count(store, equals("size", 2))).toBe(1);
  });
});

test("without full text only attributes are seen to", async () => {
  await withStore(async (store, clock) => {
    ok(await store.enqueueTasks([newTask()]));
    await runDry(indexerOf(store, clock, [], false));
    expect((await store.stats()).textLag).toBe(1);
  });
});

test("waits for a while after each step, and longer when there is nothing", async () => {
  await withStore(async (store, clock) => {
    ok(await store.enqueueTasks([newTask()]));
    const indexer = indexerOf(store, clock, []);
    expect(await indexer.tick()).toBeLessThan(100);
    expect(await indexer.tick()).toBeGreaterThan(500);
  });
});

test("takes a fifth of the time while tasks run, a tenth while more are due than there are slots, and goes on at once in larger steps while nobody has work to do", async () => {
  await withStore(async (store, clock) => {
    ok(await store.enqueueTasks(Array.from({ length: 8_700 }, () => newTask())));
    const steps: number[] = [];
    const lag = async () => (await store.stats()).textLag;
    const slow: TaskStore = Object.create(store, {
      readUnindexed: {
        value: async (request: { limit: number }) => {
          steps.push(request.limit);
          await clock.advance(20);
          return store.readUnindexed(request);
        },
      },
      writeTexts: {
        value: async (...given: Parameters<TaskStore["writeTexts"]>) => {
          await clock.advance(30);
          return store.writeTexts(...given);
        },
      },
      onChange: { value: () => () => {} },
    });
    const indexer = indexerOf(slow, clock, []);
    expect(await indexer.tick()).toBeLessThan(10);
    expect(steps).toEqual(Array.from({ length: 8 }, () => 1_000));
    expect(await lag()).toBe(700);
    const worker = { isAtWork: true, isPressed: false };
    indexer.start(worker);
    expect(await indexer.tick()).toBe(4 * 50);
    worker.isPressed = true;
    expect(await indexer.tick()).toBe(9 * 50);
    worker.isPressed = worker.isAtWork = false;
    expect(await lag()).toBe(500);
    expect(await indexer.tick()).toBeLessThan(10);
    expect(steps.slice(8)).toEqual([100, 100, 1_000]);
    expect(await lag()).toBe(0);
    worker.isAtWork = true;
    ok(await store.enqueueTasks([newTask()]));
    // Caught up: a step costs the store several commits, whether it is of one task or of a hundred.
    expect(await indexer.tick()).toBe(1_000);
    await indexer.stop();
  });
});

test("what a step has waited for others is not what it took", async () => {
  await withStore(async (store, clock) => {
    ok(await store.enqueueTasks(Array.from({ length: 200 }, () => newTask())));
    const behindSearches: TaskStore = Object.create(store, {
      readUnindexed: {
        value: async (request: Parameters<TaskStore["readUnindexed"]>[0]) => {
          await clock.advance(400);
          return store.readUnindexed(request);
        },
      },
      writeTexts: {
        value: async (...given: Parameters<TaskStore["writeTexts"]>) => {
          await clock.advance(15);
          return store.writeTexts(...given);
        },
      },
      onChange: { value: () => () => {} },
    });
    const indexer = indexerOf(behindSearches, clock, []);
    indexer.start({ isAtWork: true, isPressed: false });
    expect(await indexer.tick()).toBe(4 * (15 + 15));
    await indexer.stop();
  });
});

test("a stop waits for the step under way and no further one", async () => {
  await withStore(async (store, clock) => {
    ok(await store.enqueueTasks(Array.from({ length: 2_500 }, () => newTask())));
    let stopped: Promise<void> | undefined;
    const stopping: TaskStore = Object.create(store, {
      readUnindexed: {
        value: (request: Parameters<TaskStore["readUnindexed"]>[0]) => store.readUnindexed(request),
      },
      writeTexts: {
        value: (...given: Parameters<TaskStore["writeTexts"]>) => {
          stopped ??= indexer.stop();
          return store.writeTexts(...given);
        },
      },
    });
    const indexer = indexerOf(stopping, clock, []);
    await indexer.tick();
    await stopped;
    // What was read already is written.
    expect((await store.stats()).textLag).toBe(500);
  });
});
