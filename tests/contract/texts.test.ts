/** Full text: what is searched of a task is found, before it is indexed and after. */
import { expect, test } from "vitest";
import { type Condition, foldText } from "../../server/tasks/core/filters/condition.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import { searchableText } from "../../server/tasks/core/values/searchable-text.ts";
import { newDefinition, newSearch, newTask, someError, startAt } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { placeBehind } from "../support/search-pages.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const has = (text: string): Condition => ({ kind: "text", text: foldText(text) });

/** As the workers' indexer does; answers how many texts it wrote. */
async function index(world: World, limit = 20): Promise<number> {
  let written = 0;
  for (let round = 0; round < 200; round++) {
    const unindexed = await world.store.readUnindexed({ limit });
    if (unindexed.length === 0) return written;
    written += unindexed.length;
    const texts = unindexed.map(({ ref, task, attempts, json }) => ({
      ref,
      text: searchableText(task, attempts, json),
    }));
    ok(await world.store.writeTexts(texts));
  }
  throw new Error(`There is always more: ${written} texts so far.`);
}

onEachLastingStore("texts", (world) => {
  const ids = async (text: string, facts: Partial<StoreSearch> = {}) =>
    (await tasksOf(world.store.searchTasks(newSearch({ where: has(text), limit: 1_000, ...facts })))).map(
      ({ id }) => id,
    );
  const byRelevance = { sortBy: "relevance" } as const;
  const own = (id: string, payload: unknown, facts = {}) => newTask({ id, payload, ...facts });

  test("payloads, descriptions and tags of any language, whole or in part", async () => {
    await world.enqueue(
      own("a", { note: "월간 리포트 생성 실패", size: 1234.5 }),
      own("b", { list: ["Über-Größe ﬁne", 'say "hi" * OR NEAR(x)'] }),
      own("c", { emoji: "🖼️🖼🗂 picture" }, { description: "Resizes IMAGES", tags: ["Urgent"] }),
      own("d", {}),
    );
    for (const indexed of [false, true]) {
      if (indexed) await index(world);
      expect(await ids("리포트 생성")).toEqual(["a"]);
      expect(await ids("생성")).toEqual(["a"]);
      expect(await ids("1234.5")).toEqual(["a"]);
      expect(await ids("ÜBER-GRÖSSE")).toEqual([]);
      expect(await ids("über-größe fine")).toEqual(["b"]);
      expect(await ids('"hi" * or near(')).toEqual(["b"]);
      expect(await ids("🖼🗂 p")).toEqual(["c"]);
      expect(await ids("images")).toEqual(["c"]);
      expect(await ids("URGENT")).toEqual(["c"]);
      expect(await ids("nothing of it")).toEqual([]);
      expect(await ids("note")).toEqual([]);
    }
  });

  test("secrets are in no text, yet what stands at a place of a payload is found there", async () => {
    const secrets = {
      password: "hunter-2",
      nested: [{ apiKey: { id: "hunter-3" } }],
      headers: [
        ["Authorization", "Bearer hunter-4"],
        ["accept", "text/plain"],
      ],
      labels: ["secret-santa", "gift wrapped"],
    };
    await world.enqueue(own("a", secrets), own("b", { user: "hunter-b" }));
    const [claimed] = await world.claim({ limit: 1 });
    const log = {
      at: new Date(startAt),
      level: "info" as const,
      message: "sent",
      fields: { token: "hunter-5" },
    };
    await world.settle(claimed!, "completed", {
      result: { json: '{"session":{"cookie":"hunter-6"}}' },
      logs: [log],
    });
    const at = async (path: string[], prefix: string, of: "payload" | "result" = "payload") => {
      const where: Condition = { kind: "prefix", field: { of, path }, prefix };
      return (await tasksOf(world.store.searchTasks(newSearch({ where })))).map(({ id }) => id);
    };
    for (const indexed of [false, true]) {
      if (indexed) await index(world);
      expect(await ids("hunter")).toEqual(["b"]);
      expect(await ids("bearer")).toEqual([]);
      for (const shown of ["authorization", "text/plain", "secret-santa", "gift wrapped", "sent"])
        expect([shown, await ids(shown)]).toEqual([shown, ["a"]]);
      expect(await at(["password"], "hunter")).toEqual(["a"]);
      expect(await at(["nested", "apiKey", "id"], "hunter")).toEqual(["a"]);
      expect(await at(["session", "cookie"], "hunter", "result")).toEqual(["a"]);
      expect(await at(["labels"], "gift")).toEqual(["a"]);
      expect(await at(["headers"], "text/")).toEqual(["a"]);
      for (const path of [["headers"], ["headers", "0"], ["headers", "0", "1"], ["headers", "1"]])
        expect([path, await at(path, "Bearer")]).toEqual([path, []]);
    }
  });

  test("by relevance: a value of its own, a whole word, often, the newest; a page at a time", async () => {
    const texts = ["tea cups", "tea", "two teas", "no t e a", "a cup of tea", "tea", "tea tea"];
    await world.enqueue(
      ...texts.map((text, at) => own(`own-${at}`, { text }, { createdAt: startAt + at, dueAt: 0 })),
    );
    const expected = ["own-5", "own-1", "own-6", "own-0", "own-4", "own-2"];
    for (const indexed of [false, true]) {
      if (indexed) await index(world);
      const all = await world.store.searchTasks(newSearch({ where: has("tea"), ...byRelevance }));
      expect(all.tasks.map(({ id }) => id)).toEqual(expected);
      expect(all).not.toHaveProperty("isPartial");
      const place = { value: all.values![2]!, id: "own-6" };
      const facts = { where: has("tea"), ...byRelevance, limit: 2 };
      const idsAt = async (after: StoreSearch["after"]) =>
        (await world.store.searchTasks(newSearch({ ...facts, after: after! }))).tasks.map(({ id }) => id);
      expect(await idsAt({ ...place, backwards: false })).toEqual(["own-0", "own-4"]);
      expect(await idsAt({ ...place, backwards: true })).toEqual(["own-1", "own-5"]);
      const reversed = await world.store.searchTasks(newSearch({ ...facts, descending: false }));
      expect(reversed.tasks.map(({ id }) => id)).toEqual(["own-2", "own-4"]);
    }
    const [claimed] = await world.claim({ limit: 1 });
    await world.settle(claimed!, "failed", {
      error: { ...someError, message: "x", stack: "the last of tea" },
    });
    const ranked = await world.store.searchTasks(newSearch({ where: has("last of tea"), ...byRelevance }));
    expect(ranked.tasks.map(({ id }) => id)).toEqual([claimed!.task.id]);
  });

  test("a definition without tasks, by its description", async () => {
    ok(await world.store.saveDefinitions([{ ...newDefinition("make-tea"), description: "Makes tea" }]));
    await world.enqueue(
      own("a", { text: "tea" }, { createdAt: startAt - 1 }),
      own("b", { text: "tea" }, { createdAt: startAt + 1 }),
    );
    await index(world);
    for (const [sortBy, expected] of [
      ["createdAt", ["b", "make-tea", "a"]],
      ["id", ["make-tea", "b", "a"]],
    ] as const) {
      expect(await ids("tea", { sortBy, definitions: true })).toEqual(expected);
    }
    expect(await ids("tea", { sortBy: "createdAt", descending: false, definitions: true })).toEqual([
      "a",
      "make-tea",
      "b",
    ]);
    expect(await ids("tea", { definitions: true, limit: 2 })).toEqual(["b", "make-tea"]);
  });

  test("results, errors and logs, as they come", async () => {
    await world.enqueue(
      ...["a", "b", "c"].map((id) => own(id, { word: `payload-${id}` }, { maxAttempts: 2 })),
    );
    await index(world);
    const [a, b, c] = (await world.claim()).sort((one, other) => (one.task.id < other.task.id ? -1 : 1));
    await world.settle(a!, "completed", { result: { json: '{"text":"finished well"}' } });
    await world.settle(b!, "failed", { error: { ...someError, message: "ETIMEDOUT at mail.example" } });
    const logs = [
      {
        at: new Date(startAt),
        level: "info" as const,
        message: "asked the Server",
        fields: { code: 77_001 },
      },
    ];
    await world.settle(c!, "failed", { error: someError, retryAt: startAt + 60_000, logs });
    for (const indexed of [false, true]) {
      if (indexed) await index(world);
      expect(await ids("finished well")).toEqual(["a"]);
      expect(await ids("etimedout")).toEqual(["b"]);
      expect(await ids("asked the server")).toEqual(["c"]);
      expect(await ids("77001")).toEqual(["c"]);
      expect(await ids("payload-")).toHaveLength(3);
    }
    ok(await world.store.retryTask("b"));
    ok(await world.store.deleteTask("a"));
    await index(world);
    expect(await ids("finished well")).toEqual([]);
    expect(await ids("payload-b")).toEqual(["b"]);
  });

  test("a task that runs again, by the error of its last attempt that was not indexed before", async () => {
    await world.enqueue(
      own("a", { word: "first" }, { priority: 5, maxAttempts: 2 }),
      own("b", { word: "second" }),
    );
    await index(world);
    const [a] = await world.claim({ limit: 1 });
    await world.settle(a!, "failed", { error: someError, retryAt: startAt });
    const [again] = await world.claim({ limit: 1 });
    expect(again!.task.id).toBe(a!.task.id);
    expect(await ids(someError.message)).toEqual([a!.task.id]);
    expect(await ids(someError.message, { statuses: ["RUNNING"] })).toEqual([a!.task.id]);
    expect(await ids(someError.message, { statuses: ["PENDING"] })).toEqual([]);
  });

  test("a task that runs, which was changed and not indexed before", async () => {
    const all = ["a", "b", "c"];
    await world.enqueue(...all.map((id) => own(id, { word: `word of ${id}` })));
    for (const id of all) ok(await world.store.editTask(id, { priority: 1 }));
    const read = await world.store.readUnindexed({ limit: 2 });
    const texts = read.map(({ ref, task, json }) => ({ ref, text: searchableText(task, [], json) }));
    ok(await world.store.writeTexts(texts));
    expect(await world.claim({ limit: 3 })).toHaveLength(3);
    expect(await ids("word of", { sortBy: "id", descending: false })).toEqual(all);
    await index(world);
    expect(await ids("word of", { sortBy: "id", descending: false })).toEqual(all);
  });

  test("a task that runs, indexed or not, at its place in the order", async () => {
    await world.enqueue(
      ...["a", "b", "c", "d"].map((id, at) =>
        own(
          id,
          { word: `word of ${id}` },
          { createdAt: startAt + at, priority: id === "b" ? 5 : 0, dueAt: 0 },
        ),
      ),
    );
    const [b] = await world.claim({ limit: 1 });
    expect(b!.task.id).toBe("b");
    await index(world);
    expect(await ids("word of")).toEqual(["d", "c", "b", "a"]);
    expect(await ids("word of", { descending: false, limit: 3 })).toEqual(["a", "b", "c"]);
    expect(await ids("word of", { sortBy: "id" })).toEqual(["d", "c", "b", "a"]);
    expect(await ids("word of", { statuses: ["RUNNING"] })).toEqual(["b"]);
    expect(await ids("word of", { statuses: ["PENDING"] })).toEqual(["d", "c", "a"]);
    const after = { value: startAt + 2, id: "c", backwards: false };
    expect(await ids("word of", { after })).toEqual(["b", "a"]);
    expect(await ids("word of", { after: { ...after, backwards: true } })).toEqual(["d"]);
    await world.settle(b!, "completed");
    await index(world);
    expect(await ids("word of b")).toEqual(["b"]);
  });

  test("indexed once, and again when they have changed; nothing is left out", async () => {
    await world.enqueue(
      ...Array.from({ length: 45 }, (_, at) => own(`own-${at}`, { text: `number ${at}` }, { dueAt: 0 })),
    );
    const first = await world.store.readUnindexed({ limit: 20 });
    const textsOf = (unindexed: typeof first) =>
      unindexed.map(({ ref, task, json }) => ({ ref, text: searchableText(task, [], json) }));
    const [, second] = await Promise.all([
      world.store.writeTexts(textsOf(first)),
      world.store.readUnindexed({ limit: 20, after: first.at(-1)! }),
    ]);
    const read = [...first, ...second].map(({ task }) => task.id);
    // The second twenty are read while the first are written, though all are of one type, status and hour.
    expect(read).toHaveLength(40);
    expect(new Set(read).size).toBe(read.length);
    ok(await world.store.writeTexts(textsOf(second)));
    expect((await world.store.stats()).textLag).toBe(45 - read.length);
    await index(world);
    expect(await ids("number")).toHaveLength(45);
    expect(await world.store.readUnindexed({ limit: 10 })).toEqual([]);
    expect((await world.store.stats()).textLag ?? 0).toBe(0);
    await world.settle((await world.claim({ limit: 1 }))[0]!, "completed");
    expect((await world.store.stats()).textLag).toBe(1);
    expect(await index(world)).toBe(1);
    ok(await world.store.editTask("own-44", { priority: 3 }));
    await index(world);
    await world.clock.advance(-10_000);
    await world.settle((await world.claim({ limit: 1 }))[0]!, "failed", {
      error: { ...someError, message: "the clock went back" },
    });
    await index(world);
    expect(await ids("the clock went back")).toHaveLength(1);
  });

  test("the lag is told in tasks, however often each has changed", async () => {
    await world.enqueue(...Array.from({ length: 8 }, () => newTask()));
    for (const claimed of await world.claim({ limit: 8 })) await world.settle(claimed, "completed");
    expect((await world.store.stats()).textLag).toBe(8);
  });

  test("forgotten, all are to be indexed again", async () => {
    const tasks = Array.from({ length: 30 }, (_, at) =>
      own(`own-${at}`, { text: `word ${at}` }, { dueAt: 0 }),
    );
    await world.enqueue(...tasks);
    await world.settle((await world.claim({ limit: 1 }))[0]!, "completed");
    await index(world);
    const read = await world.store.readUnindexed({ limit: 10 });
    expect(read).toEqual([]);
    ok(await world.store.editTask("own-29", { priority: 3 }));
    const before = await world.store.readUnindexed({ limit: 10 });
    ok(await world.store.clearTexts());
    expect((await world.store.stats()).textLag).toBe(30);
    expect(await ids("word")).toHaveLength(30);
    // What was read before is written by somebody who knows nothing of it.
    ok(await world.store.writeTexts(before.map(({ ref }) => ({ ref, text: "word 29" }))));
    expect(await index(world)).toBeGreaterThanOrEqual(29);
    expect((await world.store.stats()).textLag).toBe(0);
    expect(await ids("word")).toHaveLength(30);
    expect(await ids("word 29")).toEqual(["own-29"]);
    ok(await world.store.clearTexts());
    ok(await world.store.clearTexts());
    await index(world);
    expect(await ids("word", { sortBy: "id" })).toHaveLength(30);
  });

  test("what is left is found after the oldest task was deleted", async () => {
    await world.enqueue(own("a", { text: "the first one" }), own("b", { text: "the second one" }));
    await index(world);
    ok(await world.store.cancelTask("a"));
    await index(world);
    ok(await world.store.deleteTask("a"));
    expect(await ids("the second one")).toEqual(["b"]);
  });

  test("a number that is given again belongs to the new task", async () => {
    await world.enqueue(own("a", { text: "the first one" }), own("b", { text: "the second one" }));
    await index(world);
    for (const id of ["a", "b"]) {
      ok(await world.store.cancelTask(id));
      ok(await world.store.deleteTask(id));
    }
    await world.enqueue(own("c", { text: "something else" }));
    await index(world);
    expect(await ids("the second one")).toEqual([]);
    expect(await ids("something else")).toEqual(["c"]);
  });

  /** More wait for the index than are looked at besides, and fewer than are indexed. */
  async function sayWhatIsLeft(found: number): Promise<void> {
    const more = Array.from({ length: 2_100 }, (_, place) =>
      newTask({
        ...(place % 21 === 0 && { type: "send-receipt" }),
        createdAt: startAt + 10_000,
        payload: { text: "even as ever, but later" },
      }),
    );
    await world.enqueue(...more);
    const search = newSearch({ where: has("even as"), limit: 10_000, budgetMs: 60_000 });
    const behind = await world.store.searchTasks(search);
    expect(behind).toMatchObject({ unindexed: more.length });
    expect(behind.tasks).toHaveLength(found);
    expect(await world.store.countTasks(search)).toEqual({ count: found, errorMax: more.length });
    const { unindexed = 0 } = await world.store.searchTasks({ ...search, types: ["send-receipt"] });
    expect(unindexed).toBeLessThan(200);
    // Without a budget nothing is to be missed.
    expect(await ids("even as", { limit: 10_000 })).toHaveLength(found + more.length);
    await index(world, 500);
    expect(await tasksOf(world.store.searchTasks(search))).toHaveLength(found + more.length);
  }

  test("many, in every order and with every filter", async () => {
    const tasks = Array.from({ length: 2_600 }, (_, at) =>
      newTask({
        createdAt: startAt - ((at * 7_919) % 500) + Math.floor(at / 1_000) * 100,
        type: at % 3 === 0 ? "send-receipt" : "resize-image",
        payload: { text: at % 2 === 0 ? "even as ever" : "odd one" },
      }),
    );
    await world.enqueue(...tasks);
    await index(world, 500);
    const all = await tasksOf(world.store.searchTasks(newSearch({ limit: 10_000 })));
    const wanted = all.filter(({ payload }) => payload.text.includes("even")).map(({ id }) => id);
    expect(wanted).toHaveLength(1_300);
    expect(await ids("even as", { limit: 10_000 })).toEqual(wanted);
    expect(await ids("even as", { limit: 10_000, descending: false })).toEqual(wanted.toReversed());
    expect(await ids("even as", { limit: 10_000, sortBy: "id" })).toEqual([...wanted].sort().reverse());
    expect(await ids("even as", { limit: 20, offset: 700 })).toEqual(wanted.slice(700, 720));
    const types = ["send-receipt"];
    const ofType = all
      .filter(({ type, payload }) => type === types[0] && payload.text.includes("even"))
      .map(({ id }) => id);
    expect(await ids("even as", { types, limit: 10_000 })).toEqual(ofType);
    const middle = all.find(({ id }) => id === wanted[650])!;
    const place = { value: middle.createdAt.getTime(), id: middle.id };
    expect(await ids("even as", { limit: 5, after: { ...place, backwards: false } })).toEqual(
      wanted.slice(651, 656),
    );
    expect(await ids("even as", { limit: 5, after: { ...place, backwards: true } })).toEqual(
      wanted.slice(645, 650).reverse(),
    );
    const created = { start: middle.createdAt.getTime(), end: middle.createdAt.getTime() + 50 };
    const within = all
      .filter(({ createdAt, payload }) => {
        const at = createdAt.getTime();
        return payload.text.includes("even") && at >= created.start && at < created.end;
      })
      .map(({ id }) => id);
    expect(await ids("even as", { created, limit: 10_000 })).toEqual(within);
    const ranked = await world.store.searchTasks(
      newSearch({ where: has("even as"), ...byRelevance, limit: 10_000 }),
    );
    expect(ranked).toMatchObject({ isPartial: true });
    expect(ranked.tasks.map(({ id }) => id).sort()).toEqual(wanted.slice(0, 1_000).sort());
    const counted = await world.store.countTasks(newSearch({ where: has("even as") }));
    expect(counted).toEqual({ count: 1_300, errorMax: 0 });
    await sayWhatIsLeft(1_300);
  }, 60_000);

  test("a search whose time is up goes on from where it stopped", async () => {
    const tasks = Array.from({ length: 1_200 }, (_, at) =>
      newTask({ createdAt: startAt - at, payload: { text: `word ${at % 7}` } }),
    );
    await world.enqueue(...tasks);
    await index(world, 500);
    const search = newSearch({
      where: { kind: "and", parts: [has("word"), has("6")] },
      limit: 1_000,
      budgetMs: 0,
    });
    const found: string[] = [];
    let after: StoreSearch["after"];
    for (let round = 0; round < 1_300; round++) {
      const part = await world.store.searchTasks({ ...search, ...(after && { after }) });
      found.push(...part.tasks.map(({ id }) => id));
      if (!part.stoppedAt) break;
      after = placeBehind(part.stoppedAt);
    }
    expect(found).toEqual(tasks.filter((_, at) => at % 7 === 6).map(({ id }) => id));
  });
});
