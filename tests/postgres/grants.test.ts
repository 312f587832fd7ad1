import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { grantsFor, type RoleKind } from "../../server/dure-grants.ts";
import { logInAndOut } from "../support/log-in-out.ts";
import { createTestSchema, queryPostgres, type TestSchema } from "../support/postgres.ts";

let schema: TestSchema;
const roles: string[] = [];
const dures: Dure[] = [];

beforeAll(async () => {
  schema = await createTestSchema();
  const owner = open(schema.url);
  await owner.defineTask("resize-image", async () => "resized").enqueue({ widthPx: 640 }, { id: "first" });
}, 60_000);

afterAll(async () => {
  await Promise.all(dures.map((dure) => dure.close()));
  await schema.drop();
  for (const role of roles) {
    await queryPostgres(`DROP OWNED BY "${role}"`);
    await queryPostgres(`DROP ROLE "${role}"`);
  }
});

function open(database: string): Dure {
  const silent = { info: () => {}, warn: () => {}, error: () => {} };
  const dure = createDure({ database, logger: silent });
  dures.push(dure);
  return dure;
}

/** A role of that kind, whose name needs quoting, and a URL that signs in as it. */
async function makeRole(kind: RoleKind): Promise<string> {
  const role = `dure "${kind}" ${process.pid}`;
  await queryPostgres(`CREATE ROLE ${pg.escapeIdentifier(role)} LOGIN PASSWORD 'secret'`);
  roles.push(role.replaceAll('"', '""'));
  for (const statement of grantsFor(schema.url, role, kind)) await queryPostgres(statement);
  const url = new URL(schema.url);
  url.username = encodeURIComponent(role);
  url.password = "secret";
  return url.href;
}

/** Asks as the role itself, past the store. */
async function ask(url: string, sql: string): Promise<unknown[]> {
  const own = new URL(url);
  own.search = "";
  const client = new pg.Client(own.href);
  await client.connect();
  try {
    return (await client.query(sql.replaceAll(":schema", () => schema.quoted))).rows;
  } finally {
    await client.end();
  }
}

describe("a reader", () => {
  let url: string;
  beforeAll(async () => {
    url = await makeRole("reader");
  });

  test("searches", async () => {
    const dure = open(url);
    expect((await dure.searchTasks({ type: "resize-image" })).map(({ id }) => id)).toContain("first");
    expect(await dure.countTasks()).toBeGreaterThan(0);
    expect(await dure.listAttempts("first")).toEqual([]);
    expect((await dure.stats()).byType.length).toBeGreaterThan(0);
    expect((await dure.checkHealth()).length).toBeGreaterThan(0);
  });

  test("changes nothing", async () => {
    const dure = open(url);
    await expect(dure.cancelTask("first")).rejects.toMatchObject({
      code: "DATABASE_UNAVAILABLE",
      message: expect.stringContaining("dure migrate --grants"),
    });
    await expect(ask(url, "UPDATE :schema.tasks SET priority = 1")).rejects.toThrow(/permission denied/);
    await expect(ask(url, "DELETE FROM :schema.attempts")).rejects.toThrow(/permission denied/);
  });

  test("opens the dashboard and leaves it, though no record of that can be stored", async () => {
    const errors = await logInAndOut(open(url));
    expect(errors).toEqual([expect.stringContaining("cannot be recorded in the audit log")]);
  });
});

describe("a client", () => {
  let url: string;
  beforeAll(async () => {
    url = await makeRole("client");
  });

  test("defines, enqueues, cancels, retries, edits, deletes, and searches", async () => {
    const dure = open(url);
    const resize = dure.defineTask("resize-image", async () => "resized");
    const { id } = await resize.enqueue({ widthPx: 1 }, { queue: "new-queue", idempotencyKey: "k" });
    await resize.enqueueMany([{ payload: 1 }, { payload: 2 }]);
    await dure.editTask(id, { priority: 3 });
    await dure.cancelTask(id);
    await dure.retryTask(id);
    await dure.cancelTask(id);
    await dure.deleteTask(id);
    expect(await dure.prune()).toEqual({ archived: 0, deleted: 0 });
    expect(await dure.getTaskById(id)).toBeUndefined();
    expect(await dure.countTasks({ type: "resize-image" })).toBeGreaterThan(2);
  });

  test("runs nothing", async () => {
    const dure = open(url);
    dure.defineTask("resize-image", async () => "resized");
    await expect(dure.start()).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    await expect(ask(url, "UPDATE :schema.tasks SET worker = 1")).rejects.toThrow(/permission denied/);
    await expect(ask(url, "UPDATE :schema.tasks SET result = '1'")).rejects.toThrow(/permission denied/);
    await expect(ask(url, "UPDATE :schema.workers SET state = 'dead'")).rejects.toThrow(/permission denied/);
  });

  test("adds to the audit log, and takes nothing from it", async () => {
    const dure = open(url);
    const { records } = await dure.readAudit({ actions: ["delete"] });
    expect(records).toHaveLength(1);
    await expect(ask(url, "UPDATE :schema.audit SET who = 'nobody'")).rejects.toThrow(/permission denied/);
    await expect(ask(url, "DELETE FROM :schema.audit")).rejects.toThrow(/permission denied/);
    const changing = ask(schema.url, "UPDATE :schema.audit SET who = 'nobody'");
    await expect(changing).rejects.toThrow(/never changed/);
  });
});

