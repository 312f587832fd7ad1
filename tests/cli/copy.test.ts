import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { exitCodes } from "../../server/cli/exit-codes.ts";
import { createDure } from "../../server/dure.ts";
import { ensureBuilt, Workspace } from "../support/cli.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";

/** Each test starts several processes. */
vi.setConfig({ testTimeout: 60_000 });

const program = `import { defineTask } from "dure";
const greet = defineTask("greet", async (task) => "hello " + task.payload.name, { maxAttempts: 2 });
const fail = defineTask("fail", async () => { throw new Error("no \\0 luck"); });
await greet.enqueueMany(Array.from({ length: 2500 }, (_, n) => ({ payload: { name: "n" + n, at: new Date(n) } })));
await fail.enqueue({ id: 1n });
await greet.enqueue({ name: "later" }, { delay: "1h", tags: ["vip"], idempotencyKey: "once", priority: 3 });`;

const definitions = `import { defineTask } from "dure";
defineTask("greet", async (task) => "hello again " + task.payload.name);`;

/** Has the file that every test copies from a copy of. */
let original: Workspace;
let workspace: Workspace;
let schema: TestSchema;

beforeAll(async () => {
  await ensureBuilt();
  original = new Workspace();
  original.write("program.ts", program);
  await original.dure(["run", "program.ts", "--database", "tasks.db"]);
  await original.dure([
    "pause",
    "--type",
    "fail",
    "--reason",
    "the mail server is down",
    "--database",
    "tasks.db",
  ]);
  await original.dure(["searches", "save", "bad", "status:failed", "--database", "tasks.db"]);
}, 60_000);
afterAll(() => original.remove());
beforeEach(async () => {
  workspace = new Workspace();
  copyFileSync(join(original.folder, "tasks.db"), join(workspace.folder, "tasks.db"));
  schema = await createTestSchema();
});
afterEach(async () => {
  await workspace.remove();
  await schema.drop();
});

