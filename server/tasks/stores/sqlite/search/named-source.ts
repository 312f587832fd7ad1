/** Tasks that a search names: candidates are those of its ids or idempotency keys, each looked up. */
import type { StoreSearch } from "../../../core/store.ts";
import { namedIn } from "../../shared/named-tasks.ts";
import type { Connection } from "../connection.ts";
import { candidatesAmong, type KeySource } from "./key-source.ts";

const wanted = "(SELECT value AS wanted FROM json_each(?))";
/** By `tasks_id` and `tasks_idempotency`. A key is of one type, whose name stands before it. */
const seqsBy = {
  id: `/* dure:tasksOfIds */ SELECT seq FROM ${wanted} CROSS JOIN tasks INDEXED BY tasks_id
    ON own_id IN (0, 1) AND id = wanted`,
  idempotencyKey: `/* dure:tasksOfKeys */ SELECT seq FROM ${wanted} CROSS JOIN (SELECT DISTINCT type FROM lanes)
    CROSS JOIN tasks INDEXED BY tasks_idempotency ON idempotency = type || ' ' || wanted`,
};

export function namedSource(connection: Connection, search: StoreSearch): KeySource | undefined {
  const named = namedIn(search.where);
  if (!named) return undefined;
  const rows = connection.prepare(seqsBy[named.by]).all(JSON.stringify(named.values));
  const seqs = (rows as unknown as [number][]).map(([seq]) => seq);
  return {
    ...{ name: named.by, index: "id", estimate: seqs.length },
    total: () => seqs.length,
    keys: () => candidatesAmong(connection, search, seqs),
  };
}
