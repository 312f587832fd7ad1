/** What the store's connections make of every fault: done again where that is certain to be right, else said. */
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { onceOnly, statement } from "../../server/tasks/stores/postgres/statement.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { Pooler } from "../support/pooler.ts";
import { createTestSchema, postgresUrl, type TestSchema } from "../support/postgres.ts";
import { freePort } from "../support/postgres-server.ts";

const insert = statement("insertKept", "INSERT INTO :schema.kept VALUES ($1) RETURNING it");
const select = statement("selectKept", "SELECT it FROM :schema.kept ORDER BY it");

let schema: TestSchema;
let proxy: CuttingProxy;
let database: Database;

beforeEach(async () => {
  schema = await createTestSchema();
  await schema.query("CREATE SCHEMA :schema");
  await schema.query("CREATE TABLE :schema.kept (it bigint PRIMARY KEY)");
  proxy = await CuttingProxy.start(schema.url);
  database = await open(proxy.url(schema.url));
});
afterEach(async () => {
  await database.close();
  await proxy.close();
  await schema.drop();
});

async function open(url: string): Promise<Database> {
  const opened = new Database(parseLocation(url));
  await opened.open();
  return opened;
}

const kept = async () =>
  (await schema.query("SELECT it::int FROM :schema.kept ORDER BY it")).map(({ it }) => it);
const lostOf = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error) => error.name,
  );

test("connections that died while idle are replaced without a word", async () => {
  await Promise.all([1, 2, 3].map((it) => database.query(insert, [it])));
  proxy.cut();
  await Promise.all([4, 5, 6].map((it) => database.query(insert, [it])));
  expect(await kept()).toEqual([1, 2, 3, 4, 5, 6]);
});

test.each(["while the program waits", "while the program's thread is blocked"])(
  "a transaction whose session is ended for its idleness, %s, is done again",
  async (when) => {
    let runs = 0;
    await database.transaction(async (session) => {
      runs += 1;
      await session.query(insert, [runs]);
      if (runs > 1) return;
      await session.query(statement("shortIdle", "SET LOCAL idle_in_transaction_session_timeout = 10"));
      if (when.endsWith("waits")) await sleep(200);
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    });
    expect(await kept()).toEqual([2]);
  },
);

describe.each([true, false])("when an answer is lost (and the server saw the statement: %s)", (forward) => {
  test("a write is not known to be done", async () => {
    const lost = proxy.loseAnswer(/insertKept/, { forward });
    expect(await lostOf(database.query(insert, [1]))).toBe("ConnectionLost");
    await lost;
    expect(await kept()).toEqual(forward ? [1] : []);
    const written = await database.written(async () => ({ kind: "ok", value: await database.query(select) }));
    expect(written.kind).toBe("ok");
  });

  test("a read is done again", async () => {
    await database.query(insert, [1]);
    const lost = proxy.loseAnswer(/selectKept/, { forward });
    expect(await database.read(select)).toEqual([[1]]);
    await lost;
  });

  test("a transaction is done again, unless it was its commit", async () => {
    const lost = proxy.loseAnswer(/selectKept/, { forward });
    let runs = 0;
    await database.transaction(async (session) => {
      runs += 1;
      await session.query(insert, [runs]);
      return session.query(select);
    });
    await lost;
    expect(runs).toBe(2);
    expect(await kept()).toEqual([2]);
    void proxy.loseAnswer(/^COMMIT/, { forward });
    expect(await lostOf(database.transaction((session) => session.query(insert, [3])))).toBe(
      "ConnectionLost",
    );
    expect(await kept()).toEqual(forward ? [2, 3] : [2]);
  });
});

test("a server that refuses connections for a moment is waited for", async () => {
  proxy.cut();
  proxy.refuses = true;
  setTimeout(() => proxy.heal(), 1_000);
  await database.query(insert, [1]);
  expect(await kept()).toEqual([1]);
});

test("a server that stays away is told within some seconds, without the password", async () => {
  const url = new URL(await postgresUrl());
  url.port = String(await freePort());
  url.password = "open-sesame";
  const away = await open(url.href);
  const asked = performance.now();
  const error = await away.query(select).catch((refused) => refused);
  expect(error).toMatchObject({
    code: "DATABASE_UNAVAILABLE",
    message: expect.not.stringContaining("open-sesame"),
  });
  expect(performance.now() - asked).toBeLessThan(9_000);
  await away.close();
});

