/** A PostgreSQL store in a schema of its own for all tests of a file. */
import { afterAll, beforeAll } from "vitest";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { createTestSchema, type TestSchema } from "./postgres.ts";

export interface SchemaStore {
  schema: TestSchema;
  store: TaskStore;
}

/** What it answers is filled in before the first test. @param fill what is stored then */
export function schemaStoreForAll(fill: (store: TaskStore) => Promise<unknown>): SchemaStore {
  const of = {} as SchemaStore;
  beforeAll(async () => {
    of.schema = await createTestSchema();
    of.store = createPostgresStore({ url: of.schema.url });
    await of.store.open();
    await fill(of.store);
  });
  afterAll(async () => {
    await of.store?.close();
    await of.schema?.drop();
  });
  return of;
}