/** All that a search and the attempts tell. */
async function everything(database: string): Promise<unknown> {
  const path = database.startsWith("postgres") ? database : `${workspace.folder}/${database}`;
  const dure = createDure({ database: path });
  try {
    const tasks = await dure.searchTasks({
      limit: 10_000,
      sortBy: "id",
      sortOrder: "asc",
      definitions: false,
    });
    const withAttempts = tasks.slice(-20).map(async ({ id }) => dure.listAttempts(id));
    const { byType } = await dure.stats();
    const definitions = (await dure.listDefinitions()).map(
      ({ createdAt: _c, updatedAt: _u, ...rest }) => rest,
    );
    const days = await dure.readHistory({ bucket: "day", by: "type" });
    const history = days.map(({ throughput: _untilNow, ...rest }) => rest);
    const [searches, pauses] = await Promise.all([dure.listSearches(), dure.listPauses()]);
    return plain({
      ...{ tasks, attempts: await Promise.all(withAttempts), byType, definitions, history },
      searches: searches.map(({ name, query, alert }) => ({ name, query, alert })),
      pauses: pauses.map(({ pausedAt: _pausedAt, ...pause }) => pause),
    });
  } finally {
    await dure.close();
  }
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}n` : part)));
}

test("from a file to PostgreSQL and back to a file: the same tasks, attempts, counts, definitions and all beside them", async () => {
  const before = await everything("tasks.db");
  for (const part of ["tasks", "history", "searches", "pauses"]) expect(before).not.toHaveProperty(part, []);
  const there = await workspace.json("copy", "--from", "tasks.db", "--to", schema.url);
  expect(there).toMatchObject({ definitions: 2, copied: 2_502, present: 0 });
  expect(await everything(schema.url)).toEqual(before);
  const back = await workspace.json("copy", "--from", schema.url, "--to", "back.db");
  expect(back).toMatchObject({ copied: 2_502, present: 0 });
  expect(await everything("back.db")).toEqual(before);
});

test("the first database takes no changes any more and says where to go; --reopen takes that back", async () => {
  await workspace.dure(["copy", "--from", "tasks.db", "--to", "moved.db"]);
  const refused = await workspace.dure(["enqueue", "greet", '{"name":"x"}', "--database", "tasks.db"]);
  expect(refused.code).toBe(exitCodes.DATABASE_MOVED);
  expect(refused.stderr).toContain("moved.db");
  expect((await workspace.dure(["search", "--database", "tasks.db"])).code).toBe(0);
  expect((await workspace.dure(["copy", "--from", "tasks.db", "--reopen"])).code).toBe(0);
  expect((await workspace.dure(["enqueue", "greet", '{"name":"x"}', "--database", "tasks.db"])).code).toBe(0);
});

test.each(["a file to PostgreSQL", "PostgreSQL to a file"])(
  "a copy from %s that was killed half-way goes on, and every task is there once",
  async (way) => {
    const isBack = way === "PostgreSQL to a file";
    if (isBack) await workspace.json("copy", "--from", "tasks.db", "--to", schema.url);
    const [from, to] = isBack ? [schema.url, "back.db"] : ["tasks.db", schema.url];
    const before = await everything(from);
    const first = workspace.start(["copy", "--from", from, "--to", to]);
    const countThere = () => (isBack ? countIn(join(workspace.folder, to)) : countInSchema());
    await vi.waitFor(async () => expect(await countThere()).toBeGreaterThan(0), {
      timeout: 20_000,
      interval: 1,
    });
    first.child.kill("SIGKILL");
    await first.ended;
    const second = await workspace.json("copy", "--from", from, "--to", to);
    expect(second.copied + second.present).toBe(2_502);
    expect(second.present).toBeGreaterThan(0);
    expect(await everything(to)).toEqual(before);
  },
);

async function countInSchema(): Promise<number> {
  const rows = await schema.query("SELECT count(*)::integer AS tasks FROM :schema.tasks").catch(() => []);
  return rows[0]?.tasks ?? 0;
}

function countIn(path: string): number {
  if (!existsSync(path)) return 0;
  const database = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
  try {
    return database.prepare("SELECT count(*) AS tasks FROM tasks").get()!.tasks as number;
  } catch {
    return 0;
  } finally {
    database.close();
  }
}

test("a copy goes on over what has run in its new place, and stops at another task of the same id", async () => {
  await workspace.dure(["copy", "--from", "tasks.db", "--to", schema.url]);
  await schema.query(
    "UPDATE :schema.tasks SET priority = 7, version = version + 1 WHERE id = (SELECT max(id) FROM :schema.tasks)",
  );
  const again = await workspace.json("copy", "--from", "tasks.db", "--to", schema.url);
  expect(again).toMatchObject({ copied: 0, present: 2_502 });
  await schema.query("UPDATE :schema.tasks SET priority = 7 WHERE id = (SELECT min(id) FROM :schema.tasks)");
  const differs = await workspace.dure(["copy", "--from", "tasks.db", "--to", schema.url]);
  expect(differs).toMatchObject({
    code: exitCodes.DATABASE_CORRUPT,
    stderr: expect.stringContaining("not what was written"),
  });
  await schema.query(
    "UPDATE :schema.tasks SET payload = '1', version = version + 1 WHERE id = (SELECT min(id) FROM :schema.tasks)",
  );
  const other = await workspace.dure(["copy", "--from", "tasks.db", "--to", schema.url]);
  expect(other).toMatchObject({
    code: exitCodes.TASK_ID_TAKEN,
    stderr: expect.stringContaining("another task with the id"),
  });
});

test("a worker that is alive in the first database is named, and nothing is copied or sealed", async () => {
  workspace.write("definitions.ts", definitions);
  const worker = workspace.start([
    "worker",
    "definitions.ts",
    "--database",
    "tasks.db",
    "--name",
    "busy-bee",
  ]);
  await worker.sees("Ctrl-C stops");
  const refused = await workspace.dure(["copy", "--from", "tasks.db", "--to", schema.url]);
  expect(refused.code).toBe(exitCodes.WORKER_RUNNING);
  expect(refused.stderr).toContain("busy-bee");
  expect((await workspace.dure(["enqueue", "greet", '{"name":"x"}', "--database", "tasks.db"])).code).toBe(0);
  worker.child.kill("SIGKILL");
  await worker.ended;
  const { code } = await workspace.dure(["copy", "--from", "tasks.db", "--to", schema.url]);
  expect(code, "a worker that was killed is known to be dead at once").toBe(0);
});

test("what is copied runs in its new place, once", async () => {
  const { tasks } = await workspace.json("search", "--status", "pending", "--database", "tasks.db");
  const [{ id }] = tasks;
  await workspace.dure(["edit", id, "--delay", "0s", "--database", "tasks.db"]);
  await workspace.dure(["copy", "--from", "tasks.db", "--to", schema.url]);
  workspace.write("definitions.ts", definitions);
  await workspace.dure(["run", "definitions.ts", "--database", schema.url]);
  const task = await workspace.json("show", id, "--database", schema.url);
  expect(task).toMatchObject({ status: "COMPLETED", attempts: 1, result: "hello again later" });
  expect((await workspace.json("show", id, "--database", "tasks.db")).status).toBe("PENDING");
});

test.each([
  [["copy", "--from", "tasks.db"], "--to"],
  [["copy", "--from", "tasks.db", "--to", "tasks.db"], "same database"],
  [["copy", "--from", "nowhere.db", "--to", "x.db"], "no database at"],
  [["copy", "--from", "tasks.db", "--to", "postgres://nobody:secret@<server>/nowhere"], "<server>/nowhere"],
])("dure %j is refused with what is wrong", async (args, text) => {
  const { host } = new URL(schema.url);
  const { code, stderr } = await workspace.dure(args.map((arg) => arg.replace("<server>", host)));
  expect(code).not.toBe(0);
  expect(stderr).toContain(text.replace("<server>", host));
  expect(stderr).not.toContain("secret");
});
