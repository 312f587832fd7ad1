/** The change feed: whoever applies every change has what the store has, whatever happens meanwhile. */
import { expect, test } from "vitest";
import type { ClaimedTask, TaskStore } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, newTask, newTasks, settlementOf, someError } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { seeded } from "../support/seeded.ts";
import { ok, onEachStore, type World } from "../support/stores.ts";

/** Holds what the changes said, by id. */
class Follower {
  readonly tasks = new Map<string, Task>();
  readonly #store: TaskStore;
  cursor = "";
  told = 0;

  constructor(store: TaskStore) {
    this.#store = store;
  }

  async begin(): Promise<this> {
    const { changes, cursor, more } = await this.#store.readChanges({ limit: 10 });
    expect([changes, more]).toEqual([[], false]);
    this.cursor = cursor;
    return this;
  }

  /** Up to `takenMax` of one page; answers whether there is more. */
  async read(limit = 100, takenMax = limit): Promise<boolean> {
    const page = await this.#store.readChanges({ since: this.cursor, limit });
    expect(page.changes.length).toBeLessThanOrEqual(limit);
    const isCut = page.changes.length > takenMax;
    const changes = page.changes.slice(0, takenMax);
    const more = isCut || page.more;
    const cursor = isCut ? page.cursorAfter(takenMax - 1) : page.cursor;
    for (const task of changes) this.tasks.set(task.id, task);
    this.told += changes.length;
    this.cursor = cursor;
    return more;
  }

  async readAll(limit = 100): Promise<string[]> {
    this.tasks.clear();
    for (let pages = 0; await this.read(limit); pages++) expect(pages).toBeLessThan(5_000);
    return [...this.tasks.keys()].sort();
  }
}

const pictureOf = (tasks: Iterable<Task>) =>
  [...tasks].map(({ id, status, version, priority }) => `${id} ${status} ${version} ${priority}`).sort();

async function allTasks(world: World): Promise<Task[]> {
  return tasksOf(world.store.searchTasks(newSearch({ limit: 100_000 })));
}

