/** What V8's collections of young objects leave of the driver's queries: docs/design/storage-postgres.md. */
import { getHeapSpaceStatistics } from "node:v8";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { statement } from "../../server/tasks/stores/postgres/statement.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";

const manyRows = statement("manyRows", "SELECT i, repeat('x', 20) || i FROM generate_series(1, 500) AS i");

let schema: TestSchema;
let database: Database;

beforeAll(async () => {
  schema = await createTestSchema();
  database = new Database(parseLocation(schema.url));
  await database.open();
});
afterAll(async () => {
  await database.close();
  await schema.drop();
});

test.each<[string, () => Promise<unknown>]>([
  ["a statement", () => database.query(manyRows)],
  ["a read of a snapshot", () => database.snapshot((session) => session.query(manyRows))],
])("the rows of %s are gone with the next collection of young objects", async (_name, ask) => {
  for (let round = 0; round < 20; round += 1) await ask();
  const before = oldBytes();
  for (let round = 0; round < 400; round += 1) await ask();
  // Kept rows are 13 MB, until a full collection comes.
  expect(oldBytes() - before).toBeLessThan(4_000_000);
});

function oldBytes(): number {
  const spaces = getHeapSpaceStatistics();
  return spaces.find(({ space_name }) => space_name === "old_space")!.space_used_size;
}
