/** A schema of PostgreSQL of its own for each test of the index of texts. */
import { afterEach, beforeEach, expect } from "vitest";
import { foldText } from "../../server/tasks/core/filters/condition.ts";
import type { Place, StoreSearch, TaskStore } from "../../server/tasks/core/store.ts";
import {
  Database,
  type Session,
  type Snapshot,
} from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import type { KeySource } from "../../server/tasks/stores/postgres/search/key-source.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import type { TextIndex } from "../../server/tasks/stores/postgres/texts/text-indexes.ts";
import { textSource } from "../../server/tasks/stores/postgres/texts/text-keys.ts";
import { newTask, newWorker } from "./builders.ts";
import type { TestSchema } from "./postgres.ts";
import { takeTestSchema } from "./spare-schemas.ts";
import { claimRequest, ok } from "./stores.ts";
import { TestClock } from "./test-clock.ts";

export let schema: TestSchema;
export let store: TaskStore;
export let clock: TestClock;
export let database: Database;

/** For every test of the file that calls it. */
export function useTextIndex(): void {
  beforeEach(async () => {
    schema = await takeTestSchema();
    clock = new TestClock();
    store = createPostgresStore({ url: schema.url, clock });
    await store.open();
    database = new Database(parseLocation(schema.url));
    await database.open();
    ok(await store.registerWorker(newWorker()));
  });

  afterEach(async () => {
    await database.close();
    await store.close();
    await schema.drop();
  });
}

/** Indexes all there is; answers the ids, in order. */
export async function index(limit = 100): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const found = await store.readUnindexed({ limit });
    if (found.length === 0) return ids.sort();
    expect(found.length).toBeLessThanOrEqual(limit);
    ok(
      await store.writeTexts(
        found.map(({ ref, task, json, attempts }) => {
          ids.push(task.id);
          const logs = attempts.flatMap((attempt) => attempt.logs.map(({ message }) => message));
          const text = [json.payload, task.error, ...logs].join("\n");
          return { ref, text: foldText(text) };
        }),
      ),
    );
  }
}

export function task(id: string, payload: unknown = {}) {
  return {
    ...newTask(),
    id,
    ownId: true,
    createdAt: clock.now(),
    dueAt: clock.now(),
    payload: { json: JSON.stringify(payload) },
  };
}

export async function claim(limit = 1) {
  return ok(await store.claimTasks(claimRequest({ limit }))).claimed;
}

export const unfiltered = undefined;

export const anySearch: StoreSearch = {
  sortBy: "createdAt",
  descending: true,
  limit: 50,
  offset: 0,
  definitions: false,
};

/** As a search asks for it. */
export async function textsOf(...[session, ...asked]: TextsAsked): Promise<KeySource | undefined> {
  const [source] = await session.inOneGo(() => [textSource(session, ...asked)]);
  return source;
}

type TextsAsked = [
  Snapshot,
  ...(Parameters<typeof textSource> extends [Session, ...infer Rest] ? Rest : never),
];

/** What a source gives, page by page. */
export async function allOf(session: Session, source: KeySource, pageSize: number): Promise<string[]> {
  const ids: string[] = [];
  for (let after: Place | undefined; ; ) {
    const { places, next } = await source.keys(session, after, pageSize);
    ids.push(...places.map(({ id }) => id));
    if (!next) return ids;
    after = next;
  }
}

/** What is known of an index of a million texts. */
export const indexed = (): TextIndex => ({
  exists: true,
  knowsLetters: true,
  texts: 1_000_000,
  tasks: 1_000_000,
  firstAt: 0,
  lastAt: 4_102_444_800_000,
});

/** The source, and the names of the statements that it runs. */
export function recording(asked: string[], source: KeySource | undefined): KeySource {
  const keys: KeySource["keys"] = ({ query }, after, limit) => {
    const recorded: Session["query"] = (statement, ...rest) => {
      asked.push(statement.name);
      return query(statement, ...rest);
    };
    return source!.keys({ query: recorded }, after, limit);
  };
  return { ...source!, keys };
}

/** All that it finds, page by page; sorted where it has no order. */
export async function idsOf(
  make: (session: Snapshot) => Promise<KeySource | undefined>,
  pageSize = 3,
): Promise<string[] | undefined> {
  return database.snapshot(async (session) => {
    const source = await make(session);
    if (!source) return undefined;
    const ids = await allOf(session, source, pageSize);
    return source.isOrdered ? ids : ids.sort();
  }, planningOnce);
}
