/** What is read of one snapshot: sent together, answered together, and ended with what is said to be last. */
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import { onceOnly, statement } from "../../server/tasks/stores/postgres/statement.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

const now = statement("snapshotNow", "SELECT pg_current_snapshot()::text, now()::text, pg_backend_pid()");
const jit = statement("jitNow", "SELECT current_setting('jit'), current_setting('statement_timeout')");
const share = statement("share", "SELECT 6 / $1::integer");

let schema: TestSchema;
let database: Database;

beforeEach(async () => {
  schema = await takeTestSchema();
  database = new Database(parseLocation(schema.url));
  await database.open();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await database?.close();
  await schema?.drop();
});

test("what is said to be last ends it: all is one query of the driver's", async () => {
  const query = vi.spyOn(pg.Client.prototype, "query");
  for (let time = 0; time < 2; time += 1) {
    const [[first], [second]] = await database.snapshot(
      (session) =>
        session.inOneGo(
          () => [session.query(now), session.query(now)],
          () => true,
        ),
      planningOnce,
    );
    expect(second).toEqual(first);
  }
  expect(query).toHaveBeenCalledTimes(2);
});

test("where something is asked behind what was last, all is asked again, of one snapshot", async () => {
  let times = 0;
  const read = await database.snapshot(async (session) => {
    times += 1;
    const [[first]] = await session.inOneGo(
      () => [session.query(now)],
      () => true,
    );
    return [first, (await session.query(now))[0]];
  });
  expect(times).toBe(2);
  expect(read[1]).toEqual(read[0]);
});

test.each([true, false])(
  "where one statement fails, those behind it do too, and the connection goes on (last: %s)",
  async (isLast) => {
    const [, , pid] = (await database.snapshot((session) => session.query(now)))[0]!;
    const fates: string[] = [];
    const asked = database.snapshot(async (session) => {
      const note = (answer: Promise<unknown>) =>
        answer.then(
          () => fates.push("answered"),
          (error) => {
            fates.push(error.message);
            throw error;
          },
        );
      await session.inOneGo(
        () => [1, 0, 2].map((by) => note(session.query(share, [by]))),
        () => isLast,
      );
    });
    await expect(asked).rejects.toThrow("division by zero");
    expect(new Set(fates)).toEqual(new Set(["division by zero"]));
    for (const by of [2, 3]) {
      const [[rows], [, , again]] = await database.snapshot(async (session) => [
        (await session.query(share, [by])).map(([of]) => of),
        (await session.query(now))[0]!,
      ]);
      expect([rows, again]).toEqual([6 / by, pid]);
    }
  },
);

test("settings hold for the snapshot alone, or for the statement", async () => {
  const before = await database.read(jit);
  const within = (ms: number) =>
    database.snapshot((session) => session.query(jit), planningOnce.within(ms)).then(([row]) => row);
  expect(await within(1_234)).toEqual(["off", "1234ms"]);
  const on = statement("jitOn", "SELECT set_config('jit', 'on', true)");
  const off = statement("jitOff", "SELECT set_config('jit', 'off', true)");
  const seen = await database.snapshot((session) =>
    session.inOneGo(
      () => [session.query(jit), session.query(jit, [], { on, off }), session.query(jit)],
      () => true,
    ),
  );
  expect(seen.map(([row]) => row![0])).toEqual(["off", "on", "off"]);
  expect(await database.read(jit)).toEqual(before);
});

test("rows are read as the driver reads them, whether their statement is new, known or not prepared", async () => {
  const text = `SELECT $1::bigint, $2::boolean, $3::text[], $4::jsonb, $5::double precision, $6::bytea, $7::text, NULL::bigint,
      ARRAY[1, 2]::integer[], 'NaN'::real, $8::bigint[] WHERE $2::boolean`;
  const values = [
    2 ** 40,
    true,
    ['a"\\,', "", null],
    '{"a":[1]}',
    0.1,
    Buffer.from([0, 255]),
    "두레\n",
    [1, 2 ** 40],
  ];
  const plain = await database.query(onceOnly("values", text), values);
  expect(plain[0]![0]).toBe(2 ** 40);
  for (const one of [statement("values", text), onceOnly("values", text)])
    for (let time = 0; time < 3; time += 1)
      expect(await database.snapshot((session) => session.query(one, values))).toEqual(plain);
  const known = statement("none", `${text} AND false`);
  for (let time = 0; time < 2; time += 1)
    expect(await database.snapshot((session) => session.query(known, values))).toEqual([]);
  await expect(database.snapshot((session) => session.query(known, [{}]))).rejects.toThrow("an object");
});

test("one whose connection is lost is read again", async () => {
  let losses = 0;
  const [row] = await database.snapshot(async (session) => {
    const [rowsOfNow] = await session.inOneGo(() => [session.query(now)]);
    if (losses++ === 0) await schema.query("SELECT pg_terminate_backend($1)", [rowsOfNow[0]![2]]);
    const [rows] = await session.inOneGo(
      () => [session.query(share, [2])],
      () => true,
    );
    return rows;
  });
  expect([row, losses]).toEqual([[3], 2]);
});
