/** Saved searches, and how far their alert rules have come. */

import type { AlertStateWrite, SavedSearchContent, StoredSearch } from "../../core/port/store-saved.ts";
import { deleteSearchChange, savedSearchesMax, saveSearchChange } from "../../core/port/store-saved.ts";
import type { By, Written } from "../../core/store.ts";
import { record } from "./audit.ts";
import type { Connection } from "./connection.ts";
import type { WriteContext } from "./threads/write-context.ts";

type Row = [
  name: string,
  query: string,
  description: string | null,
  alert: string | null,
  createdAt: number,
  updatedAt: number,
  alertState: string | null,
  revision: number,
];

export function saveSearch(
  context: WriteContext,
  { search: { name, query, description, alert }, by }: { search: SavedSearchContent; by?: By | undefined },
  now: number,
): Written<StoredSearch, "full"> {
  const { connection } = context;
  const before = connection.prepare(sql.findSearch).get(name) as Row | undefined;
  const rule = alert === undefined ? null : JSON.stringify(alert);
  const row = connection
    .prepare(sql.saveSearch)
    .get(name, query, description ?? null, rule, now, savedSearchesMax) as Row | undefined;
  if (!row) return { kind: "rejected", reason: "full" };
  const saved = toStoredSearch(row);
  record(context, by, saveSearchChange(before && toStoredSearch(before), saved), now);
  return { kind: "ok", value: saved };
}

export function listSearches(connection: Connection, _argument: undefined): StoredSearch[] {
  return (connection.prepare(sql.listSearches).all() as unknown as Row[]).map(toStoredSearch);
}

export function deleteSearch(
  context: WriteContext,
  { name, by }: { name: string; by?: By | undefined },
  now: number,
): Written<boolean> {
  const row = context.connection.prepare(sql.deleteSearch).get(name) as Row | undefined;
  if (row) record(context, by, deleteSearchChange(toStoredSearch(row)), now);
  return { kind: "ok", value: row !== undefined };
}

export function writeAlertState(
  { connection }: WriteContext,
  { name, revision, state }: AlertStateWrite,
): Written<number, "changed"> {
  const { changes } = connection.prepare(sql.writeAlertState).run(JSON.stringify(state), name, revision);
  return Number(changes) > 0 ? { kind: "ok", value: revision + 1 } : { kind: "rejected", reason: "changed" };
}

function toStoredSearch(row: Row): StoredSearch {
  const [name, query, description, alert, createdAt, updatedAt, alertState, revision] = row;
  return {
    ...{ name, query },
    ...(description !== null && { description }),
    ...(alert !== null && { alert: JSON.parse(alert) }),
    ...{ createdAt: new Date(createdAt), updatedAt: new Date(updatedAt) },
    ...(alertState !== null && { alertState: JSON.parse(alertState) }),
    revision,
  };
}

const columns = "name, query, description, alert, created_at, updated_at, alert_state, revision";
const watchesTheSame = "saved_searches.query = excluded.query AND saved_searches.alert IS excluded.alert";

const sql = {
  saveSearch: `/* dure:saveSearch */ INSERT INTO saved_searches
      (name, query, description, alert, created_at, updated_at, revision)
    SELECT ?1, ?2, ?3, ?4, ?5, ?5, 1 WHERE (SELECT count(*) FROM saved_searches WHERE name <> ?1) < ?6
    ON CONFLICT (name) DO UPDATE SET
      query = excluded.query, description = excluded.description, alert = excluded.alert,
      updated_at = CASE WHEN ${watchesTheSame} AND saved_searches.description IS excluded.description
        THEN saved_searches.updated_at ELSE excluded.updated_at END,
      alert_state = CASE WHEN ${watchesTheSame} THEN saved_searches.alert_state END,
      revision = saved_searches.revision + CASE WHEN ${watchesTheSame} THEN 0 ELSE 1 END
    RETURNING ${columns}`,
  listSearches: `/* dure:listSearches */ SELECT ${columns} FROM saved_searches ORDER BY name`,
  findSearch: `/* dure:findSearch */ SELECT ${columns} FROM saved_searches WHERE name = ?`,
  deleteSearch: `/* dure:deleteSearch */ DELETE FROM saved_searches WHERE name = ? RETURNING ${columns}`,
  writeAlertState: `/* dure:writeAlertState */ UPDATE saved_searches SET alert_state = ?, revision = revision + 1
    WHERE name = ? AND revision = ?`,
} as const;
