/** Tasks that a search names: candidates are those of its ids or idempotency keys, each looked up. */
import type { StoreSearch } from "../../../core/store.ts";
import { namedIn, namedMax } from "../../shared/named-tasks.ts";
import type { Connection } from "../connection.ts";
import { candidatesAmong, type KeySource } from "./key-source.ts";

const wanted = "(SELECT value AS wanted FROM json_each(?))";
const ranges = "(SELECT value ->> 0 AS low, value ->> 1 AS high FROM json_each(?))";
/** By `tasks_id` and `tasks_idempotency`. A key is of one type, whose name stands before it. */
const seqsBy = {
  id: `/* dure:tasksOfIds */ SELECT seq FROM ${wanted} CROSS JOIN tasks INDEXED BY tasks_id
    ON own_id IN (0, 1) AND id = wanted`,
  idempotencyKey: `/* dure:tasksOfKeys */ SELECT seq FROM ${wanted} CROSS JOIN (SELECT DISTINCT type FROM lanes)
    CROSS JOIN tasks INDEXED BY tasks_idempotency ON idempotency = type || ' ' || wanted`,
};
const seqsWithin = {
  id: `/* dure:tasksOfIdsWithin */ SELECT seq FROM ${ranges} CROSS JOIN tasks INDEXED BY tasks_id
    ON own_id IN (0, 1) AND id >= low AND id < high LIMIT ?`,
  idempotencyKey: `/* dure:tasksOfKeysWithin */ SELECT seq FROM ${ranges} CROSS JOIN (SELECT DISTINCT type FROM lanes)
    CROSS JOIN tasks INDEXED BY tasks_idempotency ON idempotency >= type || ' ' || low AND idempotency < type || ' ' || high LIMIT ?`,
};

/** Undefined where so many tasks are named that they are walked over. */
export function namedSource(connection: Connection, search: StoreSearch): KeySource | undefined {
  const named = namedIn(search.where);
  if (!named) return undefined;
  const { by, values, ranges } = named;
  const ask = (text: string, ...asked: (string | number)[]) =>
    (connection.prepare(text).all(...asked) as unknown as [number][]).map(([seq]) => seq);
  const within = ranges.length > 0 ? ask(seqsWithin[by], JSON.stringify(ranges), namedMax + 1) : [];
  if (within.length > namedMax) return undefined;
  const seqs = [
    ...new Set([...(values.length > 0 ? ask(seqsBy[by], JSON.stringify(values)) : []), ...within]),
  ];
  return {
    ...{ name: by, index: "id", estimate: seqs.length },
    total: () => seqs.length,
    countTo: () => seqs.length,
    keys: () => candidatesAmong(connection, search, seqs),
  };
}