describe("a worker", () => {
  let url: string;
  beforeAll(async () => {
    url = await makeRole("worker");
  });

  test("runs tasks, settles them with logs and retries, and prunes", async () => {
    const dure = open(url);
    const flaky = dure.defineTask(
      "flaky",
      async (_task, context) => {
        context.log.info("trying");
        context.progress(1, 2);
        if (context.attempt === 1) throw new Error("once");
        return "done";
      },
      { maxAttempts: 2, backoff: { first: 1 } },
    );
    await dure.start();
    expect(await flaky.run({})).toBe("done");
    await dure.prune();
    await dure.stop();
  });

  test("changes nothing of the schema", async () => {
    await expect(ask(url, "ALTER TABLE :schema.tasks ADD COLUMN x integer")).rejects.toThrow(/must be owner/);
    await expect(ask(url, "DROP TABLE :schema.tasks")).rejects.toThrow(/must be owner/);
    await expect(ask(url, "CREATE TABLE :schema.x (y integer)")).rejects.toThrow(/permission denied/);
    await expect(ask(url, "DELETE FROM :schema.migrations")).rejects.toThrow(/permission denied/);
  });

  test("borrows the owner's rights for no table of its own", async () => {
    const functions = (await ask(
      url,
      `SELECT proname AS name FROM pg_proc WHERE prosecdef AND pronamespace = (':schema')::regnamespace ORDER BY 1`,
    )) as { name: string }[];
    expect(functions.map(({ name }) => name)).toEqual(["add_to_days", "note_minute_gap", "note_unpacked"]);
    for (const { name } of functions) {
      const rows = name === "note_minute_gap" ? "" : "REFERENCING NEW TABLE AS now_is FOR EACH STATEMENT";
      const borrowing = `CREATE TEMPORARY TABLE ended_tallies (lane integer, state smallint, hour integer, tasks bigint);
        CREATE TRIGGER borrowed AFTER INSERT ON ended_tallies ${rows} EXECUTE FUNCTION :schema.${name}()`;
      await expect(ask(url, borrowing), name).rejects.toThrow(/permission denied for function/);
    }
  });
});

test("functions that others put into public are not called in the place of the server's", async () => {
  const name = `dure_evil_${process.pid}`;
  await queryPostgres(`CREATE DATABASE ${name}`);
  const url = new URL(schema.url);
  url.pathname = `/${name}`;
  const owner = open(url.href);
  const evil = [
    "hashtext(varchar)",
    "length(varchar)",
    "lower(varchar)",
    "clock_timestamp()",
    "hashtext(text)",
  ];
  const numbers = ["abs(integer)", "pg_advisory_xact_lock(integer, integer)"];
  for (const one of [...evil, ...numbers]) {
    await ask(
      url.href,
      `CREATE FUNCTION public.${one} RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$`,
    );
  }
  const resize = owner.defineTask("resize-image", async () => "resized");
  await owner.start();
  expect(await resize.run({ widthPx: 640 })).toBe("resized");
  expect(await owner.countTasks({ type: "resize-image", status: "COMPLETED" })).toBe(1);
  await owner.close();
  await queryPostgres(`DROP DATABASE ${name} WITH (FORCE)`);
});

test("a role without any right is told whom to ask", async () => {
  const role = `dure_nobody_${process.pid}`;
  await queryPostgres(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  roles.push(role);
  const url = new URL(schema.url);
  url.username = role;
  url.password = "secret";
  const dure = open(url.href);
  await expect(dure.countTasks()).rejects.toMatchObject({
    code: "DATABASE_UNAVAILABLE",
    message: expect.stringMatching(/--grants/),
  });
});
