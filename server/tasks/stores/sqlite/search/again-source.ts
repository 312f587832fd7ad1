/**
 * Tasks that wait again, where there are few: candidates of searches that want attempts or crashes, which none has that waits as it was
 * enqueued.
 */
import type { Condition } from "../../../core/filters/condition.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { integersWithin } from "../../shared/row-filter.ts";
import type { Connection } from "../connection.ts";
import { searchIndexes } from "../statements.ts";
import { Candidates, gatheredMax, type KeySource } from "./key-source.ts";
import { findPairs } from "./pairs.ts";
import { runningKeys } from "./search.ts";
import { ofPairs, pending, placesOf, withPairs } from "./search-statements.ts";

const { index, condition } = searchIndexes.updated;
export const againIndex = index;
export const againSql = `${withPairs} SELECT seq FROM pairs CROSS JOIN tasks INDEXED BY ${index}
  WHERE tasks.lane = pairs.lane AND ${ofPairs(condition)} LIMIT ?`;

/** The source of a lower bound that must hold, of tasks that have not ended. */
export function againSource(connection: Connection, search: StoreSearch): KeySource | undefined {
  if (!search.where || !wantsAgain(search.where)) return undefined;
  const pairs = findPairs(connection, search);
  if (pairs.some(({ status }) => status >= 3)) return undefined;
  const waiting = placesOf(pairs.filter(({ status }) => status === pending));
  const rows = connection.prepare(againSql).all(waiting, gatheredMax + 1) as unknown as [number][];
  if (rows.length > gatheredMax) return undefined;
  const running = runningKeys(connection, search, pairs).map(([, , seq]) => seq);
  const seqs = [...rows.map(([seq]) => seq), ...running];
  return {
    ...{ name: "attempts", index: "walk", estimate: seqs.length },
    total: () => seqs.length,
    countTo: () => seqs.length,
    *keys() {
      yield* new Candidates(connection, search).among(seqs);
      return undefined;
    },
  };
}

/** Whether a task that meets it was claimed before, for each claim makes another version of it. */
function wantsAgain(where: Condition): boolean {
  if (where.kind === "and") return where.parts.some(wantsAgain);
  if (where.kind !== "equals" && where.kind !== "range") return false;
  const { field } = where;
  if (field.of !== "task" || (field.name !== "attempts" && field.name !== "crashes")) return false;
  if (where.kind === "equals") return where.values.every((value) => typeof value === "number" && value >= 1);
  return (integersWithin(where)?.from ?? 0) >= 1;
}