test("a host that has no address is told", async () => {
  const url = new URL(schema.url);
  url.hostname = "no-such-host.invalid";
  const nowhere = await open(url.href);
  await expect(nowhere.read(select)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  await nowhere.close();
});

test("a host that doesn't answer at all is passed over", async () => {
  proxy.cut();
  proxy.silencesNew = true;
  const direct = new URL(schema.url);
  const through = new URL(proxy.url(schema.url));
  const both = schema.url.replace(direct.host, `${through.host},${direct.host}`);
  const several = await open(both);
  const asked = performance.now();
  await several.query(insert, [1]);
  expect(performance.now() - asked).toBeLessThan(6_000);
  await several.close();
});

test("statements that the server undid because of others are sent again", async () => {
  await database.query(insert, [1]);
  let undone = 0;
  const fails = statement("failsTwice", `SELECT CASE WHEN $1::int < 3 THEN 1 ELSE 1 END`);
  const value = await database.transaction(async (session) => {
    undone += 1;
    await session.query(fails, [undone]);
    if (undone < 3) throw Object.assign(new Error("deadlock detected"), { code: "40P01" });
    return undone;
  });
  expect(value).toBe(3);
});

test("a transaction sees what others commit meanwhile, whatever the role's default is", async () => {
  const other = await open(
    `${schema.url}&options=${encodeURIComponent("-c default_transaction_isolation=serializable")}`,
  );
  try {
    const rows = await other.transaction(async (session) => {
      await session.query(select, []);
      await database.query(insert, [1]);
      return session.query(select, []);
    });
    expect(rows).toHaveLength(1);
  } finally {
    await other.close();
  }
});

test("snapshots are not compiled by servers with JIT, and nothing of that outlives them", async () => {
  const jit = onceOnly("jit", "SELECT current_setting('jit')");
  const before = await database.read(jit);
  expect(await database.snapshot((session) => session.query(jit))).toEqual([["off"]]);
  expect(await database.read(jit)).toEqual(before);
});

test("two questions in one go are of one snapshot, and sent before the first is answered", async () => {
  await schema.query("INSERT INTO :schema.kept VALUES (1)");
  const sent: string[] = [];
  const [first, second] = await database.snapshot((session) =>
    session.inOneGo(() => {
      const ask = (name: string) => session.query(select).finally(() => sent.push(`${name} answered`));
      const asked: [Promise<unknown[]>, Promise<unknown[]>] = [ask("first"), ask("second")];
      sent.push("both asked");
      return asked;
    }),
  );
  expect([first, second, sent]).toEqual([[[1]], [[1]], ["both asked", "first answered", "second answered"]]);
  const wrong = onceOnly("wrong", "SELECT nothing FROM :schema.kept");
  for (const [one, other] of [
    [wrong, select],
    [select, wrong],
  ] as const) {
    const both = database.snapshot((session) =>
      session.inOneGo(() => [session.query(one), session.query(other)]),
    );
    await expect(both).rejects.toThrow("nothing");
  }
  proxy.cut();
  expect(await database.read(select)).toEqual([[1]]);
});

describe("reads of one snapshot", () => {
  const backend = onceOnly("backend", "SELECT pg_backend_pid()");
  const readPid = async (): Promise<number> =>
    (await database.snapshot((session) => session.query(backend)))[0]![0];

  test("one after another are on one connection, whatever is asked beside them", async () => {
    const first = await readPid();
    const slow = statement("sleepBeside", "SELECT pg_sleep(0.05)");
    const beside = Array.from({ length: 4 }, () => database.query(slow));
    const pids = [];
    for (let n = 0; n < 20; n += 1) {
      pids.push(await readPid());
      await database.query(select);
    }
    expect(new Set(pids)).toEqual(new Set([first]));
    await Promise.all(beside);
  });

  test("that came at once leave each statement a connection", async () => {
    await database.close();
    database = await open(`${proxy.url(schema.url)}&pool_size=2`);
    for (let it = 0; it < 20; it += 1) {
      const pages = [readPid(), readPid(), readPid()];
      const slow = statement("sleepAmongReads", "SELECT pg_sleep(0.01)");
      await Promise.all([...pages, database.query(slow), database.query(slow), database.query(insert, [it])]);
    }
    expect(await kept()).toHaveLength(20);
  });

  test("go on after their connection died while it was kept, or in the end of what it was used for", async () => {
    const first = await readPid();
    proxy.cut();
    const second = await readPid();
    expect(second).not.toBe(first);
    // The one before may not have been sent when this begins to listen.
    const lost = proxy.loseAnswer(/^COMMIT/, { forward: true });
    const third = await readPid();
    await lost;
    expect(new Set([second, third, await readPid()]).size).toBe(2);
  });
});

test("a refusal leaves the connection clean", async () => {
  await database.query(insert, [1]);
  await expect(database.transaction((session) => session.query(insert, [1]))).rejects.toThrow();
  for (let it = 2; it < 30; it += 1) await database.query(insert, [it]);
  expect(await kept()).toHaveLength(29);
});

describe("through a pooler that keeps no prepared statements", () => {
  let pooler: Pooler;
  let pooled: Database;

  beforeEach(async () => {
    pooler = await Pooler.start(schema.url, { size: 3 });
    pooled = await open(pooler.url(schema.url));
  });
  afterEach(async () => {
    await pooled.close();
    await pooler.close();
  });

  test("statements go on without", async () => {
    for (let it = 0; it < 20; it += 1) await pooled.query(insert, [it]);
    expect(await pooled.read(select)).toHaveLength(20);
  });

  test("transactions go on without", async () => {
    for (let it = 0; it < 20; it += 2) {
      await pooled.transaction(async (session) => {
        await session.query(insert, [it]);
        await session.query(insert, [it + 1]);
      });
    }
    expect(await kept()).toHaveLength(20);
  });
});

test("closing does not wait for a server that has fallen silent", async () => {
  await database.query(insert, [1]);
  proxy.silence();
  const hanging = database.query(select).catch((error) => error);
  await new Promise((done) => setTimeout(done, 50));
  const asked = performance.now();
  await database.close();
  expect(performance.now() - asked).toBeLessThan(10_000);
  expect(await hanging).toBeInstanceOf(Error);
});

test("who waits for a connection when the database closes is told so at once", async () => {
  await database.close();
  database = await open(`${schema.url}&pool_size=2`);
  // So long that a busy machine, too, closes while most of them wait.
  const slow = statement("sleepABit", "SELECT pg_sleep(1)");
  const asked = Array.from({ length: 8 }, () => database.query(slow));
  const sessions = Array.from({ length: 3 }, () => database.transaction((session) => session.query(slow)));
  await new Promise((done) => setTimeout(done, 100));
  const closed = database.close();
  const answers = await Promise.allSettled([...asked, ...sessions]);
  await closed;
  const refused = answers.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
  expect(refused.length).toBeGreaterThan(5);
  for (const { reason } of refused) expect(reason).toMatchObject({ code: "INSTANCE_CLOSED" });
});

test("every statement has a name of its own, since it is prepared under that", () => {
  const folder = resolve(import.meta.dirname, "../../server/tasks/stores/postgres");
  const texts = globSync("*.ts", { cwd: folder }).map((file) => readFileSync(join(folder, file), "utf8"));
  const names = texts.flatMap((text) =>
    [...text.matchAll(/\bstatement\(\s*"(\w+)"/g)].map(([, name]) => name),
  );
  expect(names.length).toBeGreaterThan(30);
  expect(names.filter((name, place) => names.indexOf(name) !== place)).toEqual([]);
  expect(Math.max(...names.map((name) => `${name}:99:0123456789abcdef`.length))).toBeLessThanOrEqual(63);
});

test("a statement of another schema or release has another name, where a pooler shares connections", () => {
  const begin = "긴".repeat(20);
  const names = [`${begin}1`, `${begin}2`].flatMap((name) => {
    const other = new Database(parseLocation(`postgres://localhost/app?schema=${name}`));
    return [select, statement("selectKept", "SELECT it FROM :schema.kept")].map(
      (one) => other.prepared(one).name,
    );
  });
  expect(new Set(names).size).toBe(4);
  for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
});
