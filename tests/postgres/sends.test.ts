/** Statements that are asked together in a drain do not leave together: docs/design/storage-postgres.md. */
import { setImmediate as nextTurn } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { statement } from "../../server/tasks/stores/postgres/statement.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";

const one = statement("one", "SELECT 1");
const { query } = pg.Client.prototype;

let schema: TestSchema;
let database: Database;

beforeAll(async () => {
  schema = await createTestSchema();
  database = new Database(parseLocation(schema.url));
  await database.open();
  await askFour();
});
afterAll(async () => {
  vi.restoreAllMocks();
  await database.close();
  await schema.drop();
});

test("in a drain, of what is asked in one turn of the event loop one statement leaves in it", async () => {
  const isDrain = vi.spyOn(database.drain, "isOn", "get").mockReturnValue(true);
  expect(new Set(await turnsOfFour()).size).toBe(4);
  isDrain.mockReturnValue(false);
  expect(new Set(await turnsOfFour()).size).toBe(1);
});

async function turnsOfFour(): Promise<number[]> {
  let turn = 0;
  let isOver = false;
  const counting = (async () => {
    for (; !isOver; turn += 1) await nextTurn();
  })();
  const turns: number[] = [];
  vi.spyOn(pg.Client.prototype, "query").mockImplementation(function (this: pg.Client, ...given) {
    turns.push(turn);
    return Reflect.apply(query, this, given);
  });
  await askFour();
  isOver = true;
  await counting;
  vi.mocked(pg.Client.prototype.query).mockRestore();
  expect(turns).toHaveLength(4);
  return turns;
}

function askFour(): Promise<unknown> {
  const session = [database, database, database.reading, database.reading];
  return Promise.all(session.map((each) => each.query(one)));
}