onEachStore("readChanges", (world) => {
  const follow = () => new Follower(world.store).begin();

  test("without a cursor only the cursor of now, and nothing of before it", async () => {
    await world.enqueue(newTask({ id: "before" }));
    const follower = await follow();
    expect(await follower.readAll()).toEqual([]);
    await world.enqueue(newTask({ id: "after" }));
    expect(await follower.readAll()).toEqual(["after"]);
    expect(await follower.readAll()).toEqual([]);
  });

  test("every kind of change, each as the task is now", async () => {
    const follower = await follow();
    const own = (id: string, facts = {}) => newTask({ id, maxAttempts: 3, ...facts });
    await world.enqueue(...["a", "b", "c", "d", "e", "f"].map((id) => own(id)));
    expect(await follower.readAll()).toEqual(["a", "b", "c", "d", "e", "f"]);
    world.clock.advance(10);
    ok(await world.store.editTask("f", { priority: -5 }));
    expect(await follower.readAll()).toContain("f");
    expect(follower.tasks.get("f")).toMatchObject({ status: "PENDING", priority: -5, version: 2 });
    const claimed = await world.claim({ limit: 5 });
    const of = (id: string) => claimed.find(({ task }) => task.id === id)!;
    expect(await follower.readAll()).toEqual(expect.arrayContaining(["a", "b", "c", "d", "e"]));
    expect(follower.tasks.get("a")).toMatchObject({ status: "RUNNING", workerId: "worker-1" });
    world.clock.advance(10);
    ok(await world.store.cancelTask("d"));
    ok(await world.store.cancelTask("f"));
    expect(await follower.readAll()).toEqual(expect.arrayContaining(["d", "f"]));
    expect(follower.tasks.get("d")?.cancelRequestedAt).toBeDefined();
    await world.settle(of("a"), "completed", { result: { json: '"done"' } });
    await world.settle(of("b"), "failed", { error: someError });
    await world.settle(of("c"), "failed", { error: someError, retryAt: world.clock.now() + 5_000 });
    world.clock.advance(1);
    await world.bury();
    await follower.readAll();
    expect(pictureOf(follower.tasks.values())).toEqual(
      expect.arrayContaining(pictureOf(await allTasks(world)).filter((line) => !line.startsWith("f"))),
    );
    expect(follower.tasks.get("a")).toMatchObject({ status: "COMPLETED", result: "done" });
    world.clock.advance(1);
    ok(await world.store.retryTask("b"));
    expect(await follower.readAll()).toContain("b");
    expect(follower.tasks.get("b")).toMatchObject({ status: "PENDING", attempts: 0 });
  });

  test("deleted tasks are not told, and the numbers of new ones are not taken for theirs", async () => {
    await world.enqueue(newTask({ id: "kept" }));
    const follower = await follow();
    for (let round = 0; round < 3; round++) {
      await world.enqueue(newTask({ id: "again", payload: { round }, createdAt: world.clock.now() }));
      expect(await follower.readAll()).toContain("again");
      world.clock.advance(1);
      ok(await world.store.cancelTask("again"));
      ok(await world.store.deleteTask("again"));
      if (round === 1) expect(await follower.readAll()).not.toContain("again");
    }
    await world.enqueue(newTask({ id: "other" }));
    expect(await follower.readAll()).toContain("other");
  });

  test("pages of any size end, and the last says so", async () => {
    const follower = await follow();
    const tasks = newTasks(57);
    await world.enqueue(...tasks);
    const ids = tasks.map(({ id }) => id).sort();
    expect(await follower.readAll(1)).toEqual(ids);
    expect(follower.told).toBe(57);
    await world.claim({ limit: 40 });
    expect(await follower.readAll(7)).toHaveLength(40);
    expect(follower.told).toBe(97);
    expect(await follower.read(7)).toBe(false);
    expect(follower.told).toBe(97);
  });

  test("whoever goes on after any change of a page is told all that came after it, and nothing twice", async () => {
    await world.enqueue(...newTasks(12));
    const follower = await follow();
    await world.claim({ limit: 5 });
    world.clock.advance(5);
    await world.enqueue(...newTasks(4), ...newTasks(3, { createdAt: world.clock.now() - 40_000 }));
    await world.claim({ limit: 2 });
    world.clock.advance(5);
    await world.enqueue(...newTasks(3));
    const since = follower.cursor;
    const { changes, cursor, cursorAfter } = await world.store.readChanges({ since, limit: 100 });
    const ids = changes.map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(14);
    for (const [index, id] of ids.entries()) {
      follower.cursor = cursorAfter(index);
      expect(await follower.readAll(), `after ${id}`).toEqual(ids.slice(index + 1).sort());
    }
    follower.cursor = cursor;
    expect(await follower.readAll()).toEqual([]);
  });

  test("what changes after some of a page were taken is told again, and the rest is not missed", async () => {
    const follower = await follow();
    await world.enqueue(...newTasks(6));
    await follower.read(100, 3);
    const [first] = follower.tasks.keys();
    const rest = (await allTasks(world)).map(({ id }) => id).filter((id) => !follower.tasks.has(id));
    world.clock.advance(3);
    ok(await world.store.editTask(first!, { priority: 7 }));
    expect(await follower.readAll()).toEqual([first!, ...rest].sort());
  });

  test("changes of one millisecond, read in between", async () => {
    await world.enqueue(...newTasks(20));
    const follower = await follow();
    const seen = new Set<string>();
    for (let round = 0; round < 10; round++) {
      const claimed = await world.claim({ limit: 2 });
      for (const id of await follower.readAll(3)) seen.add(id);
      for (const { task } of claimed) expect(seen).toContain(task.id);
    }
    expect(await follower.readAll()).toEqual([]);
  });

  test("creation long before the commit, and a clock behind", async () => {
    await world.enqueue(newTask({ id: "first" }));
    world.clock.advance(3_600_000);
    await world.claim();
    const follower = await follow();
    await world.enqueue(newTask({ id: "late" }), ...newTasks(3, { createdAt: world.clock.now() - 40_000 }));
    expect(await follower.readAll()).toHaveLength(4);
    expect(await follower.readAll()).toEqual([]);
    await world.claim({ limit: 10 });
    expect(await follower.readAll()).toHaveLength(4);
  });

  test("a cursor that is damaged or another's is refused", async () => {
    const { cursor } = await follow();
    for (const since of ["", "nonsense", cursor.slice(1), `${cursor}x`]) {
      await expect(world.store.readChanges({ since, limit: 1 })).rejects.toMatchObject({
        code: "INVALID_CURSOR",
      });
    }
  });

  for (const seed of [1, 2, 3]) {
    test(`random changes from several stores, seed ${seed}`, { timeout: 60_000 }, async () => {
      const random = seeded(seed);
      const stores = [world.store, ...(world.shared ? [await world.connect(), await world.connect()] : [])];
      await world.enqueue(...newTasks(5));
      const followers = await Promise.all(stores.map((store) => new Follower(store).begin()));
      const before = new Map((await allTasks(world)).map((task) => [task.id, task]));
      for (const follower of followers) for (const [id, task] of before) follower.tasks.set(id, task);
      const claimed: ClaimedTask[] = [];
      const change = async (store: TaskStore): Promise<void> => {
        const dice = random();
        const anyId = () => [...followers[0]!.tasks.keys()][Math.floor(random() * followers[0]!.tasks.size)]!;
        if (dice < 0.25)
          ok(
            await store.enqueueTasks(
              newTasks(1 + Math.floor(random() * 4), { createdAt: world.clock.now() }),
            ),
          );
        else if (dice < 0.3) ok(await store.enqueueTasks([newTask({ id: `own-${random()}` })]));
        else if (dice < 0.5) claimed.push(...(await claim(store, 1 + Math.floor(random() * 4))));
        else if (dice < 0.75) {
          const one = claimed.splice(Math.floor(random() * claimed.length), 1)[0];
          const outcome = random() < 0.5 ? "completed" : "failed";
          const facts = outcome === "failed" ? { error: someError } : {};
          if (one) ok(await store.settleTasks([settlementOf(one, outcome, facts)]));
        } else if (dice < 0.8) await store.cancelTask(anyId());
        else if (dice < 0.85) await store.retryTask(anyId());
        else if (dice < 0.9) await store.editTask(anyId(), { priority: Math.floor(random() * 9) });
        // A round of them takes less than what PostgreSQL allows between an instant and its transaction.
        else world.clock.advance(Math.floor(random() * random() * 700));
      };
      const claim = async (store: TaskStore, limit: number) =>
        ok(await store.claimTasks({ workerId: "worker-1", types: ["resize-image"], limit, suspect: true }))
          .claimed;
      let writing = true;
      const reading = followers.map(async (follower, index) => {
        while (writing) {
          const limit = 1 + ((index * 7 + follower.told) % 9);
          await follower.read(limit, index === 1 ? Math.ceil(limit / 2) : limit);
          await new Promise((resolve) => setImmediate(resolve));
        }
        while (await follower.read(50));
      });
      for (let round = 0; round < 60; round++) {
        await Promise.all(stores.flatMap((store) => [change(store), change(store)]));
      }
      writing = false;
      await Promise.all(reading);
      const truth = pictureOf(await allTasks(world));
      for (const follower of followers) expect(pictureOf(follower.tasks.values())).toEqual(truth);
    });
  }
});
