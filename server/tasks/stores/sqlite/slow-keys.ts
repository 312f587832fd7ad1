/**
 * Tasks by how long they ran. An index has those that ran for a second or longer; there are never many a second of them,
 * and they are what is asked for.
 */
import type { SQLInputValue } from "node:sqlite";
import type { StoreSearch } from "../../core/store.ts";
import { isDownwards, leastDuration } from "../search-bounds.ts";
import type { Connection } from "./connection.ts";
import { Candidates, gatheredMax, type KeySource } from "./key-source.ts";
import { findPairs } from "./search.ts";
import { comparator, type Key } from "./search-key.ts";
import { mergeInOrder } from "./search-merge.ts";

const slowMs = 1_000;
const duration = "completed_at - started_at";
const slow = `FROM tasks INDEXED BY tasks_slow WHERE lane = ? AND status = ? AND status >= 3
  AND ${duration} >= ${slowMs}`;

/** The slowest first, from the search's place on; undefined in the other order. Those of less than a second are not there. */
export function slowestKeys(
  connection: Connection,
  search: StoreSearch,
): Generator<Key, undefined> | undefined {
  if (search.sortBy !== "duration" || !isDownwards(search)) return undefined;
  const { after } = search;
  if (after && (after.value ?? 0) < slowMs) return undefined;
  const { conditions, values } = within(search);
  if (after) {
    conditions.push(`${duration} <= ?`, `(${duration} < ? OR id < ?)`);
    values.push(after.value, after.value, after.id);
  }
  const text = `/* dure:searchTasks */ SELECT ${duration}, id, seq ${[slow, ...conditions].join(" AND ")}
    ORDER BY ${duration} DESC, id DESC`;
  const streams = endedPairs(connection, search).map(({ lane, status }) =>
    stream(connection, text, [lane, status, ...values]),
  );
  return mergeInOrder(streams, comparator(search));
}

/** The source of a lower bound of a second or more that must hold. */
export function slowSource(connection: Connection, search: StoreSearch): KeySource | undefined {
  const least = search.where && leastDuration(search.where);
  if (least === undefined || least < slowMs) return undefined;
  const text = `/* dure:slowTasks */ SELECT seq ${slow} AND ${duration} >= ? LIMIT ?`;
  const seqs: number[] = [];
  for (const { lane, status } of endedPairs(connection, search)) {
    const most = gatheredMax + 1 - seqs.length;
    const rows = connection.prepare(text).all(lane, status, least, most) as unknown as [number][];
    for (const [seq] of rows) seqs.push(seq);
    if (seqs.length > gatheredMax) return undefined;
  }
  return {
    name: "duration",
    index: "slow",
    estimate: seqs.length,
    total: () => seqs.length,
    *keys() {
      yield* new Candidates(connection, search).among(seqs);
      return undefined;
    },
  };
}

/** The ranges of instants, as they are. */
function within({ created, updated }: StoreSearch): { conditions: string[]; values: SQLInputValue[] } {
  const bounds: [condition: string, value: number | undefined][] = [
    ["created_at >= ?", created?.start],
    ["created_at < ?", created?.end],
    ["updated_at >= ?", updated?.start],
    ["updated_at < ?", updated?.end],
  ];
  const given = bounds.filter(([, value]) => value !== undefined);
  return { conditions: given.map(([condition]) => condition), values: given.map(([, value]) => value!) };
}

function endedPairs(connection: Connection, search: StoreSearch) {
  return findPairs(connection, search).filter(({ status }) => status >= 3);
}

function* stream(connection: Connection, text: string, values: SQLInputValue[]): Generator<Key, undefined> {
  const statement = connection.borrow(text);
  const keys = statement.iterate(...values) as unknown as IterableIterator<Key>;
  try {
    for (const key of keys) yield key;
    return undefined;
  } finally {
    keys.return?.();
    connection.giveBack(text, statement);
  }
}
