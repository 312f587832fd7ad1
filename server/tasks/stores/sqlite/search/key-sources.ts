/** What finds the candidates of a search with conditions. */
import type { StoreSearch } from "../../../core/store.ts";
import { attributeSource } from "../attributes/attribute-keys.ts";
import type { Connection } from "../connection.ts";
import { textSource } from "../texts/text-keys.ts";
import { againIndex, againSource } from "./again-source.ts";
import { durationIndex } from "./duration-statements.ts";
import type { KeySource } from "./key-source.ts";
import { namedSource } from "./named-source.ts";
import type { Key } from "./search-key.ts";
import { slowSource } from "./slow-source.ts";

/** The one with the fewest candidates, or undefined when none is of use. Its search is by createdAt, updatedAt or id. */
export function keySourceOf(connection: Connection, search: StoreSearch): KeySource | undefined {
  // Those that run are few.
  if (search.statuses?.every((name) => name === "RUNNING")) return undefined;
  const named = namedSource(connection, search);
  if (named) return named;
  const again = againSource(connection, search);
  const attributes = fewer(fewer(attributeSource(connection, search), slowSource(connection, search)), again);
  // A few candidates are tested sooner than a text is looked up.
  if (attributes && attributes.estimate <= 50) return attributes;
  const texts = textSource(connection, search);
  return fewer(attributes, texts);
}

/** The indexes of the database that it reads. */
export function indexesOf({ index, name }: KeySource): string[] {
  if (index === "id") return [name === "id" ? "tasks_id" : "tasks_idempotency"];
  if (index === "walk") return [againIndex];
  return [index === "slow" ? durationIndex : index];
}

function fewer(one: KeySource | undefined, other: KeySource | undefined): KeySource | undefined {
  if (!one || !other) return one ?? other;
  return other.estimate < one.estimate ? other : one;
}

/** The keys of a source with those of definitions' entries, both in order. */
export function* withEntries(
  keys: Generator<Key, undefined>,
  entries: readonly Key[],
  compare: (a: Key, b: Key) => number,
): Generator<Key, undefined> {
  let next = 0;
  for (const key of keys) {
    while (next < entries.length && compare(entries[next]!, key) < 0) yield entries[next++]!;
    yield key;
  }
  yield* entries.slice(next);
  return undefined;
}
