/** Tasks of candidates, which are read together with what finds these. */
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { StoreSearch, TaskStore } from "../../server/tasks/core/store.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { ok } from "../support/stores.ts";

let schema: TestSchema;
let store: TaskStore;

beforeEach(async () => {
  schema = await takeTestSchema();
  store = createPostgresStore({ url: schema.url });
  await store.open();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await store?.close();
  await schema?.drop();
});

/** What an array of the server's has quotation marks around. */
const ids = ["a,b", 'c"d', "e\\f", "{g}", "NULL", " h "];

const payload = { text: "needle" };

async function enqueue(): Promise<void> {
  const attributes = { plan: "pro" };
  ok(
    await store.enqueueTasks(
      ids.map((id, n) => newTask({ id, ownId: true, createdAt: startAt + n, attributes, payload })),
    ),
  );
  const found = await store.readUnindexed({ limit: 100 });
  ok(await store.writeTexts(found.map(({ ref, json }) => ({ ref, text: json.payload! }))));
}

const ofPlan: Partial<StoreSearch> = {
  where: { kind: "equals", field: { of: "attribute", name: "plan" }, values: ["pro"] },
};
const searches: [string, Partial<StoreSearch>, number, string[]][] = [
  ["an attribute", ofPlan, 6, []],
  ["an attribute, with definitions", { ...ofPlan, definitions: true }, 6, []],
  ["an attribute, a page of them", { ...ofPlan, limit: 2 }, 2, []],
  ["a text", { where: { kind: "text", text: "needle" } }, 6, ["COMMIT"]],
  ["a text, a page of them", { where: { kind: "text", text: "needle" }, limit: 2 }, 2, ["COMMIT"]],
];

const searchFor = (asked: Partial<StoreSearch>) =>
  newSearch({ ...{ sortBy: "createdAt", descending: false, definitions: false, limit: 50 }, ...asked });

test.each(searches)(
  "one question, and its end where more may be asked: %s",
  async (_, asked, count, ends) => {
    await enqueue();
    const query = vi.spyOn(pg.Client.prototype, "query");
    for (let time = 1; time <= 3; time += 1) {
      query.mockClear();
      const { tasks } = await store.searchTasks(searchFor(asked));
      expect(tasks.map(({ id, payload }) => [id, payload])).toEqual(
        ids.slice(0, count).map((id) => [id, payload]),
      );
    }
    expect(query.mock.calls.map(([asked]) => (asked as { text?: string }).text)).toEqual([
      undefined,
      ...ends,
    ]);
  },
);

test("not where the index has what waits beside what is asked for, which may be many", async () => {
  await enqueue();
  const query = vi.spyOn(Database.prototype, "snapshot");
  const names: string[] = [];
  query.mockImplementation(function (this: Database, work, plan) {
    query.mockRestore();
    return this.snapshot((session) => {
      const { query } = session;
      const recorded: typeof query = (statement, ...rest) => {
        names.push(statement.name);
        return query(statement, ...rest);
      };
      return work(Object.assign(Object.create(session), { query: recorded }));
    }, plan);
  });
  const { tasks } = await store.searchTasks(searchFor({ ...ofPlan, statuses: ["RUNNING", "FAILED"] }));
  expect(tasks).toEqual([]);
  expect(names).toContain("countAttributes");
});
